//! The open descriptors of this process: list them, close all but a few, or change which of them exec closes.
//!
//! [`Command`](crate::Command) needs none of this: its children inherit what it names. This module is for other code:
//!
//! - A program that looks for its own leaks calls [`list`].
//! - A daemon closes what it inherited, once and at its start: [`AllFds::close`].
//! - A program that forks on its own closes or marks in the forked child: [`AllFds::close`],
//!   [`AllFds::set_cloexec`].
//! - A program that must keep std's or tokio's `Command` makes its start exact: [`InheritOnly`].
//!
//! All of them use the chain of [`Command`](crate::Command): one call for many descriptors if the system has it,
//! otherwise a list of open descriptors if it can be trusted, otherwise every possible number. A refused step leads to
//! the next one. If the last one cannot finish, the result is an error.
//!
//! # Async-signal-safety
//!
//! [`AllFds::close`] and [`AllFds::set_cloexec`] allocate nothing, take no lock and do not panic. A child that a
//! multi-threaded program forked may call them, if the program made the [`AllFds`] before the fork. `list` allocates.
//!
//! # Filters of system calls
//!
//! If a seccomp filter answers a call with an errno, the next step is taken. If it answers with a signal (`SIGSYS`),
//! the signal ends the process that made the call. That process is a child here only with [`InheritOnly`]; no program
//! runs then. If such a filter may be in place, pass [`CloseStrategy::Enumerate`](crate::CloseStrategy::Enumerate) to
//! [`AllFds::close_strategy`], which makes no call that is newer than Linux 2.6. A refusal that an earlier start met is
//! remembered.
//!
//! # Examples
//!
//! ```
//! for fd in forkexec::fds::list()? {
//!     if fd.number() > 2 && fd.is_cloexec() == Some(false) {
//!         println!("a child of std::process would inherit: {fd}");
//!     }
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

mod all_fds;
mod inherit_only;
mod open_fd;
mod socket;

pub use all_fds::AllFds;
pub use inherit_only::{InheritOnly, KeptFds};
pub use open_fd::{FdKind, OpenFd, list};
pub use socket::SocketAddress;
