//! Three errors that other libraries report as "No such file or directory", and how a program distinguishes
//! them.
//!
//! Run it with `cargo run --example errors`.

use forkexec::{Cause, Command, Error, Stage};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("forkexec-errors-{}", std::process::id()));
    fs::create_dir(&directory)?;
    let script = directory.join("script");
    fs::write(&script, "#!/no/such/interpreter\n")?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;

    for command in [
        Command::new("no-such-program").arg("--help"),
        Command::new("true").current_dir(directory.join("missing")),
        &mut Command::new(&script),
    ] {
        match command.spawn() {
            Ok(mut child) => println!("{command:?} ended with {}", child.wait()?),
            Err(error) => println!("{command:?}\n  {error}\n  → {}", advice(&error)),
        }
    }
    fs::remove_dir_all(&directory)?;
    Ok(())
}

fn advice(error: &Error) -> String {
    let Some(failed) = error.as_spawn() else { return "look at the command".to_owned() };
    match (failed.stage(), failed.cause()) {
        (Stage::Chdir, _) => "create the directory".to_owned(),
        (Stage::Exec, Some(Cause::InterpreterMissing(path))) => format!("install {}", path.display()),
        (Stage::Exec, Some(Cause::ProgramMissing { .. })) => "install the program".to_owned(),
        (stage, _) => format!("look at stage {stage:?}"),
    }
}
