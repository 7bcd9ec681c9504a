//! Prints the tables of `docs/system-calls.md`, from what strace sees of real starts: `ci/system-calls` puts them there.
//!
//! It traces itself. Where nothing can be traced it says so, and exits with 3.

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
