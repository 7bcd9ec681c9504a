//! The backend under test, and the privileges of this process.

use std::io;
use std::ptr;

use forkexec::{SpawnMethod, supports};
use forkexec_core::{Capabilities, Operation};
use forkexec_tests::isolate::{isolated_if, skip};
use forkexec_tests::{android, probe, world};

/// A user and a group without files and processes.
pub(crate) const NOBODY: u32 = 65_534;

/// The capabilities of the backend that the library was built with.
pub(crate) fn capabilities() -> &'static Capabilities {
    if cfg!(forkexec_backend = "posix") {
        &forkexec_posix::CAPABILITIES
    } else {
        &forkexec_linux::CAPABILITIES
    }
}

/// Starts a child, and returns the method.
pub(crate) fn method() -> SpawnMethod {
    let mut child = probe::command(&["true"]).spawn().expect("it starts");
    child.wait().expect("it ends");
    child.method()
}

/// Returns true if the backend has the operation. Skips the test if not.
pub(crate) fn has(operation: Operation) -> bool {
    if !supports(operation) {
        skip(&format!("{} lacks {operation:?} here", capabilities().system));
        return false;
    }
    let call = match operation {
        Operation::MemoryPolicy => libc::SYS_set_mempolicy,
        Operation::SessionKeyring => libc::SYS_keyctl,
        Operation::Landlock => libc::SYS_landlock_restrict_self,
        _ => return true,
    };
    let is_allowed = android::lets(call);
    if !is_allowed {
        skip(&format!("no Android release lets apps use {operation:?}"));
    }
    is_allowed
}

/// Returns true if children take high descriptors from a suspended parent, as on Linux. Skips the test if not.
pub(crate) fn takes_fds() -> bool {
    let takes = android::level().is_none();
    if !takes {
        skip("children take no descriptor on Android");
    }
    takes
}

/// Returns true if this process is the superuser, whose children can change their ids and their root. Skips the test if
/// not.
pub(crate) fn is_privileged() -> bool {
    if !world::is_root() {
        skip("needs the superuser");
        return false;
    }
    changes_ids()
}

/// Runs a test that needs a privileged process, isolated. Skips it without privileges.
pub(crate) fn as_root(test: impl FnOnce()) {
    isolated_if(is_privileged, test);
}

/// Returns true if the system lets a process change its ids. Skips the test if not.
pub(crate) fn changes_ids() -> bool {
    let changes = android::lets(libc::SYS_setgroups);
    if !changes {
        skip("this Android release lets no app change its ids");
    }
    changes
}

/// Returns true if the pidfd of a process that is no child can be opened. Skips the test if not.
pub(crate) fn opens_descendants() -> bool {
    let opens = android::lets(libc::SYS_pidfd_open);
    if !opens {
        skip("this Android release lets no app open the pidfd of a descendant");
    }
    opens
}

/// Returns true if an emulator runs this program and does the kernel's work itself. Skips the test then.
pub(crate) fn is_emulated(instead: &str) -> bool {
    let emulator = world::emulator();
    if let Some(emulator) = &emulator {
        skip(&format!("{} {instead}", emulator.display()));
    }
    emulator.is_some()
}

/// The call that closes descriptors before anything is listed, if the backend and the kernel have one.
pub(crate) fn bulk_closer() -> Option<&'static str> {
    capabilities().bulk_closer.filter(|_| world::has_close_range())
}

/// Makes all threads of this process unprivileged until the returned value is dropped.
///
/// The superuser's ids are saved, so a refusal must not be about these.
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

/// The calls that poll(2) makes.
pub(crate) const POLLS: &[libc::c_long] = &[
    libc::SYS_ppoll,
    #[cfg(not(any(target_arch = "aarch64", target_arch = "riscv64")))]
    libc::SYS_poll,
];
