//! Errors of `run` for bad options. The message names the option and the value as typed.

use assert_cmd::Command;
use predicates::prelude::*;
use rstest::rstest;

fn complains(options: &[&str], message: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forkexec"));
    let complaint = predicate::str::contains(message).and(predicate::str::contains("panicked").not());
    let never = "/no/such/program"; // a start would exit with 127
    command.arg("run").args(options).args(["--", never]).assert().code(125).stdout("").stderr(complaint);
}

#[rstest]
// Faults: N2
#[case::negative("-1", "\"-1\" is not a file descriptor number")]
// Faults: N3
#[case::trailing_text("5x", "\"5x\" is not a file descriptor number")]
// Faults: N3
#[case::empty("", "\"\" is not a file descriptor number")]
// Faults: N3
#[case::one_too_high("2147483648", "2147483648 is above the highest file descriptor number")]
// Faults: N3
#[case::far_too_high("1000000000000", "1000000000000 is above the highest file descriptor number")]
// Faults: N9
#[case::backwards("9-3", "3 is below 9")]
// Faults: N9
#[case::open_range("3-", "\"\" is not a file descriptor number")]
// Faults: N9
#[case::range_to_text("3-x", "\"x\" is not a file descriptor number")]
#[case::empty_part("0,", "\"\" is not a file descriptor number")]
fn keep_refuses_bad_numbers_and_ranges(#[case] value: &str, #[case] message: &str) {
    let typed = value.rsplit(',').next().unwrap_or_default();
    complains(&["--keep", value], &format!("invalid value '{typed}' for '--keep <FDS>': {message}"));
}

#[rstest]
#[case::no_target("--map", "3", "expected SOURCE:TARGET")]
// Faults: N11
#[case::negative_target("--map", "3:-1", "\"-1\" is not a file descriptor number")]
#[case::three_parts("--map", "3:4:5", "\"4:5\" is not a file descriptor number")]
// Faults: N46
#[case::mask_digit("--umask", "9", "expected octal digits")]
// Faults: N46
#[case::mask_prefix("--umask", "0x12", "expected octal digits")]
// Faults: N46
#[case::mask_bits("--umask", "1000", "the maximum is 777")]
// Faults: N47
#[case::unknown_limit("--limit", "foo=1", "there is no resource \"foo\" on this system; the resources are ")]
#[case::no_bound("--limit", "nofile", "expected NAME=SOFT[:HARD]")]
#[case::neither_bound("--limit", "nofile=:", "expected a soft limit, a hard limit or both")]
#[case::unit_of_a_count("--limit", "nofile=1K", "\"1K\" is neither a number nor \"unlimited\"")]
#[case::unit_of_time("--limit", "cpu=1K", "\"1K\" is neither a number, in s, m, h or d, nor \"unlimited\"")]
#[case::bound_above_all("--limit", "nofile=18446744073709551615", "18446744073709551615 is too large")]
#[case::bound_of_text("--limit", "nofile=x", "\"x\" is neither a number nor \"unlimited\"")]
// Faults: N47
#[case::soft_above_hard("--limit", "nofile=2:1", "the soft limit is above the hard limit")]
// Faults: N39
#[case::user_below_zero("--user", "-1", "expected a number from 0 to 4294967294")]
// Faults: N38
#[case::user_that_means_unchanged("--user", "4294967295", "expected a number from 0 to 4294967294")]
// Faults: N39
#[case::user_too_high("--user", "4294967296", "expected a number from 0 to 4294967294")]
// Faults: N39
#[case::no_user("--user", "", "expected a number or a name")]
#[case::group_below_zero("--group", "-1", "expected a number from 0 to 4294967294")]
#[case::group_in_a_list("--groups", "1,-1", "expected a number from 0 to 4294967294")]
#[case::nice_too_high("--nice", "20", "20 is not in -20..=19")]
#[case::nice_of_text("--nice", "x", "invalid digit found in string")]
// Faults: N43
#[case::group_of_processes("--pgroup", "-5", "-5 is not in 0..=2147483647")]
#[case::signal_name("--ignore-signal", "NOTHING", "there is no signal \"NOTHING\"")]
#[case::signal_in_a_list("--block-signals", "TERM,NOTHING", "there is no signal \"NOTHING\"")]
#[case::stream("--stdin", "pipe", "expected inherit, null, closed or file:PATH")]
#[case::stream_without_a_file(
    "--stdout",
    "file:",
    "expected inherit, null, closed, stderr, file:PATH or append:PATH"
)]
#[case::variable("--env", "A", "expected NAME=VALUE")]
// Faults: N31
#[case::variable_without_a_name("--env", "=b", "the name is empty")]
#[case::terminal("--ctty", "x", "\"x\" is not a file descriptor number")]
#[case::no_processor("--cpus", "", "\"\" is not the number of a processor")]
#[case::processor_too_high("--cpus", "0-8192", "8192 is above the highest processor, 8191")]
#[case::processors_backwards("--cpus", "3-1", "1 is below 3")]
#[case::processors_without_a_step("--cpus", "0-3:0", "\"0-3:0\" has a step that is not a number from 1 up")]
#[case::policy("--scheduler", "fifo", "expected a number from 1 to 99 after the colon")]
#[case::policy_with_a_priority(
    "--scheduler",
    "batch:1",
    "expected other, batch, idle, fifo:N, rr:N or deadline:RUN:END:PERIOD"
)]
#[case::io_level("--io-priority", "best-effort:8", "expected a number from 0 to 7 after the colon")]
#[case::io_class("--io-priority", "2", "expected idle, best-effort[:N] or realtime[:N]")]
#[case::slack_without_a_unit("--timer-slack", "50", "\"50\" has no unit: expected ns, us, ms or s")]
#[case::no_slack("--timer-slack", "0ms", "the shortest slack is 1ns")]
#[case::oom_score("--oom-score-adj", "1001", "1001 is not in -1000..=1000")]
#[case::capability("--ambient-capabilities", "chown,nothing", "there is no capability \"nothing\"")]
#[case::all_capabilities("--inheritable-capabilities", "all", "expected none or names")]
#[case::all_with_a_name("--bounding-capabilities", "all,chown", "there is no capability \"chown\"")]
#[case::securebit("--securebits", "noroot,keep-caps", "there is no securebit \"keep-caps\"")]
#[case::ruleset("--landlock", "-1", "\"-1\" is not a file descriptor number")]
fn bad_value_is_named_in_the_error(#[case] option: &str, #[case] value: &str, #[case] message: &str) {
    complains(&[option, value], &format!("invalid value '{value}' for '{option} <"));
    complains(&[option, value], &format!(": {message}"));
}

