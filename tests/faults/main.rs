//! Any call failing: what is told, and that nothing is left behind.
//!
//! - `failing`: a wrapper around system calls that lets one of them fail
//! - `simulated`: every call of a child with every errno, over the simulated kernel
//! - `launcher`: calls of the parent and of the child failing over the real kernel, one after the other
//! - `killed`: a child that shares memory ended from outside before its program runs
//! - `refusals`: every call of the memory-sharing launcher refused by seccomp, through the public face
//! - `shared`: the same for the launcher whose children share memory, and what is never to be had
//! - `stack`: the stack of a child that shares memory, overflown and measured
//! - `stages`: each stage of a child failing over the real kernel
//! - `denied`: calls denied by seccomp, through the public face
//!
//! The simulated kernel is that of the `kernels` suite, and what holds signals that of `conformance`.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod denied;
mod failing;
mod handed_over;
mod killed;
mod launcher;
mod refusals;
mod shared;
#[expect(dead_code, reason = "the kernels suite uses all of it")]
#[path = "../kernels/sim/mod.rs"]
mod sim;
mod simulated;
mod stack;
mod stages;

#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../conformance/ground.rs"]
mod ground;
#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../conformance/held.rs"]
mod held;
