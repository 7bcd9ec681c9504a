//! A prepared command makes the same child at each spawn, whatever the parent changed in between.

use std::env;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use forkexec::{Command, InputError, Prepared, Stdio};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::Seen;
use forkexec_tests::world;
use rstest::rstest;

use crate::start::{high_memory_file, identity, is_cloexec, memory_file, probe, set_cloexec, table};

/// Starts the probe, and returns its report.
#[track_caller]
fn seen(prepared: &Prepared<'_>) -> Seen {
    let output = prepared.output().expect("the probe can be started");
    assert!(output.status.success(), "{output:?}");
    Seen::of(&output.stdout)
}

#[test]
fn every_spawn_is_the_same_and_consumes_nothing() {
    isolated(|| {
        let files = [3, 4, 70].map(|number| world::place(high_memory_file(), number));
        let mut command = probe(&["report"]);
        command.fd(4, &files[0]).fd(3, &files[1]).keep_fd(&files[2]).fd(71, &files[2]);
        let prepared = command.prepare().expect("it means something");
        let expected = [(3, &files[1]), (4, &files[0]), (70, &files[2]), (71, &files[2])];
        let expected = expected.map(|(number, file)| (number, identity(file)));
        assert_eq!(table(&seen(&prepared))[3..], expected);
        let before = Snapshot::take();
        for _ in 0..3 {
            assert_eq!(table(&seen(&prepared))[3..], expected);
        }
        assert_eq!(before.differences(&Snapshot::take()), [""; 0]);
    });
}

#[test]
fn new_pipe_on_a_target_number_is_moved_away() {
    isolated(|| {
        let file = high_memory_file();
        let mut command = probe(&["report"]);
        for target in 3..12 {
            command.fd(target, &file);
        }
        let prepared = command.prepare().expect("it means something");
        let expected: Vec<_> = (3..12).map(|target| (target, identity(&file))).collect();
        assert_eq!(table(&seen(&prepared))[3..], expected);
    });
}

/// Faults: M8
#[test]
fn prepared_command_uses_the_environment_of_its_preparation() {
    isolated(|| {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $FORKEXEC_PREPARED"]);
        // SAFETY: no other thread of this process uses the environment during the call.
        unsafe { env::set_var("FORKEXEC_PREPARED", "before") };
        let prepared = command.prepare().expect("it means something");
        let path = env::var_os("PATH");
        // SAFETY: as above.
        unsafe { env::set_var("FORKEXEC_PREPARED", "after") };
        // SAFETY: as above.
        unsafe { env::set_var("PATH", "/nowhere") };
        let said = prepared.output().expect("it is found where it was").stdout;
        // SAFETY: as above.
        unsafe { env::set_var("PATH", path.unwrap_or_default()) };
        assert_eq!(said, b"before\n");
    });
}

/// std locks the environment against its own functions, and each command takes a copy under that lock.
///
/// Faults: M8
#[test]
fn variables_that_change_meanwhile_are_whole_in_each_child() {
    isolated(|| {
        const NAME: &str = "FORKEXEC_CHANGING";
        let values = ["a", "b"].map(|letter| letter.repeat(3_000));
        // SAFETY: all code of this process goes through std.
        unsafe { env::set_var(NAME, &values[0]) };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // SAFETY: as above.
                    values.iter().for_each(|value| unsafe { env::set_var(NAME, value) });
                }
            });
            let strange = (0..100).filter(|_| {
                let seen = crate::start::report(&mut probe(&[]));
                !seen.var(NAME).is_some_and(|value| values.iter().any(|whole| value == whole.as_str()))
            });
            let strange = strange.count();
            done.store(true, Ordering::Relaxed);
            assert_eq!(strange, 0);
        });
    });
}

#[rstest]
fn kept_fd_is_inherited_whatever_its_flag_is_now(#[values(true, false)] cloexec_first: bool) {
    isolated(|| {
        let file = world::place(memory_file(), 30);
        if cloexec_first {
            set_cloexec(&file);
        }
        let mut command = probe(&["report"]);
        command.keep_fd(&file);
        let prepared = command.prepare().expect("it means something");
        set_cloexec(&file);
        assert_eq!((seen(&prepared).fds, is_cloexec(&file)), (vec![0, 1, 2, 30], true));
    });
}

#[test]
fn dropped_prepared_command_closes_the_fds_it_owns() {
    isolated(|| {
        let (directory, file) = (std::fs::File::open("/").expect("it is there"), memory_file());
        let it = identity(&file);
        let mut command = probe(&["report"]);
        command.fd(33, file).current_dir_fd(directory).stdin(Stdio::null()).keep_fd(memory_file());
        let prepared = command.into_prepared().expect("it means something");
        let [first, second] = [(); 2].map(|()| seen(&prepared));
        assert_eq!((table(&first).last(), &first.cwd), (Some(&(33, it)), &Some("/".into())));
        assert_eq!(first.fds, second.fds);
    });
}

#[test]
fn threads_spawn_one_prepared_command_with_separate_pipes() {
    isolated(|| {
        let mut command = Command::new("sh");
        command.args(["-c", "read line; echo $$ $line"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let prepared = command.into_prepared().expect("it means something");
        thread::scope(|scope| {
            for number in 0..8 {
                let prepared = &prepared;
                scope.spawn(move || {
                    for round in 0..20 {
                        let child = prepared.spawn().expect("it can be started");
                        let (pid, line) = (child.id(), format!("{number}-{round}"));
                        let output = child.communicate(line.as_bytes()).expect("it answers");
                        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{pid} {line}\n"));
                    }
                });
            }
        });
    });
}

#[test]
fn meaningless_setting_is_refused_when_prepared() {
    isolated(|| {
        let mut command = probe(&[]);
        command.fd(33, memory_file()).fd(33, memory_file());
        let refused = command.prepare().expect_err("a number cannot be had twice");
        assert!(matches!(refused, forkexec::Error::Input(InputError::ClaimedTwice { target: 33 })));
    });
}

/// In a parent without standard streams nothing that is held looks like one.
#[test]
fn prepared_command_occupies_no_standard_stream() {
    isolated(|| {
        let report = high_memory_file();
        let reopen = world::close_stdio(&[0, 1, 2]);
        let mut command = probe(&["report", "--to", "60"]);
        command.stdin(Stdio::null()).fd(60, &report);
        let prepared = command.prepare();
        // SAFETY: the command takes no argument.
        let open = [0, 1, 2].map(|fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0);
        let status = prepared.and_then(|prepared| prepared.status());
        drop((command, reopen));
        assert!(status.expect("it can be started").success());
        let seen = crate::start::written(&report);
        assert_eq!((open, seen.fds), ([false; 3], vec![0, 60]));
    });
}
