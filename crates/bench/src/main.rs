//! Measures what a spawn costs: this library, the floor of bare system calls, and every peer that the machine has.
//!
//! One process, the driver, asks workers in turn over a tiny line protocol (`protocol`). A worker is this executable again, for
//! what can be called from Rust and C, or a program in the peer's own language.

#[cfg(target_os = "linux")]
mod bench;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    bench::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("forkexec-bench measures Linux alone");
}
