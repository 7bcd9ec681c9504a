//! Children under a tokio runtime, in the manner of `tokio::process` (feature `tokio`).
//!
//! [`Command::spawn_tokio`](crate::Command::spawn_tokio) starts a [`Child`] whose end, input and output the runtime waits
//! for. It is the same start, with the same guarantees, as [`Command::spawn`](crate::Command::spawn):
//!
//! ```
//! use forkexec::{Command, OnDrop, Stdio};
//! use std::time::Duration;
//! use tokio::io::AsyncReadExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut command = Command::new("sh");
//! command.args(["-c", "echo ready; exec sleep 60"]).stdout(Stdio::piped()).on_drop(OnDrop::KillAndWait);
//! let mut child = command.spawn_tokio()?;
//!
//! let mut said = [0; 6];
//! child.stdout.as_mut().ok_or("it is piped")?.read_exact(&mut said).await?;
//! assert_eq!(&said, b"ready\n");
//!
//! // Waiting may be given up at any time, and taken up again.
//! let late = tokio::time::timeout(Duration::from_millis(10), child.wait()).await;
//! assert!(late.is_err());
//! let status = child.terminate_then_kill(Duration::from_secs(5)).await?;
//! assert!(!status.success());
//! # Ok(())
//! # }
//! ```
//!
//! # How the end is noticed
//!
//! By a descriptor of the child ([`Child::exit_fd`](crate::Child::exit_fd)), which the runtime watches as it does a socket: no
//! handler of `SIGCHLD`, nothing that is asked again and again, and no thread. Where there is none (Solaris and illumos,
//! Linux before 5.3, [`create_pidfd(false)`](crate::Command::create_pidfd)), a thread waits for the child from the
//! moment that somebody waits for it here, until its end (waitid(2) with `WNOWAIT`). It is none of the runtime's: it takes no
//! place among its blocking tasks, and a runtime that is shut down does not wait for it.
//!
//! # What blocks
//!
//! A start blocks its thread until the child executes its program: some 100 µs, and more where it is by fork(2).
//! Where that is too long, [`spawn_blocking`](::tokio::task::spawn_blocking) may start it, in a runtime all the
//! same, unless the command has [`die_with_parent`](crate::Command::die_with_parent): the thread that starts such a child must
//! live as long as the process, and the threads of a runtime do not promise that.
//!
//! Dropping a child with [`OnDrop::KillAndWait`](crate::OnDrop::KillAndWait) blocks, too, for as long as its death takes.
//!
//! # Cancelling
//!
//! Any future here may be dropped at any of its awaits. Nothing is lost by that but what the method says: a child that is
//! borrowed can be waited for again, and one that was moved into the future is dropped with it, so that
//! [`on_drop`](crate::Command::on_drop) says what becomes of it. The same holds for a runtime that is shut down with
//! children in its tasks.
//!
//! # Runtimes
//!
//! Current-thread or multi-thread, with I/O enabled
//! ([`enable_io`](::tokio::runtime::Builder::enable_io)), and with time for
//! [`terminate_then_kill`](Child::terminate_then_kill). A child is watched by the runtime in which it was started, which must
//! run as long as it is waited for. When that runtime has been shut down, the child can be waited for in another. Its pipes
//! stay with the first. A status that is known is returned in any runtime.

mod by_thread;
mod child;
mod command;
mod conversation;
mod watch;

pub use ::tokio::net::unix::pipe::{Receiver as ChildStderr, Receiver as ChildStdout, Sender as ChildStdin};
pub use child::Child;
pub use conversation::Communicator;
