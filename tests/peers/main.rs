//! A test for each row of docs/what-others-get-wrong.md: std, and forkexec with the same command. If one fails, std has
//! changed, and the page must change.

#![cfg(any(target_os = "linux", target_os = "android"))]

use forkexec::{BorrowingCommand, Command, Error, Stage};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world;
use nix::sys::signal::{SigSet, Signal};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process;

fn seen(report: &[u8]) -> Seen {
    Seen::of(report)
}

#[test]
fn std_child_inherits_every_inheritable_descriptor() {
    isolated(|| {
        let _leaked = world::place(File::open("/dev/null").unwrap(), 50);
        let std = process::Command::new(probe::path()).arg("report").output().unwrap();
        assert_eq!(seen(&std.stdout).fds, [0, 1, 2, 50]);
        let ours = probe::command(&["report"]).output().unwrap();
        assert_eq!(seen(&ours.stdout).fds, [0, 1, 2]);
    });
}

/// A mapping on top of std can only be a closure, which does not know the number of std's own report channel.
#[test]
fn std_reports_success_if_a_mapping_hits_its_error_pipe() {
    isolated(|| {
        let null = File::open("/dev/null").unwrap();
        let source = null.as_raw_fd();
        let lost = (3..=12).filter(|&target| {
            let mut command = process::Command::new("/no/such/program");
            command.stderr(process::Stdio::null());
            let map = move || {
                // SAFETY: dup2 is async-signal-safe; the target is the child's to lose.
                match unsafe { libc::dup2(source, target) } {
                    -1 => Err(io::Error::last_os_error()),
                    _ => Ok(()),
                }
            };
            // SAFETY: as above.
            unsafe { command.pre_exec(map) };
            command.spawn().is_ok_and(|mut child| child.wait().unwrap().signal() == Some(libc::SIGABRT))
        });
        assert!(lost.count() > 0, "std's channel was not hit by any target");

        for target in 3..=12 {
            let error = BorrowingCommand::new("/no/such/program").fd(target, &null).spawn().unwrap_err();
            assert_eq!(error.as_spawn().map(forkexec::SpawnError::stage), Some(Stage::Exec));
        }
    });
}

#[test]
fn std_reports_three_missing_files_alike() {
    isolated(|| {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        fs::write(&script, "#!/no/such/interpreter\n").unwrap();
        fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
        let missing = Path::new("/no/such/directory");

        let std = [
            process::Command::new("/no/such/program").spawn(),
            process::Command::new("true").current_dir(missing).spawn(),
            process::Command::new(&script).spawn(),
        ];
        for answer in std {
            assert_eq!(answer.unwrap_err().to_string(), "No such file or directory (os error 2)");
        }

        let ours: [Result<_, Error>; 3] = [
            Command::new("/no/such/program").spawn(),
            Command::new("true").current_dir(missing).spawn(),
            Command::new(&script).spawn(),
        ];
        let ours = ours.map(|answer| answer.unwrap_err().to_string());
        assert_eq!(
            ours[0],
            "cannot execute \"/no/such/program\": No such file or directory (os error 2), because the program does not exist"
        );
        assert_eq!(
            ours[1],
            "cannot enter the working directory \"/no/such/directory\": No such file or directory (os error 2)"
        );
        assert!(
            ours[2].ends_with("because the script's interpreter \"/no/such/interpreter\" does not exist"),
            "{}",
            ours[2]
        );
    });
}

#[test]
fn std_runs_a_script_without_first_line_depending_on_a_closure() {
    isolated(|| {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        fs::write(&script, "exit 7\n").unwrap();
        fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();

        let plain = process::Command::new(&script).status().map_err(|error| error.raw_os_error());
        assert_eq!(plain.unwrap_err(), Some(libc::ENOEXEC));
        let mut with_closure = process::Command::new(&script);
        // SAFETY: the closure does nothing.
        unsafe { with_closure.pre_exec(|| Ok(())) };
        let with_closure = with_closure.status().ok().and_then(|status| status.code());
        assert_eq!(with_closure, if cfg!(target_env = "gnu") { Some(7) } else { None });

        for closure in [false, true] {
            let mut command = Command::new(&script);
            if closure {
                // SAFETY: the closure does nothing.
                unsafe { command.pre_exec(|| Ok(())) };
            }
            let error = command.spawn().unwrap_err();
            // A closure can change the meaning of paths, so no cause is sought after one.
            let end = if closure { "(os error 8)" } else { "a script starts with a line such as #!/bin/sh" };
            assert!(error.to_string().ends_with(end), "{error}");
        }
    });
}

#[test]
fn std_child_inherits_the_blocked_signals_of_its_thread() {
    isolated(|| {
        let term = SigSet::from(Signal::SIGTERM);
        term.thread_block().unwrap();
        let std = process::Command::new(probe::path()).arg("report").output().unwrap();
        let ours = probe::command(&["report"]).output().unwrap();
        term.thread_unblock().unwrap();
        assert_eq!(seen(&std.stdout).blocked, [libc::SIGTERM]);
        assert!(seen(&ours.stdout).blocked.is_empty());
    });
}

#[test]
fn std_leaves_a_user_without_privilege_in_the_group_of_root() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root can change the user");
        }
        let directory = world::empty_chroot();
        let probe = directory.path().join("probe");
        let std = process::Command::new(&probe).arg("report").uid(65_534).output().unwrap();
        assert_eq!(seen(&std.stdout).gids, probe::Ids::all(0));
        let refused = Command::new(&probe).arg("report").uid(65_534).output().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "cannot set the user id (65534): the child would keep the parent's group; call gid or keep_groups"
        );
    });
}
