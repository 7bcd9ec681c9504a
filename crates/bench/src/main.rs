//! Measures the time of a spawn: with this library, with bare system calls (the floor), and with all other methods that the
//! machine has.
//!
//! One process, the driver, sends requests to workers in turn, over a line protocol (`worker`). A worker is this executable,
//! for methods in Rust and C, or a program in another language.

#[cfg(target_os = "linux")]
mod bench;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    bench::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("forkexec-bench: this benchmark needs Linux");
}
