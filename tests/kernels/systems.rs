//! The backend of each system, over a simulated kernel.

use forkexec_apple::Apple;
use forkexec_core::Backend;
use forkexec_freebsd::Freebsd;
use forkexec_linux::Linux;
use forkexec_netbsd::Netbsd;
use forkexec_openbsd::Openbsd;
use forkexec_posix::Posix;
use forkexec_solaris::Solaris;

use crate::sim::SimKernel;

/// Makes a backend.
pub(crate) type System = fn(SimKernel) -> Box<dyn Backend<Sys = SimKernel>>;

pub(crate) const APPLE: System = |kernel| Box::new(Apple::new(kernel));
pub(crate) const FREEBSD: System = |kernel| Box::new(Freebsd::new(kernel));
pub(crate) const LINUX: System = |kernel| Box::new(Linux::new(kernel));
pub(crate) const NETBSD: System = |kernel| Box::new(Netbsd::new(kernel));
pub(crate) const OPENBSD: System = |kernel| Box::new(Openbsd::new(kernel));
pub(crate) const POSIX: System = |kernel| Box::new(Posix::new(kernel));
pub(crate) const SOLARIS: System = |kernel| Box::new(Solaris::new(kernel));
