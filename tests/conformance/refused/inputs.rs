//! Every refused input, and its error.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{BorrowedFd, RawFd};

use forkexec::{BorrowingCommand, Resource, Stdio};
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;
use rstest::rstest;

use super::{Ask, assert_refused};
use crate::start::{memory_file, probe};

/// A number that is not open here.
const CLOSED: RawFd = 99;

fn number<'fd>(fd: RawFd) -> BorrowedFd<'fd> {
    // SAFETY: nothing reads or writes it; that it is not open is the point of most of these tests.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

fn open() -> File {
    world::place(memory_file(), 60).into()
}

#[rstest]
// Faults: N26, E14
#[case::nul_in_an_argument(
    |it: &mut BorrowingCommand<'_>| { it.args(["a", "b\0c"]); },
    r#"cannot pass argument 3 ("b\0c"): it contains a NUL byte at position 1"#,
)]
// Faults: N26, E14
#[case::nul_in_the_zeroth_argument(
    |it: &mut BorrowingCommand<'_>| { it.arg0("\0"); },
    r#"cannot pass argument 0 ("\0"): it contains a NUL byte at position 0"#,
)]
// Faults: N32, E14
#[case::nul_in_a_variables_name(
    |it: &mut BorrowingCommand<'_>| { it.env("A\0B", "c"); },
    r#"cannot set or remove the environment variable "A\0B": it contains a NUL byte"#,
)]
// Faults: N32, E14
#[case::nul_in_a_variables_value(
    |it: &mut BorrowingCommand<'_>| { it.env("A", "b\0c"); },
    r#"cannot set or remove the environment variable "A": it contains a NUL byte"#,
)]
// Faults: N31, E14
#[case::equals_sign_in_a_variables_name(
    |it: &mut BorrowingCommand<'_>| { it.env("A=B", "c"); },
    r#"cannot set or remove the environment variable "A=B": its name contains an equals sign"#,
)]
// Faults: N31
#[case::second_equals_sign_in_a_variables_name(
    |it: &mut BorrowingCommand<'_>| { it.env("=A=B", "c"); },
    r#"cannot set or remove the environment variable "=A=B": its name contains an equals sign"#,
)]
// Faults: N31, E14
#[case::variable_without_a_name(
    |it: &mut BorrowingCommand<'_>| { it.env("", "c"); },
    "cannot set or remove an environment variable: its name is empty",
)]
#[case::removed_variable_without_a_name(
    |it: &mut BorrowingCommand<'_>| { it.env_remove(""); },
    "cannot set or remove an environment variable: its name is empty",
)]
#[case::nul_in_the_directory(
    |it: &mut BorrowingCommand<'_>| { it.current_dir("a\0b"); },
    r#"cannot enter the working directory "a\0b": the path contains a NUL byte"#,
)]
// Faults: N36
#[case::directory_without_a_name(
    |it: &mut BorrowingCommand<'_>| { it.current_dir(""); },
    "cannot enter the working directory: its path is empty",
)]
#[case::nul_in_the_root(
    |it: &mut BorrowingCommand<'_>| { it.chroot("a\0b"); },
    r#"cannot enter the root directory "a\0b": the path contains a NUL byte"#,
)]
#[case::root_without_a_name(
    |it: &mut BorrowingCommand<'_>| { it.chroot(""); },
    "cannot enter the root directory: its path is empty",
)]
// Faults: N46, S13
#[case::umask(|it: &mut BorrowingCommand<'_>| { it.umask(0o1000); }, "cannot set the umask (0o1000): the maximum is 0o777")]
// Faults: N46, S13
#[case::umask_with_all_bits(
    |it: &mut BorrowingCommand<'_>| { it.umask(u32::MAX); },
    "cannot set the umask (0o37777777777): the maximum is 0o777",
)]
// Faults: N47
#[case::soft_limit_above_the_hard_one(
    |it: &mut BorrowingCommand<'_>| { it.rlimit(Resource::NOFILE, Some(20), Some(10)); },
    "cannot set the resource limit (nofile=20:10): the soft limit is above the hard limit",
)]
#[case::no_soft_limit_above_a_hard_one(
    |it: &mut BorrowingCommand<'_>| { it.rlimit(Resource::CORE, Some(0), Some(0)).rlimit(Resource::CORE, None, Some(10)); },
    "cannot set the resource limit (core=unlimited:10): the soft limit is above the hard limit",
)]
#[case::nice_value_above_19(|it: &mut BorrowingCommand<'_>| { it.nice(20); }, "cannot set the nice value (20): the range is -20 to 19")]
#[case::nice_value_below_minus_20(|it: &mut BorrowingCommand<'_>| { it.nice(-21); }, "cannot set the nice value (-21): the range is -20 to 19")]
// Faults: N43, S5
#[case::negative_group(|it: &mut BorrowingCommand<'_>| { it.process_group(-1); }, "cannot join the process group (-1): the number is negative")]
// Faults: N43, S5
#[case::lowest_group(
    |it: &mut BorrowingCommand<'_>| { it.process_group(i32::MIN); },
    "cannot join the process group (-2147483648): the number is negative",
)]
// Faults: N45, S5
#[case::session_and_another_group(
    |it: &mut BorrowingCommand<'_>| { it.setsid().process_group(7); },
    "cannot join the process group (7): the leader of a new session cannot leave its own group",
)]
// Faults: N45, S6
#[case::terminal_without_a_session(
    |it: &mut BorrowingCommand<'_>| { it.controlling_terminal(open()); },
    "cannot set the controlling terminal: only the leader of a new session can; call setsid",
)]
// Faults: N38, S10
#[case::user_minus_one(
    |it: &mut BorrowingCommand<'_>| { it.uid(u32::MAX).gid(1).groups([]); },
    r#"cannot set the user id (4294967295): to the kernel this number means "leave unchanged""#,
)]
// Faults: N38, S10
#[case::group_minus_one(
    |it: &mut BorrowingCommand<'_>| { it.gid(u32::MAX); },
    r#"cannot set the group id (4294967295): to the kernel this number means "leave unchanged""#,
)]
// Faults: N38, S10
#[case::supplementary_group_minus_one(
    |it: &mut BorrowingCommand<'_>| { it.groups([1, u32::MAX]); },
    r#"cannot set the supplementary group id (4294967295): to the kernel this number means "leave unchanged""#,
)]
// Faults: N42
#[case::too_many_groups(
    |it: &mut BorrowingCommand<'_>| { it.groups(0..65_537); },
    "cannot set 65537 supplementary groups: the system allows 65536",
)]
// Faults: N48
#[case::signal_0_blocked(|it: &mut BorrowingCommand<'_>| { it.signal_mask([0]); }, "cannot block signal 0: it is not a signal that a process can block")]
// Faults: N48
#[case::signal_minus_1_blocked(|it: &mut BorrowingCommand<'_>| { it.signal_mask([-1]); }, "cannot block signal -1: it is not a signal that a process can block")]
// Faults: N48
#[case::signal_65_blocked(|it: &mut BorrowingCommand<'_>| { it.signal_mask([15, 65]); }, "cannot block signal 65: it is not a signal that a process can block")]
// Faults: N48
#[case::sigkill_blocked(|it: &mut BorrowingCommand<'_>| { it.signal_mask([libc::SIGKILL]); }, "cannot block signal 9: it is not a signal that a process can block")]
// Faults: N48
#[case::sigstop_blocked(|it: &mut BorrowingCommand<'_>| { it.signal_mask([libc::SIGSTOP]); }, "cannot block signal 19: it is not a signal that a process can block")]
#[case::signal_0_ignored(|it: &mut BorrowingCommand<'_>| { it.ignore_signal(0); }, "cannot ignore signal 0: it is not a signal that a process can ignore")]
#[case::signal_65_ignored(|it: &mut BorrowingCommand<'_>| { it.ignore_signal(65); }, "cannot ignore signal 65: it is not a signal that a process can ignore")]
// Faults: N48
#[case::sigkill_ignored(|it: &mut BorrowingCommand<'_>| { it.ignore_signal(libc::SIGKILL); }, "cannot ignore signal 9: it is not a signal that a process can ignore")]
// Faults: N48
#[case::sigstop_ignored(|it: &mut BorrowingCommand<'_>| { it.ignore_signal(libc::SIGSTOP); }, "cannot ignore signal 19: it is not a signal that a process can ignore")]
#[case::death_signal_0(|it: &mut BorrowingCommand<'_>| { it.die_with_parent(0); }, "cannot send signal 0: it is not a signal that a process can send")]
#[case::death_signal_65(|it: &mut BorrowingCommand<'_>| { it.die_with_parent(65); }, "cannot send signal 65: it is not a signal that a process can send")]
#[case::watchdog_without_time(
    |it: &mut BorrowingCommand<'_>| { it.watchdog(std::time::Duration::from_nanos(999)); },
    "cannot set the watchdog interval (999ns): the minimum is 1 microsecond",
)]
// Faults: N11
#[case::target_minus_1(
    |it: &mut BorrowingCommand<'_>| { it.fd(-1, open()); },
    "cannot map a descriptor to fd -1: the descriptor limit allows 0 to 99",
)]
// Faults: N11, D6
#[case::target_at_the_limit(
    |it: &mut BorrowingCommand<'_>| { it.fd(100, open()); },
    "cannot map a descriptor to fd 100: the descriptor limit allows 0 to 99",
)]
// Faults: N11
#[case::highest_target(
    |it: &mut BorrowingCommand<'_>| { it.fd(i32::MAX, open()); },
    "cannot map a descriptor to fd 2147483647: the descriptor limit allows 0 to 99",
)]
// Faults: N12
#[case::two_sources_of_one_target(
    |it: &mut BorrowingCommand<'_>| { it.fd(7, open()).fd(7, memory_file()); },
    "cannot pass fd 7 to the child: it is claimed twice",
)]
#[case::socket_name_with_a_colon(
    |it: &mut BorrowingCommand<'_>| { it.listen_fd(open(), "a:b"); },
    r#"cannot name the socket "a:b": a name is printable ASCII without a colon, at most 255 bytes"#,
)]
#[case::socket_name_with_a_nul(
    |it: &mut BorrowingCommand<'_>| { it.listen_fd(open(), "a\0"); },
    r#"cannot name the socket "a\0": a name is printable ASCII without a colon, at most 255 bytes"#,
)]
#[case::socket_on_a_target(
    |it: &mut BorrowingCommand<'_>| { it.fd(3, open()).listen_fd(memory_file(), "http"); },
    "cannot pass fd 3 to the child: it is claimed twice",
)]
// Faults: N7
#[case::target_that_is_kept(
    |it: &mut BorrowingCommand<'_>| { it.fd(60, memory_file()).keep_fd(open()); },
    "cannot pass fd 60 to the child: it is claimed twice",
)]
// Faults: N15
#[case::target_that_is_a_pipe(
    |it: &mut BorrowingCommand<'_>| { it.fd(0, open()).stdin(Stdio::piped()); },
    "cannot pass fd 0 to the child: it is claimed twice",
)]
#[case::target_that_is_inherited_by_word(
    |it: &mut BorrowingCommand<'_>| { it.fd(2, open()).stderr(Stdio::inherit()); },
    "cannot pass fd 2 to the child: it is claimed twice",
)]
// Faults: N6
#[case::kept_stream_that_is_null(
    |it: &mut BorrowingCommand<'_>| { it.keep_fd(number(0)).stdin(Stdio::null()); },
    "cannot pass fd 0 to the child: it is claimed twice",
)]
// Faults: N1, D8
#[case::kept_descriptor_that_is_closed(
    |it: &mut BorrowingCommand<'_>| { it.keep_fd(number(CLOSED)); },
    "cannot use fd 99: it is not open",
)]
// Faults: N10
#[case::source_that_is_closed(
    |it: &mut BorrowingCommand<'_>| { it.fd(7, number(CLOSED)); },
    "cannot use fd 99: it is not open",
)]
// Faults: N37
#[case::directory_that_is_closed(
    |it: &mut BorrowingCommand<'_>| { it.current_dir_fd(number(CLOSED)); },
    "cannot use fd 99: it is not open",
)]
#[case::terminal_that_is_closed(
    |it: &mut BorrowingCommand<'_>| { it.setsid().controlling_terminal(number(CLOSED)); },
    "cannot use fd 99: it is not open",
)]
#[case::foreground_terminal_that_is_closed(
    |it: &mut BorrowingCommand<'_>| { it.foreground(number(CLOSED)); },
    "cannot use fd 99: it is not open",
)]
fn bad_input_is_reported_and_nothing_starts(#[case] ask: Ask, #[case] text: &str) {
    isolated(|| {
        world::set_limit(libc::RLIMIT_NOFILE, 100, 1000).expect("a limit can be lowered");
        let mut command = probe(&["true"]);
        ask(&mut command);
        assert_refused(&mut command, ErrorKind::InvalidInput, text);
    });
}
