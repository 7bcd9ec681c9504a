//! Programs and directories on mounts that allow less.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::ptr;

use forkexec::{Command, Errno, SpawnPolicy};
use forkexec_tests::isolate::skip;
use forkexec_tests::world;
use rstest::rstest;

use super::namespaces::{Namespaces, inside};
use super::ordinary::{Ordinary, nothing};
use crate::ground::as_root;
use crate::start::{failure, words};

/// Mounts a directory onto itself, with flags (mount(2): bind mount and remount).
fn restrict(directory: &Path, flags: libc::c_ulong) -> io::Result<()> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    let nothing = ptr::null();
    for (path, flags) in [
        (c"/", libc::MS_REC | libc::MS_PRIVATE),
        (&*path, libc::MS_BIND),
        (&*path, libc::MS_BIND | libc::MS_REMOUNT | flags),
    ] {
        // SAFETY: all are C strings, or null where that is allowed.
        let answer = unsafe { libc::mount(path.as_ptr(), path.as_ptr(), nothing, flags, nothing.cast()) };
        if answer < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Runs a test in a directory with the probe that is mounted with these flags.
fn run_on(flags: libc::c_ulong, prepare: impl FnOnce(&Path), test: impl FnOnce(&Path)) {
    as_root(|| {
        let root = world::empty_chroot();
        prepare(root.path());
        let own = Namespaces { flags: libc::CLONE_NEWNS, setgroups_denied: false };
        let done = inside(own, || match restrict(root.path(), flags) {
            Ok(()) => test(root.path()),
            Err(error) => skip(&format!("nothing can be mounted: {error}")),
        });
        if let Err(reason) = done {
            skip(&reason);
        }
    });
}

fn script(path: &Path, interpreter: &Path) {
    fs::write(path, format!("#!{}\n", interpreter.display())).expect("it can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

#[test]
fn child_on_a_read_only_mount_is_the_same() {
    run_on(
        libc::MS_RDONLY,
        |_| (),
        |at| {
            assert!(fs::write(at.join("file"), "").is_err(), "it is read-only");
            std::env::set_current_dir(at).expect("it is a directory");
            Ordinary::new(&at.join("probe")).check(nothing, |seen| seen.cwd.is_some());
        },
    );
}

/// Faults: N20, E7
#[rstest]
fn error_names_the_noexec_mount_of_program_or_interpreter(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    let elsewhere = tempfile::tempdir().expect("a temporary directory can be made");
    let outside = elsewhere.path().join("script");
    run_on(
        libc::MS_NOEXEC,
        |at| script(&outside, &at.join("probe")),
        |at| {
            let program = at.join("probe");
            let failed = failure(Command::new(&program).spawn_policy(launch));
            let denied = words(Errno::ACCES);
            assert_eq!(
                failed.to_string(),
                format!("cannot execute {program:?}: {denied}, because its file system is mounted noexec")
            );
            let failed = failure(Command::new(&outside).spawn_policy(launch));
            assert_eq!((failed.errno(), failed.cause().is_some()), (Errno::ACCES, true), "{failed}");
            println!("{failed}");
        },
    );
}
