//! Compiles the probe program, a static executable with no crate beneath it.
//!
//! Cargo cannot link one binary of a package statically and the others not, so
//! rustc is called directly. Where static linking fails (no `libc.a`), the
//! probe is linked dynamically, and the tests that run it in an empty chroot
//! cannot work: hence the warning.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SOURCE: &str = "probe/probe.rs";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={SOURCE}");
    if !matches!(variable("CARGO_CFG_TARGET_OS").as_str(), "linux" | "android") {
        return;
    }
    let probe = PathBuf::from(variable("OUT_DIR")).join("probe");
    let statically = compile(&probe, true);
    if !statically.status.success() {
        let reason = first_error(&statically);
        println!("cargo:warning=the probe cannot be linked statically ({reason})");
        let dynamically = compile(&probe, false);
        let said = String::from_utf8_lossy(&dynamically.stderr);
        assert!(dynamically.status.success(), "the probe does not compile:\n{said}");
    }
    println!("cargo:rustc-env=FORKEXEC_PROBE={}", probe.display());
}

fn compile(probe: &Path, statically: bool) -> Output {
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "probe", "-O"])
        .args(["-C", "panic=abort", "-C", "strip=symbols"])
        .args(["--target", &variable("TARGET")])
        .args(["-C", if statically { "target-feature=+crt-static" } else { "prefer-dynamic=no" }])
        .arg("-o")
        .args([probe, Path::new(SOURCE)]);
    // The flags of the target, a sysroot among them where its standard library was built here.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={}", linker.display()));
    }
    rustc.output().expect("cargo names a rustc that runs")
}

fn first_error(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines().find(|line| line.contains("error")).unwrap_or("no reason given").to_owned()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
