//! Commands of std's that this library starts: what a child finds, beside what it finds when std starts it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use forkexec::{Error, InputError, StdCommandExt};
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world;
use rstest::rstest;

/// A command of std's that reports.
fn reporting(set: fn(&mut Command)) -> Command {
    let mut command = Command::new(probe::path());
    command.arg("report");
    set(&mut command);
    command
}

fn seen(output: &[u8]) -> Seen {
    Seen::parse(str::from_utf8(output).expect("a report is ASCII"))
}

#[rstest]
#[case::nothing_more(|_: &mut Command| {})]
#[case::arguments(|it: &mut Command| { it.args(["", "a b", "\n    uid: 0,", "é"]); })]
#[case::variables(|it: &mut Command| { it.env("NAME", "a=b").env_remove("PATH").env("EMPTY", ""); })]
#[case::no_variables(|it: &mut Command| { it.env("NAME", "value").env_clear(); })]
#[case::few_variables(|it: &mut Command| { it.env_clear().env("NAME", "value"); })]
#[case::a_directory(|it: &mut Command| { it.current_dir("/usr"); })]
#[case::streams(|it: &mut Command| { it.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()); })]
fn a_child_finds_what_it_would_find_by_std(#[case] set: fn(&mut Command)) {
    isolated(|| {
        let mut command = reporting(set);
        let by_us = seen(&command.output_exact().expect("it starts").stdout);
        let by_std = seen(&command.output().expect("it starts").stdout);
        assert_eq!(
            (by_us.args, by_us.env, by_us.cwd, by_us.fds),
            (by_std.args, by_std.env, by_std.cwd, by_std.fds)
        );
    });
}

#[test]
fn piped_streams_are_in_the_child() {
    isolated(|| {
        let mut command = Command::new(probe::path());
        command.args(["exit", "3"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn_exact().expect("it starts");
        assert!(child.stdin.is_some() && child.stdout.is_none() && child.stderr.is_some());
        assert_eq!(child.wait().expect("it ends").code(), Some(3));
        assert_eq!(command.status_exact().expect("it ends").code(), Some(3));
    });
}

#[test]
fn what_is_inheritable_is_not_inherited() {
    isolated(|| {
        let _open = world::open_many(3);
        let command = reporting(|_| {});
        assert_eq!(seen(&command.output_exact().expect("it starts").stdout).fds, [0, 1, 2]);
    });
}

#[rstest]
#[case::a_file(|it: &mut Command| { it.stdin(File::open("/dev/null").expect("it is there")); }, "a standard input")]
#[case::a_name(|it: &mut Command| { it.arg0("other"); }, "a zeroth argument")]
#[case::a_user(|it: &mut Command| { it.uid(0); }, "a user id")]
#[case::a_process_group(|it: &mut Command| { it.process_group(0); }, "a process group")]
#[case::a_nul(|it: &mut Command| { it.arg("a\0b"); }, "a string with a NUL byte")]
fn what_std_hides_is_refused_and_nothing_starts(#[case] set: fn(&mut Command), #[case] what: &str) {
    isolated(|| {
        let command = reporting(set);
        let refused = [
            command.spawn_exact().map(drop).expect_err("it is refused"),
            command.status_exact().map(drop).expect_err("it is refused"),
            command.output_exact().map(drop).expect_err("it is refused"),
            command.to_exact().map(drop).expect_err("it is refused"),
        ];
        for error in refused {
            let Error::Input(InputError::HiddenByStd { what: hidden }) = &error else { panic!("{error}") };
            assert!(hidden.starts_with(what), "{error}");
        }
    });
}

#[test]
fn a_name_with_an_equals_sign_is_refused_as_it_would_be_here() {
    isolated(|| {
        let command = reporting(|it| {
            it.env("A=B", "c");
        });
        let error = command.status_exact().expect_err("it is refused");
        assert!(matches!(error, Error::Input(InputError::EqualsInEnvName { .. })), "{error}");
    });
}
