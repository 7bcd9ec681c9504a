//! strace's list.

use rstest::rstest;

use forkexec_tests::isolate::isolated;
use forkexec_tests::{probe, trace};

#[test]
fn program_is_traced_from_exec_to_exit() {
    isolated(|| {
        if let Some(calls) = trace::syscalls_of(probe::path(), ["exit", "3"]) {
            let ends = (calls.first().map(trace::Call::name), calls.last().map(trace::Call::name));
            assert_eq!(ends, (Some("execve"), Some("exit_group")));
        }
    });
}

#[rstest]
#[case::whole("7  close(3) = 0", &[(7, "close(3) = 0")])]
#[case::interrupted(
    "7 vfork( <unfinished ...>\n8 close(3) = 0\n7 <... vfork resumed>) = 8",
    &[(7, "vfork() = 8"), (8, "close(3) = 0")],
)]
#[case::signals_and_ends("7 --- SIGCHLD {} ---\n7 +++ exited with 0 +++", &[])]
#[case::never_resumed("7 exit_group(0 <unfinished ...>", &[(7, "exit_group(0")])]
fn lines_of_strace_are_parsed(#[case] list: &str, #[case] calls: &[(i32, &str)]) {
    let read = trace::parse(list);
    assert_eq!(read.iter().map(|call| (call.pid, call.text.as_str())).collect::<Vec<_>>(), calls);
}
