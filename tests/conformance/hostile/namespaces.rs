//! A process in new namespaces, for a test.
//!
//! A process with several threads cannot get a user namespace, and the first child after unshare(2) is the first
//! process of a pid namespace. So the test runs in a forked child, and its parent writes the id maps.

use std::fs;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use forkexec_tests::world;

use crate::ground::check;

/// The namespaces that a process gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Namespaces {
    /// Flags of unshare(2).
    pub(crate) flags: libc::c_int,
    /// In a user namespace: setgroups(2) is denied for good (user_namespaces(7)).
    pub(crate) setgroups_denied: bool,
}

impl Namespaces {
    /// No namespaces, only a new process.
    pub(crate) const NONE: Self = Self { flags: 0, setgroups_denied: false };
}

/// So many ids are mapped, each to itself.
pub(crate) const MAPPED: u32 = 60_000;

/// Runs the test in a process that has the namespaces. In a pid namespace it is the first process.
///
/// # Errors
///
/// Returns the reason to skip the test if the namespaces cannot be made.
pub(crate) fn inside(namespaces: Namespaces, test: impl FnOnce()) -> Result<(), String> {
    let (mut is_there, there) = io::pipe().expect("a pipe can be made");
    let (mapped, mut maps) = io::pipe().expect("a pipe can be made");
    // SAFETY: the other thread of an isolated test waits for this one and holds no lock, so that the copy can do
    // anything.
    let child = check(unsafe { libc::fork() });
    if child == 0 {
        drop((is_there, maps));
        end_with(|| be_inside(namespaces, (there, mapped), test));
    }
    drop((there, mapped));
    let is_there = is_there.read_exact(&mut [0]).is_ok();
    let written = if is_there { write_maps(child, namespaces) } else { Ok(()) };
    if is_there && written.is_ok() {
        maps.write_all(b".").expect("the child reads it");
    }
    drop(maps);
    let status = world::wait_for(child);
    written.map_err(|error| format!("no ids can be mapped: {error}"))?;
    if !is_there {
        return Err("namespaces are not available".to_owned());
    }
    assert!(status.success(), "the test failed in its namespaces: {status}");
    Ok(())
}

fn be_inside(
    namespaces: Namespaces,
    (mut there, mut mapped): (io::PipeWriter, io::PipeReader),
    test: impl FnOnce(),
) {
    // SAFETY: unshare touches no memory.
    check(unsafe { libc::unshare(namespaces.flags) });
    there.write_all(b".").expect("the parent reads it");
    mapped.read_exact(&mut [0]).expect("the parent has written the maps");
    drop((there, mapped));
    if namespaces.flags & libc::CLONE_NEWPID == 0 {
        return test();
    }
    // SAFETY: this process has one thread.
    let first = check(unsafe { libc::fork() });
    if first == 0 {
        end_with(test);
    }
    assert!(world::wait_for(first).success());
}

/// Ends this process, with 0 unless it panics.
fn end_with(run: impl FnOnce()) -> ! {
    let failed = catch_unwind(AssertUnwindSafe(run)).is_err();
    let _ = io::stderr().flush();
    // SAFETY: ends the process, without the exit handlers of the test harness.
    unsafe { libc::_exit(i32::from(failed)) }
}

fn write_maps(child: libc::pid_t, namespaces: Namespaces) -> io::Result<()> {
    if namespaces.flags & libc::CLONE_NEWUSER == 0 {
        return Ok(());
    }
    let write = |file: &str, text: &str| fs::write(format!("/proc/{child}/{file}"), text);
    if namespaces.setgroups_denied {
        write("setgroups", "deny")?;
    }
    let map = format!("0 0 {MAPPED}\n");
    write("uid_map", &map).and_then(|()| write("gid_map", &map))
}
