//! Any call failing: what is told, and that nothing is left behind.
//!
//! - `android`: releases of Android, whose filter traps some calls
//! - `errnos`: what each call may answer
//! - `failing`: a wrapper around system calls that lets one of them fail
//! - `in_place`: exec in the calling process, with each of its calls failing
//! - `simulated`: every call of a child with every errno, over the simulated kernel
//! - `launcher`: calls of the parent and of the child failing over the real kernel, one after the other
//! - `killed`: a child that shares memory ended from outside before its program runs
//! - `refusals`: every call of the memory-sharing launcher refused by seccomp, through the public face
//! - `script`: what happens at which call, and what was called, in memory that all children share
//! - `shared`: the same for the launcher whose children share memory, and what is never to be had
//! - `stack`: the stack of a child that shares memory, overflown and measured
//! - `stages`: each stage of a child failing over the real kernel
//! - `sweep`: each call of many plans failing with each errno of its page, pairs of them, and children that are killed,
//!   stopped and interrupted at each
//! - `trapped`: calls of a child that a seccomp filter traps, through the public face
//! - `traceable`: the attribute of the parent's memory that a child under another id takes away
//! - `denied`: calls denied by seccomp, through the public face
//!
//! The simulated kernel is that of the `kernels` suite, and what holds signals that of `conformance`.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod android;
mod denied;
mod errnos;
mod failing;
mod handed_over;
mod in_place;
mod killed;
mod launcher;
mod refusals;
mod script;
mod shared;
#[expect(dead_code, reason = "the kernels suite uses all of it")]
#[path = "../kernels/sim/mod.rs"]
mod sim;
mod simulated;
mod stack;
mod stages;
mod sweep;
mod traceable;
mod trapped;

#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../conformance/ground.rs"]
mod ground;
#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../conformance/held.rs"]
mod held;
