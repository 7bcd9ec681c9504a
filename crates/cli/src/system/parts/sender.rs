//! The sender of a signal on POSIX systems.

use crate::system::Sender;

/// Returns the sender of a signal, from its `si_pid`: 0 is the kernel.
pub(crate) fn sender(_: i32, pid: i32) -> Sender {
    if pid == 0 { Sender::Kernel } else { Sender::Process(pid) }
}
