//! The way in which a command's methods wait for its child.

/// The mode of a command that blocks the calling thread, as std's does. The mode of
/// `forkexec::tokio::Command` is `forkexec::tokio::Tokio`.
#[derive(Debug)]
pub enum Blocking {}
