//! The sender of a signal, as POSIX tells it.

use crate::system::Sender;

/// The sender of a signal with these `si_code` and `si_pid`: a process has a number.
pub(crate) fn sender(_: i32, pid: i32) -> Sender {
    if pid == 0 { Sender::Kernel } else { Sender::Process(pid) }
}