#[rstest]
// Faults: N1
#[case::closed_keep(&["--keep", "99"], "--keep 99: cannot use fd 99: it is not open")]
#[case::closed_in_a_range(&["--keep", "0-99"], "--keep 0-99: cannot use fd ")]
#[case::range_of_all(&["--keep", "0-2147483647"], "is not open")]
// Faults: N10
#[case::closed_source(&["--map", "99:3"], "--map 99:3: cannot use fd 99: it is not open")]
// Faults: N37
#[case::closed_directory(&["--chdir-fd", "99"], "--chdir-fd 99: cannot use fd 99: it is not open")]
#[case::closed_terminal(&["--setsid", "--ctty", "99"], "--ctty 99: cannot use fd 99: it is not open")]
#[case::closed_foreground(&["--foreground", "99"], "--foreground 99: cannot use fd 99: it is not open")]
// Faults: N11
#[case::target_above_the_limit(&["--map", "0:2147483647"], "--map 0:2147483647: cannot map a descriptor to fd 2147483647: the descriptor limit allows 0 to ")]
// Faults: N12
#[case::two_mappings(&["--map", "0:7", "--map", "1:7"], "cannot pass fd 7 to the child: it is claimed twice, by --map 0:7 and --map 1:7")]
// Faults: N7
#[case::keep_and_mapping(&["--keep", "1", "--map", "0:1"], "cannot pass fd 1 to the child: it is claimed twice, by --keep 1 and --map 0:1")]
// Faults: N15
#[case::mapping_and_stream(&["--map", "1:0", "--stdin", "null"], "cannot pass fd 0 to the child: it is claimed twice, by --map 1:0 and --stdin")]
// Faults: N6
#[case::keep_and_stream(&["--keep", "0", "--stdin", "null"], "cannot pass fd 0 to the child: it is claimed twice, by --keep 0 and --stdin")]
// Faults: N39
#[case::no_such_user(&["--user", "nosuch"], "--user: cannot look up the user \"nosuch\": it does not exist")]
#[case::no_such_group(&["--group", "nosuch"], "--group nosuch: cannot look up the group: it does not exist")]
#[case::no_such_group_in_a_list(&["--groups", "0,nosuch"], "--groups nosuch: cannot look up the group: it does not exist")]
#[case::hard_limit_below_the_soft_one(&["--limit", "nofile=20:", "--limit", "nofile=:10"], "--limit: cannot set the resource limit (nofile=20:10): the soft limit is above the hard limit")]
#[case::no_such_namespace(&["--setns", "/no/such"], "--setns /no/such: cannot open the namespace: No such file or directory")]
#[case::pid_namespace(
    &["--setns", "/proc/self/ns/pid", "--die-with-parent", "TERM"],
    "--setns with --die-with-parent: cannot enter the namespaces"
)]
#[case::clock_without_a_time_namespace(
    &["--unshare", "net", "--boottime-offset", "1"], "--monotonic-offset, --boottime-offset: cannot set the clock offsets"
)]
#[case::map_without_a_user_namespace(&["--unshare", "net", "--map-user", "0"], "--map-user, --map-group: cannot map the ids")]
#[case::no_such_file(&["--stdin", "file:/no/such"], "--stdin: cannot open \"/no/such\": No such file or directory")]
#[case::no_such_directory(&["--stdout", "file:/no/such"], "--stdout: cannot open \"/no/such\": No such file or directory")]
#[case::closed_program(&["--executable", "99"], "--executable 99: cannot use fd 99: it is not open")]
#[case::closed_ruleset(&["--landlock", "99"], "--landlock 99: cannot use fd 99: it is not open")]
#[case::no_such_filter(&["--seccomp", "/no/such"], "--seccomp: cannot read \"/no/such\": No such file or directory")]
#[case::directory_as_filter(&["--seccomp", "/"], "--seccomp: cannot read \"/\": Is a directory")]
#[case::empty_filter(&["--seccomp", "/dev/null"], "--seccomp: cannot install the seccomp filter (0): the range is 1 to 4096")]
#[case::endless_filter(&["--seccomp", "/dev/zero"], "--seccomp: cannot install the seccomp filter (4097): the range is 1 to 4096")]
// Faults: N48
#[case::signal_zero(&["--block-signals", "0"], "--block-signals: cannot block signal 0: it is not a signal that a process can block")]
// Faults: N48
#[case::signal_too_high(&["--ignore-signal", "65"], "--ignore-signal: cannot ignore signal 65: it is not a signal that a process can ignore")]
// Faults: N48
#[case::signal_of_the_c_library(&["--block-signals", "32"], "--block-signals: cannot block signal 32: it is not a signal that a process can block")]
// Faults: N48
#[case::kill_cannot_be_blocked(&["--block-signals", "KILL"], "--block-signals: cannot block SIGKILL: it is not a signal that a process can block")]
// Faults: N48
#[case::stop_cannot_be_ignored(&["--ignore-signal", "STOP"], "--ignore-signal: cannot ignore SIGSTOP: it is not a signal that a process can ignore")]
#[case::no_signal_to_send(&["--die-with-parent", "-1"], "--die-with-parent: cannot send signal -1: it is not a signal that a process can send")]
// Faults: N45
#[case::leader_in_another_group(&["--setsid", "--pgroup", "5"], "--pgroup with --setsid: cannot join the process group (5): the leader of a new session cannot leave its own group")]
// Faults: N31
#[case::name_with_an_equals_sign(&["--unset", "A=B"], "--unset: cannot set or remove the environment variable \"A=B\": its name contains an equals sign")]
fn impossible_option_is_refused_before_the_start(#[case] options: &[&str], #[case] message: &str) {
    complains(options, message);
}

