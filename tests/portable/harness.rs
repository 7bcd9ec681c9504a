//! Runs cases one by one in this process, and checks that each leaves it unchanged.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::{child, surroundings};

/// A name, and the case.
pub(crate) type Case = (&'static str, fn());

/// The cases of a module, by name.
macro_rules! cases {
    ($module:ident: $($case:ident),* $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($case)), crate::$module::$case)),*]
    };
}
pub(crate) use cases;

/// The option with which all cases start their children by fork(2).
const BY_FORK: &str = "--by-fork";

const SKIPPED_LOG: &str = "FORKEXEC_SKIPPED_LOG";
/// An emulator on a busy machine takes its time.
const LIMIT: Duration = Duration::from_mins(10);

static SKIPPED: AtomicBool = AtomicBool::new(false);

/// Prints that a case proves nothing here, and the reason. The caller returns afterwards.
pub(crate) fn skip(reason: &str) {
    SKIPPED.store(true, Relaxed);
    say(&format!("SKIPPED {reason}"));
}

/// A line on the output.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Runs the cases whose names contain one of the filters, or all, with the output of cargo's own harness.
/// Options begin with `-`. Those that are unknown are ignored, because runners pass those of cargo's harness.
pub(crate) fn run(cases: &[&[Case]], filters: &[String]) -> i32 {
    if filters.iter().any(|option| option == "--list") {
        return list(cases, filters.iter().any(|option| option == "--ignored"));
    }
    child::BY_FORK.store(filters.iter().any(|option| option == BY_FORK), Relaxed);
    surroundings::settle();
    #[cfg(forkexec_release = "environment")]
    forkexec_tests::android::install_if_told();
    thread::spawn(|| {
        thread::sleep(LIMIT);
        say("test result: FAILED. The suite did not end in time");
        process::exit(101);
    });
    let filters: Vec<_> = filters.iter().filter(|filter| !filter.starts_with('-')).collect();
    let is_chosen =
        |case: &&Case| filters.is_empty() || filters.iter().any(|it| case.0.contains(it.as_str()));
    let all: Vec<_> = cases.iter().copied().flatten().collect();
    let chosen: Vec<_> = all.iter().copied().filter(is_chosen).collect();
    say(&format!("\nrunning {} tests", chosen.len()));
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for case in &chosen {
        match outcome(case) {
            Outcome::Passed => passed += 1,
            Outcome::Skipped => skipped += 1,
            Outcome::Failed => failed += 1,
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let out = all.len() - chosen.len();
    say(&format!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; {out} filtered out\n"
    ));
    if failed == 0 { 0 } else { 101 }
}

/// Lists the names, for runners that start each case by itself. No case is ignored.
fn list(cases: &[&[Case]], ignored: bool) -> i32 {
    for (name, _) in cases.iter().copied().flatten().filter(|_| !ignored) {
        say(&format!("{name}: test"));
    }
    0
}

enum Outcome {
    Passed,
    Skipped,
    Failed,
}

fn outcome(&(name, case): &Case) -> Outcome {
    SKIPPED.store(false, Relaxed);
    let before = descriptors();
    let caught = panic::catch_unwind(AssertUnwindSafe(case));
    let complaint = match caught {
        Err(_) => Some("panicked".to_owned()),
        Ok(()) => left_behind(&before),
    };
    let (outcome, word) = match complaint {
        Some(complaint) => (Outcome::Failed, format!("FAILED: {complaint}")),
        None if SKIPPED.load(Relaxed) => (Outcome::Skipped, "ignored".to_owned()),
        None => (Outcome::Passed, "ok".to_owned()),
    };
    say(&format!("test {name} ... {word}"));
    if matches!(outcome, Outcome::Skipped) {
        log(name);
    }
    outcome
}

/// The open descriptors, without those that the library reserves.
fn descriptors() -> Vec<i32> {
    let reserved = forkexec::low_fds();
    child::open_descriptors().into_iter().filter(|fd| !reserved.contains(fd)).collect()
}

/// Returns what a case left in this process.
fn left_behind(before: &[i32]) -> Option<String> {
    let after = descriptors();
    if after != before {
        return Some(format!("descriptors {before:?} became {after:?}"));
    }
    // SAFETY: all children belong to the test, and the status is not requested.
    let child = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
    (child != -1).then(|| "a child is left".to_owned())
}

/// The script that runs all suites counts the skipped cases.
fn log(name: &str) {
    if let Some(path) = env::var_os(SKIPPED_LOG) {
        let file = File::options().append(true).create(true).open(path);
        let noted = file.and_then(|mut file| writeln!(file, "SKIPPED portable: {name}"));
        noted.expect("the log of skipped tests can be written");
    }
}
