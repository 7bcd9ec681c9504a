//! Sets `cfg(std_pipes)` if std has anonymous pipes: from Rust 1.87 on.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(std_pipes)");
    if minor_version().is_none_or(|minor| minor >= 87) {
        println!("cargo:rustc-cfg=std_pipes");
    }
}

fn minor_version() -> Option<u32> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}