#[rstest]
// Faults: N45
#[case::terminal_without_a_session(&["--ctty", "0"], "--setsid")]
#[case::two_directories(&["--chdir", "/", "--chdir-fd", "0"], "'--chdir <DIR>' cannot be used with '--chdir-fd <FD>'")]
#[case::inherit_and_close(&["--inherit-all", "--close-strategy", "loop"], "'--inherit-all' cannot be used with '--close-strategy <STRATEGY>'")]
#[case::unknown_link(&["--close-strategy", "top"], "[possible values: bulk, enumerate, loop]")]
#[case::unknown_policy(&["--ignored-signals", "all"], "[possible values: restore, restore-all, keep]")]
#[case::unknown_report(&["--report=xml"], "[possible values: text, json]")]
// Faults: N36
#[case::without_a_name(&["--chdir", ""], "a value is required for '--chdir <DIR>'")]
#[case::log_without_a_filter(&["--seccomp-log"], "--seccomp <FILE>")]
#[case::mistyped(&["--kep", "3"], "unexpected argument '--kep' found")]
fn conflicting_options_are_usage_errors(#[case] options: &[&str], #[case] message: &str) {
    complains(options, message);
}

/// Faults: N40
#[test]
fn user_without_groups_is_refused() {
    if forkexec_tests::world::is_root() {
        let refused = "--user 1234: cannot set the user id: the program would keep the group of forkexec";
        complains(&["--user", "1234"], &format!("{refused}; add --group or --keep-groups"));
    }
}

/// Faults: N17
#[test]
fn program_is_required() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forkexec"));
    command.arg("run").assert().code(125).stderr(predicate::str::contains("<PROGRAM>"));
}
