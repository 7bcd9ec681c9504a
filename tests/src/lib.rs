//! What the integration suites of forkexec stand on.
//!
//! | room        | for                                                             |
//! |-------------|-----------------------------------------------------------------|
//! | [`probe`]   | the program that tests start, and what it says it was born with |
//! | [`leaky`]   | an ordinary program, which has children that inherit too much   |
//! | [`isolate`] | a process for each test                                         |
//! | [`guard`]   | proof that a test left its process as it found it               |
//! | [`deny`]    | system calls that fail, or kill                                 |
//! | [`world`]   | hostile surroundings: many descriptors, no stdio, no `/proc`    |
//! | [`android`] | the seccomp filter that Android puts before apps                 |
//! | [`trace`]   | the system calls a program makes                                |
//! | [`starts`]  | which of them a start consists of, as it is written down        |
//!
//! The helpers are for tests: where their own footing fails, they panic.
//! On systems without Linux's interfaces the library is empty.

#![cfg(any(target_os = "linux", target_os = "android"))]

pub mod android;
pub mod deny;
pub mod guard;
pub mod isolate;
pub mod leaky;
pub mod probe;
pub mod starts;
mod sys;
pub mod trace;
pub mod world;

/// The code of the project's README compiles, and its first program runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
