//! Compiles the programs that the tests start, without dependencies: the probe, which is a static executable, and an
//! ordinary program.
//!
//! Cargo cannot link one binary of a package statically and the others dynamically, so this script calls rustc. If
//! static linking fails (no `libc.a`), it links the probe dynamically and prints a warning, because the tests that run
//! the probe in an empty chroot then fail.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROBE: &str = "probe/probe.rs";
/// A part of it.
const ESCAPE: &str = "probe/escape.rs";
const LEAKY: &str = "leaky/leaky.rs";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={PROBE}");
    println!("cargo:rerun-if-changed={ESCAPE}");
    println!("cargo:rerun-if-changed={LEAKY}");
    if !matches!(variable("CARGO_CFG_TARGET_OS").as_str(), "linux" | "android") {
        return;
    }
    let out = PathBuf::from(variable("OUT_DIR"));
    let (probe, leaky) = (out.join("probe"), out.join("leaky"));
    let statically = compile(PROBE, &probe, true);
    if !statically.status.success() {
        let reason = first_error(&statically);
        println!("cargo:warning=the probe cannot be linked statically ({reason})");
        must_compile(&compile(PROBE, &probe, false));
    }
    must_compile(&compile(LEAKY, &leaky, false));
    println!("cargo:rustc-env=FORKEXEC_PROBE={}", probe.display());
    println!("cargo:rustc-env=FORKEXEC_LEAKY={}", leaky.display());
}

fn must_compile(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a program does not compile:\n{said}");
}

fn compile(source: &str, program: &Path, statically: bool) -> Output {
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "program", "-O"])
        .args(["-C", "panic=abort", "-C", "strip=symbols"])
        .args(["--target", &variable("TARGET")])
        .args(["-C", if statically { "target-feature=+crt-static" } else { "prefer-dynamic=no" }])
        .arg("-o")
        .args([program, Path::new(source)]);
    // The flags of the target, with a sysroot if the standard library was built here. The programs are built without a
    // sanitizer, because the probe reports what it inherited.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if !flags.contains("-Zsanitizer") {
        rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    }
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={linker}"));
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
