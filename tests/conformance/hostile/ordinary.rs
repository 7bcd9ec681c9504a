//! The checks that hold in all surroundings: every child has exactly what it was given, and a missing program is an
//! error.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use forkexec::{BorrowingCommand, CloseStrategy, Errno, SpawnPolicy, Stage, Stdio};
use forkexec_tests::probe::Seen;
use forkexec_tests::world;

use crate::start::{failure, seen};

/// Descriptors that no child is to have but one, and a program to start.
pub(super) struct Ordinary {
    program: PathBuf,
    files: [OwnedFd; 3],
}

/// Sets an additional option.
type Ask = fn(&mut BorrowingCommand<'_>);

/// Returns true if a child has the option.
type Has = fn(&Seen) -> bool;

const OPEN: [i32; 3] = [60, 61, 500];

impl Ordinary {
    pub(super) fn new(program: &Path) -> Self {
        let null = File::open("/dev/null").expect("it is there");
        Self { program: program.to_owned(), files: OPEN.map(|number| world::place(&null, number)) }
    }

    /// Starts children by each method, and checks each. Those with the additional option must have it.
    pub(super) fn check(&self, ask: Ask, has: Has) {
        for launch in [SpawnPolicy::Auto, SpawnPolicy::Fork] {
            for link in [CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop] {
                for session in [false, true] {
                    self.check_one(launch, link, session, (ask, has));
                }
            }
        }
    }

    fn check_one(&self, launch: SpawnPolicy, link: CloseStrategy, session: bool, (ask, has): (Ask, Has)) {
        let command = |program: &Path| {
            let mut command = BorrowingCommand::new(program);
            command.arg("report").spawn_policy(launch).close_strategy(link).keep_fd(&self.files[1]);
            // There may be no `/dev/null`.
            command.stdin(Stdio::inherit());
            if session {
                command.setsid();
            }
            ask(&mut command);
            command
        };
        let seen = seen(&mut command(&self.program));
        let how = format!("{launch:?}, {link:?}, session {session}");
        assert_eq!(seen.fds, [0, 1, 2, OPEN[1]], "{how}");
        assert!(has(&seen), "{how}: {seen:?}");
        let failure = failure(&mut command(Path::new("/no/such/program")));
        assert_eq!((failure.stage(), failure.errno()), (Stage::Exec, Errno::NOENT), "{how}");
    }
}

/// Sets no additional option.
pub(super) fn nothing(_: &mut BorrowingCommand<'_>) {}

/// Accepts any child.
pub(super) fn anything(_: &Seen) -> bool {
    true
}
