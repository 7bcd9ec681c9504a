//! Backends and the child's state machine over simulated kernels.
//!
//! Each decision of a backend (which list to believe, what an errno means) is a case here, and runs on any host.
//!
//! - `sim`: the simulated kernel, a reporter that records everything, and a plan with all settings
//! - `systems`: the backend of each system over a simulated kernel, for the tests of several backends
//! - a module for each backend, such as `apple`: its decisions
//! - `posix_spawn`: the launcher of macOS, over the simulated XNU
//! - `solaris_spawn`: the launcher of illumos and Solaris, over their simulated posix_spawn(3C)
//! - `attributes`: the attributes that only Linux has
//! - `chain`: the closing chain, a case for each backend
//! - `process_entry`: exec told from death, a case for each backend that reads the entry of a process
//! - `cloexec`: the chain that sets and clears close-on-exec, a case for each backend
//! - `facts`: behaviour of real kernels that no backend relies on yet
//! - `groups`: the group IDs that a program gets, on every system
//! - `ids`: the user IDs after a change of user, on systems whose setreuid(2) differs
//! - `conformance`: the rules for any backend, a line for each
//! - `child_exec`: whole plans, call by call
//! - `take`: children that take high descriptors from their parent
//! - `sweep`: whole plans over every backend, each call failing with each errno, and pairs of calls
//! - `properties`: random tables, keep lists, refusals and mappings against a model of one line
//! - `reality`: random programs of calls, on the simulated kernel and on the real one

#![cfg(any(target_os = "linux", target_os = "android"))]

mod apple;
mod attributes;
mod chain;
mod child_exec;
mod cloexec;
mod conformance;
mod facts;
mod freebsd;
mod groups;
mod ids;
mod linux;
mod netbsd;
mod openbsd;
mod posix;
mod posix_spawn;
mod process_entry;
mod properties;
mod reality;
mod sim;
mod solaris;
mod solaris_spawn;
mod sweep;
mod systems;
mod take;

#[path = "../faults/sweep/draw.rs"]
mod draw;

use forkexec_core::{Backend, CloseStrategy, Closer, Errno, Fd, KeepList, close_except};

use sim::{Call, SimKernel};

/// The number of the report channel in these tests, and the highest open descriptor of [`crowded`].
const CHANNEL: Fd = 50;
const HIGHEST: Fd = 19_999;
const RUN: [Fd; 38] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
    31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
];

type World = fn(SimKernel) -> SimKernel;

/// Opens more descriptors than one batch of a listing holds, and a few far up.
fn crowd(kernel: SimKernel) -> SimKernel {
    let many: Vec<Fd> = (3..=45).chain(55..500).collect();
    kernel.with_open(&many).with_cloexec(&[CHANNEL, 600, 5_000]).with_open(&[HIGHEST])
}

fn crowded() -> SimKernel {
    crowd(SimKernel::new())
}

/// Few descriptors, so that a sweep is quick.
fn sparse() -> SimKernel {
    SimKernel::new().with_open(&[3, 4, 9, 60, 61, 70]).with_cloexec(&[CHANNEL, 300])
}

fn keep_list(fds: &[Fd]) -> KeepList<'_> {
    KeepList::new(fds).expect("the list is sorted")
}

fn with_channel(keep: &[Fd], channel: Option<Fd>) -> KeepList<'_> {
    channel.map_or(keep_list(keep), |channel| keep_list(keep).and(channel))
}

/// Closes all descriptors from 3 up except `keep`. Returns what closed them, and the descriptors that are open then.
fn close_over<B>(backend: &B, keep: KeepList<'_>, link: CloseStrategy) -> (Result<Closer, Errno>, Vec<Fd>)
where
    B: Backend<Sys = SimKernel> + ?Sized,
{
    let closed = close_except(backend, 3, keep, link).map(|closed| closed.by);
    (closed, backend.sys().open_fds())
}

/// The descriptors of a table that stay open if everything from 3 up is closed except `keep`.
fn left_open(before: &[Fd], keep: KeepList<'_>) -> Vec<Fd> {
    before.iter().copied().filter(|&fd| fd < 3 || keep.contains(fd)).collect()
}

/// The first call that closes or reads a standard stream or a kept descriptor, or that is none of `allowed`.
fn misstep(kernel: &SimKernel, keep: KeepList<'_>, allowed: &[&str]) -> Option<Call> {
    let highest_kept = (0..=HIGHEST).rev().find(|&fd| keep.contains(fd));
    kernel.log().into_iter().find(|call| {
        let number = call.numbers[0].and_then(|number| Fd::try_from(number).ok());
        match call.name {
            "close" | "getdents" | "is_on_procfs" => number.is_none_or(|fd| fd < 3 || keep.contains(fd)),
            "closem" | "closefrom" | "close_from" => {
                number.is_none_or(|fd| fd < 3 || Some(fd) <= highest_kept)
            }
            name => !allowed.contains(&name),
        }
    })
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
