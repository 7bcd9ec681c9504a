//! The backend under test, and what this process may do.

use std::io;
use std::ptr;

use forkexec::{Command, SpawnMethod};
use forkexec_core::{Capabilities, Operation};
use forkexec_tests::isolate::skip;
use forkexec_tests::{android, probe, world};

/// A user and a group that are nobody's.
pub(crate) const NOBODY: u32 = 65_534;

/// What the backend has that the library was built over.
pub(crate) fn capabilities() -> &'static Capabilities {
    if cfg!(forkexec_backend = "posix") {
        &forkexec_posix::CAPABILITIES
    } else {
        &forkexec_linux::CAPABILITIES
    }
}

/// How a child is started here.
pub(crate) fn method() -> SpawnMethod {
    let mut child = Command::new(probe::path()).arg("true").spawn().expect("it starts");
    child.wait().expect("it ends");
    child.method()
}

/// Whether the backend has the operation; says aloud if not.
pub(crate) fn has(operation: Operation) -> bool {
    let has = capabilities().has(operation);
    if !has {
        skip(&format!("the backend for {} lacks {operation:?}", capabilities().system));
    }
    has
}

/// Whether this is the superuser, whose children may change their ids and their root; says aloud if not.
pub(crate) fn is_privileged() -> bool {
    if !world::is_root() {
        skip("needs the superuser");
        return false;
    }
    changes_ids()
}

/// Whether the system lets a process ask for other ids; says aloud if not.
pub(crate) fn changes_ids() -> bool {
    let changes = android::lets(libc::SYS_setgroups);
    if !changes {
        skip("this Android release lets no app change its ids");
    }
    changes
}

/// Whether the descriptor of a process that is no child can be opened; says aloud if not.
pub(crate) fn opens_descendants() -> bool {
    let opens = android::lets(libc::SYS_pidfd_open);
    if !opens {
        skip("this Android release lets no app open the pidfd of a descendant");
    }
    opens
}

/// Whether an emulator runs this program, and does itself what is asked of the kernel; says aloud if so.
pub(crate) fn is_emulated(instead: &str) -> bool {
    let emulator = world::emulator();
    if let Some(emulator) = &emulator {
        skip(&format!("{} {instead}", emulator.display()));
    }
    emulator.is_some()
}

/// What closes descriptors here before anything is listed, if the backend has such a call and the kernel, too.
pub(crate) fn bulk_closer() -> Option<&'static str> {
    capabilities().bulk_closer.filter(|_| world::has_close_range())
}

/// Makes this process, all its threads, an unprivileged user's until the answer is dropped.
///
/// The superuser's ids are saved, so what is refused must not be about these.
pub(crate) fn without_privileges() -> Option<Unprivileged> {
    world::is_root().then(|| {
        // SAFETY: an empty list is not read.
        check(unsafe { libc::setgroups(0, ptr::null()) });
        // SAFETY: changes the calling process alone, which is the test's own.
        check(unsafe { libc::setresgid(NOBODY, NOBODY, 0) });
        // SAFETY: changes the calling process alone, which is the test's own.
        check(unsafe { libc::setresuid(NOBODY, NOBODY, 0) });
        Unprivileged
    })
}

/// Brings back the superuser.
pub(crate) struct Unprivileged;

impl Drop for Unprivileged {
    fn drop(&mut self) {
        // SAFETY: changes the calling process alone, which is the test's own.
        check(unsafe { libc::setresuid(0, 0, 0) });
        // SAFETY: changes the calling process alone, which is the test's own.
        check(unsafe { libc::setresgid(0, 0, 0) });
    }
}

/// The answer of a system call that has to succeed.
///
/// # Panics
///
/// With the errno if it did not.
#[track_caller]
pub(crate) fn check(result: i32) -> i32 {
    assert!(result >= 0, "{}", io::Error::last_os_error());
    result
}
