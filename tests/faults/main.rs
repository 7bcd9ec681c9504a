//! Any call can fail: the error is right, and nothing is left behind.
//!
//! - `android`: releases of Android, whose filter traps some calls
//! - `errnos`: the errnos of each call
//! - `failing`: a wrapper around system calls that makes one of them fail
//! - `in_place`: exec in the calling process, with each of its calls failing
//! - `simulated`: every call of a child with every errno, over the simulated kernel
//! - `launcher`: failing calls of the parent and of the child over the real kernel, one at a time
//! - `killed`: a child that shares memory, killed from outside before its program runs
//! - `posix_spawn`: the launcher of macOS over the posix_spawn(2) of this C library
//! - `refusals`: every call of the memory-sharing launcher refused by seccomp, through the public API
//! - `script`: incidents at chosen calls, and a record of the calls, in memory that all children share
//! - `shared`: as `launcher`, for the launcher whose children share memory, and with calls that always fail
//! - `stack`: the stack of a child that shares memory, overflown and measured
//! - `stages`: each stage of a child failing over the real kernel
//! - `sweep`: each call of many plans failing with each errno of its page, pairs of them, and children that are killed,
//!   stopped and interrupted at each
//! - `trapped`: calls of a child that a seccomp filter traps, through the public API
//! - `traceable`: the attribute of the parent's memory that a child with another id clears
//! - `vfork`: as `shared`, for the launcher by vfork(2) over the portable backend
//! - `denied`: calls denied by seccomp, through the public API
//!
//! The simulated kernel is that of the `kernels` suite, and the signal helpers are those of `conformance`.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod android;
mod denied;
mod errnos;
mod failing;
mod handed_over;
mod in_place;
mod killed;
mod launcher;
// The C library of Android has posix_spawn(2) only since release 9, and the libc crate lacks it.
#[cfg(not(target_os = "android"))]
mod posix_spawn;
mod refusals;
mod script;
mod shared;
#[expect(dead_code, reason = "the kernels suite uses all of it")]
#[path = "../kernels/sim/mod.rs"]
mod sim;
mod simulated;
mod stack;
mod stages;
mod suspended;
mod sweep;
mod traceable;
mod trapped;
mod vfork;

#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../conformance/ground.rs"]
mod ground;
#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../conformance/held.rs"]
mod held;
