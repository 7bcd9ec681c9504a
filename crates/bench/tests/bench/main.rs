//! Tests of the benchmark as a command. They check the children, and no times.
#![cfg(target_os = "linux")]

use std::error::Error;
use std::process::Command;

/// Runs the benchmark with these arguments, and returns its output. Returns `None` without a C compiler, which the spawned
/// program needs.
fn bench(arguments: &[&str]) -> Result<Option<String>, Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_forkexec-bench")).args(arguments).output()?;
    let errors = String::from_utf8(output.stderr)?;
    if errors.contains("no cc on PATH") {
        eprintln!("skipped: there is no C compiler");
        return Ok(None);
    }
    assert!(output.status.success(), "{errors}");
    Ok(Some(String::from_utf8(output.stdout)?))
}

#[test]
fn list_names_the_floor_and_this_library() -> Result<(), Box<dyn Error>> {
    let Some(list) = bench(&["--list", "--only", "ours"])? else { return Ok(()) };
    assert!(list.contains("floor-shares"), "{list}");
    assert!(list.contains("ours"), "{list}");
    assert!(!list.contains("duct"), "{list}");
    Ok(())
}

#[test]
fn children_of_this_library_see_only_the_planned_fds() -> Result<(), Box<dyn Error>> {
    let arguments = ["--rounds", "1", "--group", "descriptors", "--descriptors", "40", "--only", "ours"];
    let Some(tables) = bench(&arguments)? else { return Ok(()) };
    let ours: Vec<&str> = tables.lines().filter(|line| line.trim_start().starts_with("forkexec")).collect();
    assert!(ours.len() >= 4, "a row in each table: {tables}");
    for line in ours {
        assert!(line.ends_with(" 3") || line.ends_with(" 5"), "{line}");
    }
    Ok(())
}
