//! A directory for programs that are compiled at run time, and the compilers.

use super::Failure;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The headers that the programs include.
const HEADERS: [(&str, &str); 3] = [
    ("start.h", include_str!("../../workers/start.h")),
    ("job.h", include_str!("../../workers/job.h")),
    ("serve.h", include_str!("../../workers/serve.h")),
];

/// The compiler options for a static program without a C library.
const BARE: [&str; 6] = [
    "-static",
    "-nostdlib",
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-Wl,--build-id=none",
];

/// The directory and the programs in it.
pub(super) struct Toolbox {
    directory: TempDir,
    /// The program that is spawned.
    pub(super) exits: PathBuf,
    /// The program that reports the state that it inherited.
    pub(super) sees: PathBuf,
}

impl Toolbox {
    /// Compiles the two programs that are spawned. All users can execute them.
    pub(super) fn new() -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("forkexec-bench-").tempdir()?;
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        let mut toolbox = Self { directory, exits: PathBuf::new(), sees: PathBuf::new() };
        for (name, text) in HEADERS {
            toolbox.file(name, text)?;
        }
        toolbox.exits = toolbox.c("exits", include_str!("../../workers/exits.c"), BARE)?;
        toolbox.sees = toolbox.c("sees", include_str!("../../workers/sees.c"), BARE)?;
        Ok(toolbox)
    }

    /// Writes a file.
    pub(super) fn file(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.directory.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Makes a file that all users can write to.
    pub(super) fn writable(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.file(name, "")?;
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        Ok(path)
    }

    /// Compiles a C file of this crate.
    pub(super) fn c<A: AsRef<OsStr>>(
        &self,
        name: &str,
        source: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<PathBuf, Failure> {
        let source = self.file(&format!("{name}.c"), source)?;
        let made = self.directory.path().join(name);
        run(Command::new("cc").args(["-O2", "-o"]).arg(&made).arg(source).args(arguments))?;
        Ok(made)
    }

    /// Returns a command that runs in the directory.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path());
        command
    }

    /// Returns the path of the directory.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Runs a tool. Returns its output, or the first line of its error output as an error.
pub(super) fn run(command: &mut Command) -> Result<String, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("no {program} on PATH"),
        _ => format!("{program}: {error}"),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}", errors.lines().next().unwrap_or("failed")).into())
}
