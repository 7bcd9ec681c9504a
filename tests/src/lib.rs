//! Helpers of the integration suites of forkexec.
//!
//! | module      | for                                                             |
//! |-------------|-----------------------------------------------------------------|
//! | [`probe`]   | the program that tests start, and its report                    |
//! | [`process`] | the state of another process                                    |
//! | [`leaky`]   | an ordinary program, with children that inherit too much        |
//! | [`isolate`] | a process for each test                                         |
//! | [`guard`]   | the check that a test leaves its process unchanged              |
//! | [`deny`]    | system calls that fail, or kill                                 |
//! | [`world`]   | hostile surroundings: many descriptors, no stdio, no `/proc`    |
//! | [`android`] | the seccomp filter that Android applies to apps                 |
//! | [`trace`]   | the system calls that a program makes                           |
//! | [`starts`]  | the system calls that a spawn should make                       |
//!
//! A helper panics if it cannot do its work. On systems without Linux's interfaces the library is empty.

#![cfg(any(target_os = "linux", target_os = "android"))]
#![expect(clippy::missing_panics_doc, reason = "a helper panics if it cannot do its work")]

pub mod android;
pub mod deny;
pub mod guard;
pub mod isolate;
pub mod leaky;
pub mod probe;
pub mod process;
pub mod starts;
mod sys;
pub mod trace;
pub mod world;

/// The code of the project's README compiles, and its first program runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
