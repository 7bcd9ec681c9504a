//! Backends and the child's state machine over kernels that exist on paper.
//!
//! Whatever a backend decides (which list to believe, what an errno means) is a case here, and runs on any host.
//!
//! - `sim`: the simulated kernel, the reporter that writes everything down, and the plan that asks for everything
//! - `apple`: what the macOS and iOS backend decides
//! - `facts`: what real kernels did, where no backend relies on it yet
//! - `freebsd`: what the FreeBSD and DragonFly backend decides
//! - `groups`: the group IDs that a program gets, on every system
//! - `linux`: what the Linux backend decides
//! - `netbsd`: what the NetBSD backend decides
//! - `openbsd`: what the OpenBSD backend decides
//! - `posix`: what the portable floor decides
//! - `solaris`: what the Solaris and illumos backend decides
//! - `conformance`: what any backend has to do, a line for each
//! - `child_exec`: whole plans, call by call
//! - `sweep`: whole plans over every backend, each call failing with each errno, and pairs of them
//! - `properties`: random tables, keep lists, refusals and mappings against a model of one line
//! - `reality`: random programs of calls, on the simulated kernel and on the one underneath

#![cfg(any(target_os = "linux", target_os = "android"))]

mod apple;
mod child_exec;
mod conformance;
mod facts;
mod freebsd;
mod groups;
mod linux;
mod netbsd;
mod openbsd;
mod posix;
mod properties;
mod reality;
mod sim;
mod solaris;
mod sweep;

#[path = "../faults/sweep/draw.rs"]
mod draw;

use forkexec_core::{Fd, KeepList};

/// What a table holds after everything from 3 up was closed that is not kept.
fn left_open(before: &[Fd], keep: KeepList<'_>) -> Vec<Fd> {
    before.iter().copied().filter(|&fd| fd < 3 || keep.contains(fd)).collect()
}

fn keep_list(fds: &[Fd]) -> KeepList<'_> {
    KeepList::new(fds).expect("the list is sorted")
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
