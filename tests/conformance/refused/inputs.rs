//! Every input that is refused, and what is said of it.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{BorrowedFd, RawFd};

use forkexec::{Command, Resource, Stdio};
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
    |it: &mut Command<'_>| { it.args(["a", "b\0c"]); },
    r#"argument 3 ("b\0c") holds a NUL byte at position 1"#,
)]
// Faults: N26, E14
#[case::nul_in_the_zeroth_argument(
    |it: &mut Command<'_>| { it.arg0("\0"); },
    r#"argument 0 ("\0") holds a NUL byte at position 0"#,
)]
// Faults: N32, E14
#[case::nul_in_a_variables_name(
    |it: &mut Command<'_>| { it.env("A\0B", "c"); },
    r#"the environment variable "A\0B" holds a NUL byte"#,
)]
// Faults: N32, E14
#[case::nul_in_a_variables_value(
    |it: &mut Command<'_>| { it.env("A", "b\0c"); },
    r#"the environment variable "A" holds a NUL byte"#,
)]
// Faults: N31, E14
#[case::equals_sign_in_a_variables_name(
    |it: &mut Command<'_>| { it.env("A=B", "c"); },
    r#"the environment variable name "A=B" holds an equals sign"#,
)]
// Faults: N31
#[case::second_equals_sign_in_a_variables_name(
    |it: &mut Command<'_>| { it.env("=A=B", "c"); },
    r#"the environment variable name "=A=B" holds an equals sign"#,
)]
// Faults: N31, E14
#[case::variable_without_a_name(
    |it: &mut Command<'_>| { it.env("", "c"); },
    "an environment variable has an empty name",
)]
#[case::removed_variable_without_a_name(
    |it: &mut Command<'_>| { it.env_remove(""); },
    "an environment variable has an empty name",
)]
#[case::nul_in_the_directory(
    |it: &mut Command<'_>| { it.current_dir("a\0b"); },
    r#"the working directory "a\0b" holds a NUL byte"#,
)]
// Faults: N36
#[case::directory_without_a_name(
    |it: &mut Command<'_>| { it.current_dir(""); },
    "the working directory has an empty name",
)]
#[case::nul_in_the_root(
    |it: &mut Command<'_>| { it.chroot("a\0b"); },
    r#"the root directory "a\0b" holds a NUL byte"#,
)]
#[case::root_without_a_name(
    |it: &mut Command<'_>| { it.chroot(""); },
    "the root directory has an empty name",
)]
// Faults: N46, S13
#[case::umask(|it: &mut Command<'_>| { it.umask(0o1000); }, "umask 0o1000 is above 0o777")]
// Faults: N46, S13
#[case::umask_with_all_bits(
    |it: &mut Command<'_>| { it.umask(u32::MAX); },
    "umask 0o37777777777 is above 0o777",
)]
// Faults: N47
#[case::soft_limit_above_the_hard_one(
    |it: &mut Command<'_>| { it.rlimit(Resource::NOFILE, Some(20), Some(10)); },
    "the limit nofile: soft 20 is above hard 10",
)]
#[case::no_soft_limit_above_a_hard_one(
    |it: &mut Command<'_>| { it.rlimit(Resource::CORE, Some(0), Some(0)).rlimit(Resource::CORE, None, Some(10)); },
    "the limit core: soft 18446744073709551615 is above hard 10",
)]
#[case::nice_value_above_19(|it: &mut Command<'_>| { it.nice(20); }, "nice value 20 is outside -20 to 19")]
#[case::nice_value_below_minus_20(|it: &mut Command<'_>| { it.nice(-21); }, "nice value -21 is outside -20 to 19")]
// Faults: N43, S5
#[case::negative_group(|it: &mut Command<'_>| { it.process_group(-1); }, "process group -1 is negative")]
// Faults: N43, S5
#[case::lowest_group(
    |it: &mut Command<'_>| { it.process_group(i32::MIN); },
    "process group -2147483648 is negative",
)]
// Faults: N45, S5
#[case::session_and_another_group(
    |it: &mut Command<'_>| { it.setsid().process_group(7); },
    "the leader of a new session cannot join process group 7",
)]
// Faults: N45, S6
#[case::terminal_without_a_session(
    |it: &mut Command<'_>| { it.controlling_terminal(open()); },
    "a controlling terminal needs a new session",
)]
// Faults: N38, S10
#[case::user_minus_one(
    |it: &mut Command<'_>| { it.uid(u32::MAX).gid(1).groups([]); },
    r#"user 4294967295 means "leave unchanged" to the kernel and is no id"#,
)]
// Faults: N38, S10
#[case::group_minus_one(
    |it: &mut Command<'_>| { it.gid(u32::MAX); },
    r#"group 4294967295 means "leave unchanged" to the kernel and is no id"#,
)]
// Faults: N38, S10
#[case::supplementary_group_minus_one(
    |it: &mut Command<'_>| { it.groups([1, u32::MAX]); },
    r#"supplementary group 4294967295 means "leave unchanged" to the kernel and is no id"#,
)]
// Faults: N42
#[case::too_many_groups(
    |it: &mut Command<'_>| { it.groups(0..65_537); },
    "65537 supplementary groups are more than the 65536 that the system allows",
)]
// Faults: N48
#[case::signal_0_blocked(|it: &mut Command<'_>| { it.signal_mask([0]); }, "signal 0 cannot be blocked")]
// Faults: N48
#[case::signal_minus_1_blocked(|it: &mut Command<'_>| { it.signal_mask([-1]); }, "signal -1 cannot be blocked")]
// Faults: N48
#[case::signal_65_blocked(|it: &mut Command<'_>| { it.signal_mask([15, 65]); }, "signal 65 cannot be blocked")]
// Faults: N48
#[case::sigkill_blocked(|it: &mut Command<'_>| { it.signal_mask([libc::SIGKILL]); }, "signal 9 cannot be blocked")]
// Faults: N48
#[case::sigstop_blocked(|it: &mut Command<'_>| { it.signal_mask([libc::SIGSTOP]); }, "signal 19 cannot be blocked")]
#[case::signal_0_ignored(|it: &mut Command<'_>| { it.ignore_signal(0); }, "signal 0 cannot be ignored")]
#[case::signal_65_ignored(|it: &mut Command<'_>| { it.ignore_signal(65); }, "signal 65 cannot be ignored")]
// Faults: N48
#[case::sigkill_ignored(|it: &mut Command<'_>| { it.ignore_signal(libc::SIGKILL); }, "signal 9 cannot be ignored")]
// Faults: N48
#[case::sigstop_ignored(|it: &mut Command<'_>| { it.ignore_signal(libc::SIGSTOP); }, "signal 19 cannot be ignored")]
#[case::death_signal_0(|it: &mut Command<'_>| { it.die_with_parent(0); }, "signal 0 cannot be sent")]
#[case::death_signal_65(|it: &mut Command<'_>| { it.die_with_parent(65); }, "signal 65 cannot be sent")]
// Faults: N11
#[case::target_minus_1(
    |it: &mut Command<'_>| { it.map_fd(open(), -1); },
    "descriptor -1 cannot be a target: the descriptor limit allows 0 to 99",
)]
// Faults: N11, D6
#[case::target_at_the_limit(
    |it: &mut Command<'_>| { it.map_fd(open(), 100); },
    "descriptor 100 cannot be a target: the descriptor limit allows 0 to 99",
)]
// Faults: N11
#[case::highest_target(
    |it: &mut Command<'_>| { it.map_fd(open(), i32::MAX); },
    "descriptor 2147483647 cannot be a target: the descriptor limit allows 0 to 99",
)]
// Faults: N12
#[case::two_sources_of_one_target(
    |it: &mut Command<'_>| { it.map_fd(open(), 7).map_fd(memory_file(), 7); },
    "descriptor 7 is claimed twice",
)]
#[case::socket_name_with_a_colon(
    |it: &mut Command<'_>| { it.listen_fd(open(), "a:b"); },
    r#"the socket name "a:b" is not printable ASCII without a colon, of 255 bytes at most"#,
)]
#[case::socket_name_with_a_nul(
    |it: &mut Command<'_>| { it.listen_fd(open(), "a\0"); },
    r#"the socket name "a\0" is not printable ASCII without a colon, of 255 bytes at most"#,
)]
#[case::socket_on_a_target(
    |it: &mut Command<'_>| { it.map_fd(open(), 3).listen_fd(memory_file(), "http"); },
    "descriptor 3 is claimed twice",
)]
// Faults: N7
#[case::target_that_is_kept(
    |it: &mut Command<'_>| { it.map_fd(memory_file(), 60).keep_fd(open()); },
    "descriptor 60 is claimed twice",
)]
// Faults: N15
#[case::target_that_is_a_pipe(
    |it: &mut Command<'_>| { it.map_fd(open(), 0).stdin(Stdio::piped()); },
    "descriptor 0 is claimed twice",
)]
#[case::target_that_is_inherited_by_word(
    |it: &mut Command<'_>| { it.map_fd(open(), 2).stderr(Stdio::inherit()); },
    "descriptor 2 is claimed twice",
)]
// Faults: N6
#[case::kept_stream_that_is_null(
    |it: &mut Command<'_>| { it.keep_fd(number(0)).stdin(Stdio::null()); },
    "descriptor 0 is claimed twice",
)]
// Faults: N1, D8
#[case::kept_descriptor_that_is_closed(
    |it: &mut Command<'_>| { it.keep_fd(number(CLOSED)); },
    "descriptor 99 is not open",
)]
// Faults: N10
#[case::source_that_is_closed(
    |it: &mut Command<'_>| { it.map_fd(number(CLOSED), 7); },
    "descriptor 99 is not open",
)]
// Faults: N37
#[case::directory_that_is_closed(
    |it: &mut Command<'_>| { it.current_dir_fd(number(CLOSED)); },
    "descriptor 99 is not open",
)]
#[case::terminal_that_is_closed(
    |it: &mut Command<'_>| { it.setsid().controlling_terminal(number(CLOSED)); },
    "descriptor 99 is not open",
)]
#[case::foreground_terminal_that_is_closed(
    |it: &mut Command<'_>| { it.foreground(number(CLOSED)); },
    "descriptor 99 is not open",
)]
fn bad_input_is_reported_and_nothing_starts(#[case] ask: Ask, #[case] text: &str) {
    isolated(|| {
        world::set_limit(libc::RLIMIT_NOFILE, 100, 1000).expect("a limit can be lowered");
        let mut command = probe(&["true"]);
        ask(&mut command);
        assert_refused(&mut command, ErrorKind::InvalidInput, text);
    });
}
