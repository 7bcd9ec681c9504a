//! Child processes under a tokio runtime, in the style of `tokio::process` (feature `tokio`).
//!
//! [`Command`] has the settings of [`crate::Command`] and the methods of `tokio::process::Command`. It starts a [`Child`]. The runtime waits for its end,
//! and reads and writes its pipes. The start is that of [`Command::spawn`](crate::Command::spawn), with the
//! same guarantees.
//!
//! # Examples
//!
//! ```
//! use forkexec::tokio::Command;
//! use forkexec::{OnDrop, Stdio};
//! use std::time::Duration;
//! use tokio::io::AsyncReadExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut command = Command::new("sh");
//! command.args(["-c", "echo ready; exec sleep 60"]).stdout(Stdio::piped()).on_drop(OnDrop::KillAndWait);
//! let mut child = command.spawn()?;
//!
//! let mut line = [0; 6];
//! child.stdout.as_mut().ok_or("it is piped")?.read_exact(&mut line).await?;
//! assert_eq!(&line, b"ready\n");
//!
//! // A wait can be cancelled at any time, and repeated.
//! let late = tokio::time::timeout(Duration::from_millis(10), child.wait()).await;
//! assert!(late.is_err());
//! let status = child.terminate_then_kill(Duration::from_secs(5)).await?;
//! assert!(!status.success());
//! # Ok(())
//! # }
//! ```
//!
//! # Waiting
//!
//! The runtime watches the child's descriptor ([`Child::exit_fd`](crate::Child::exit_fd)) as it watches a
//! socket. There is no handler for `SIGCHLD`, no polling at intervals, and no thread.
//!
//! Some systems and settings have no such descriptor: Solaris and illumos, Linux before 5.3, and
//! [`create_pidfd(false)`](crate::Command::create_pidfd). Then a thread waits for the child (waitid(2) with
//! `WNOWAIT`), from the first wait until the child ends. The thread does not belong to the runtime: it takes
//! none of its blocking threads, and a runtime that shuts down does not wait for it.
//!
//! # Blocking
//!
//! A start blocks its thread until the child executes its program: about 100 µs, and more if the child is
//! started by fork(2). If that is too long, start the child with
//! [`spawn_blocking`](https://docs.rs/tokio/latest/tokio/task/fn.spawn_blocking.html). Do not do so with
//! [`die_with_parent`](crate::Command::die_with_parent): the thread that starts such a child must live as
//! long as the process, and threads of a runtime do not guarantee that.
//!
//! Dropping a child with [`OnDrop::KillAndWait`](crate::OnDrop::KillAndWait) blocks until the child is dead.
//!
//! # Cancel safety
//!
//! Every future of this module can be dropped at any await. A method documents what is lost, if anything is.
//! If a future borrows the child, the child can be waited for again. If the child was moved into the future,
//! it is dropped with it, and [`on_drop`](crate::Command::on_drop) applies. The same holds for a runtime that
//! shuts down with children in its tasks.
//!
//! # Runtimes
//!
//! The runtime can be current-thread or multi-thread. It needs I/O
//! ([`enable_io`](https://docs.rs/tokio/latest/tokio/runtime/struct.Builder.html#method.enable_io)), and time for
//! [`terminate_then_kill`](Child::terminate_then_kill). The runtime in which a child was started watches it,
//! and must run while the child is waited for. After that runtime has shut down, the child can be waited for
//! in another one, but its pipes stay with the first. A status that is already known is returned in any
//! runtime.

mod by_thread;
mod child;
mod command;
mod conversation;
mod notify_socket;
pub mod process;
mod pty;
mod register;
mod watch;

pub use ::tokio::net::unix::pipe::{Receiver as ChildStderr, Receiver as ChildStdout, Sender as ChildStdin};
pub use child::Child;
pub use command::{BorrowingCommand, Command, Tokio};
pub use conversation::Communicator;
pub use notify_socket::NotifySocket;
pub use pty::Pty;
