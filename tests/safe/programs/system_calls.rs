//! Implements the traits of system calls and of a backend. The methods are left out: the declaration counts.
//!
//! Fault: U2
//! Error: E0200
//! Unsafe traits: 13
#![forbid(unsafe_code)]

use forkexec_core::{Backend, ParentSys, SharingSys, Sys, VforkSys};

struct Mine;

impl Sys for Mine {}
impl ParentSys for Mine {}
impl SharingSys for Mine {}
impl VforkSys for Mine {}
impl Backend for Mine {}
impl forkexec_linux::LinuxSys for Mine {}
impl forkexec_linux::CloneSys for Mine {}
impl forkexec_apple::AppleSys for Mine {}
impl forkexec_freebsd::FreebsdSys for Mine {}
impl forkexec_netbsd::NetbsdSys for Mine {}
impl forkexec_openbsd::OpenbsdSys for Mine {}
impl forkexec_posix::PosixSys for Mine {}
impl forkexec_solaris::SolarisSys for Mine {}

fn main() {}
