//! CPython's `_posixsubprocess` on forkexec: one function, `fork_exec`. The same library has a second module of the package,
//! `low_numbers`.
//!
//! `fork_exec` takes the arguments that the running version's `subprocess` passes, and makes a [`forkexec_core::Plan`] of
//! them. forkexec starts a child that shares memory until exec. If there is a `preexec_fn`, it forks.
//!
//! One binary supports all versions, with the stable ABI of 3.8. Functions that are newer than that ABI are looked up by
//! name (`optional`). The binding is `pyo3-ffi`, not PyO3 itself: PyO3's modules refuse subinterpreters, and its conversions
//! have other messages.

mod arguments;
mod checks;
mod descriptors;
mod entries;
mod error_pipe;
mod fork_exec;
mod gc;
mod guard;
mod ids;
mod low_numbers;
mod memory;
mod module;
mod optional;
mod pipe;
mod preexec;
mod py;
mod strings;
mod version;
