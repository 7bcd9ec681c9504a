//! Compiling the sources of `workers`: the program that exits at once, and libraries in C.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles the program that exits at once: no C library, no linker.
pub(crate) fn program(directory: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let bare = ["-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-Wl,--build-id=none"];
    compile(directory, "exits", &bare)
}

/// Compiles the source of this name.
pub(crate) fn compile(directory: &Path, name: &str, options: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("workers");
    let out = directory.join(name);
    let mut cc = Command::new("cc");
    cc.arg("-O2").args(options).arg(sources.join(format!("{name}.c"))).arg("-o").arg(&out);
    if cc.status()?.success() { Ok(out) } else { Err("the C compiler failed".into()) }
}
