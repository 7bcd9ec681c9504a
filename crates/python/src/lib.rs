//! CPython's `_posixsubprocess` on forkexec: one function, `fork_exec`. A second module in the same library, `low_numbers`, is
//! the package's own.
//!
//! It takes what the running version's `subprocess` passes, makes a [`forkexec_core::Plan`] of it, and leaves the rest to
//! forkexec: a child that shares memory until it execs, or a forked one where a `preexec_fn` is to run.
//!
//! One binary serves all versions (the stable ABI of 3.8): what is younger than that ABI is looked up by name
//! (`optional`). The binding is PyO3's lower half, `pyo3-ffi`, because PyO3's modules refuse subinterpreters and have
//! conversions with texts of their own.

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
