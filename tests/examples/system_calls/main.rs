//! Prints the tables of `docs/system-calls.md` from a trace of real starts. `ci/system-calls` writes them to the document.
//!
//! The program traces itself. If it cannot trace, it says so and exits with 3.

use std::process::ExitCode;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod tables;

#[cfg(any(target_os = "linux", target_os = "android"))]
fn main() -> ExitCode {
    tables::print()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn main() -> ExitCode {
    eprintln!("the tables are those of Linux");
    ExitCode::from(3)
}
