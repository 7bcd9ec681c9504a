//! The report that a child writes for `subprocess`, without an interpreter.

#[path = "../src/error_pipe.rs"]
#[expect(dead_code, reason = "the reporter itself is exercised by the contract suite")]
mod error_pipe;

use error_pipe::{Text, write_all};
use forkexec_core::{Errno, Report, Stage};
use rstest::rstest;
use std::cell::{Cell, RefCell};

#[rstest]
#[case::exec(Stage::Exec, 2, false, "OSError:2:")]
#[case::lower_case(Stage::Exec, 13, false, "OSError:d:")]
#[case::two_digits(Stage::Exec, 40, false, "OSError:28:")]
#[case::closing_is_after_the_closure(Stage::Close, 75, false, "OSError:4b:")]
#[case::placing(Stage::DupFds, 9, true, "OSError:9:noexec")]
#[case::mask(Stage::Mask, 22, true, "OSError:16:noexec")]
#[case::chdir(Stage::EarlyChdir, 2, false, "OSError:2:noexec")]
#[case::chdir_named(Stage::EarlyChdir, 2, true, "OSError:2:noexec:chdir")]
#[case::closure(Stage::PreExec, 125, false, "SubprocessError:0:Exception occurred in preexec_fn.")]
#[case::longest(Stage::EarlyChdir, i32::MAX, true, "OSError:7fffffff:noexec:chdir")]
fn report_has_the_form_that_subprocess_expects(
    #[case] stage: Stage,
    #[case] errno: i32,
    #[case] names_chdir: bool,
    #[case] expected: &str,
) {
    let report = Report { stage, errno: Errno::from_raw(errno), operand: 0 };
    assert_eq!(Text::of(report, names_chdir).as_bytes(), expected.as_bytes());
}

/// Returns the written bytes if the calls of write(2) return these results. After the last one, each call writes everything.
fn written(answers: &[Result<usize, Errno>]) -> Vec<u8> {
    let (calls, arrived) = (Cell::new(0), RefCell::new(Vec::new()));
    write_all(b"OSError:2:", |rest| {
        let answer = answers.get(calls.get()).copied().unwrap_or(Ok(rest.len()));
        calls.set(calls.get() + 1);
        arrived.borrow_mut().extend_from_slice(&rest[..answer.unwrap_or(0)]);
        answer
    });
    arrived.into_inner()
}

#[rstest]
#[case::at_once(&[], b"OSError:2:")]
#[case::interrupted(&[Err(Errno::INTR), Err(Errno::INTR)], b"OSError:2:")]
#[case::in_pieces(&[Ok(3), Err(Errno::INTR), Ok(6)], b"OSError:2:")]
#[case::no_reader(&[Ok(3), Err(Errno::PIPE)], b"OSE")]
#[case::nothing_is_taken(&[Ok(0)], b"")]
fn interrupted_write_continues(#[case] answers: &[Result<usize, Errno>], #[case] expected: &[u8]) {
    assert_eq!(written(answers), expected);
}
