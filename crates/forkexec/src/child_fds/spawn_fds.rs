//! The descriptors that differ between starts: the pipes of the standard streams, and the low numbers that
//! high descriptors are relocated to.

use crate::child_fds::layout::{FIRST_SOURCE, Layout, ROOM, Relocation};
use crate::child_fds::low_fds::{self, HIGH, LowFd};
use crate::error::{SpawnError, failed};
use crate::sys::fd::{self, duplicate};
use crate::sys::system;
use forkexec_core::{Access, Fd, LaunchError, Plan, Reopen, Report, Stage};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The descriptors of one start. The drop closes, in the parent, those that only the child needs.
pub(crate) struct SpawnFds {
    /// The numbers that the child uses.
    numbers: [Fd; ROOM],
    /// The numbers before relocation.
    before: [Fd; ROOM],
    child_ends: [Option<OwnedFd>; 3],
    parent_ends: [Option<OwnedFd>; 3],
    low_fds: [Option<LowFd<'static>>; ROOM],
}

/// The steps that create the pipes, for error messages.
const PIPES: [&str; 3] = [
    "create the pipe for standard input",
    "create the pipe for standard output",
    "create the pipe for standard error",
];

impl SpawnFds {
    /// Opens the pipes of the layout, and relocates high sources. All get numbers that `plan` does not claim,
    /// because its moves were ordered without knowing them.
    pub(crate) fn open(layout: &Layout, plan: &Plan<'_>) -> Result<Self, SpawnError> {
        Self::open_unless_taken(layout, plan, system::may_take)
    }

    /// Opens the pipes, and relocates the high sources that `may_take` excludes.
    fn open_unless_taken(
        layout: &Layout,
        plan: &Plan<'_>,
        may_take: impl Fn(bool) -> bool,
    ) -> Result<Self, SpawnError> {
        let mut spawn_fds = Self {
            numbers: layout.known_ends(),
            before: layout.known_ends(),
            child_ends: [None, None, None],
            parent_ends: [None, None, None],
            low_fds: [const { None }; ROOM],
        };
        for index in (0..FIRST_SOURCE).filter(|&index| layout.piped[index]) {
            let (child_ends, parent_ends) = pipe(index, layout.capacities[index])?;
            let child_ends = off_the_targets(child_ends, plan)?;
            spawn_fds.before[index] = child_ends.as_raw_fd();
            spawn_fds.child_ends[index] = Some(child_ends);
            spawn_fds.parent_ends[index] = Some(parent_ends);
        }
        spawn_fds.numbers = spawn_fds.before;
        if let Some(relocation) = layout.relocation.as_ref().filter(|_| system::shares_table()) {
            // If the child cannot take one that stays, it takes none.
            let takes_any = relocation.floor < HIGH || may_take(false);
            let takes = |fd, index| takes_any && may_take(index < FIRST_SOURCE || Some(fd) == layout.null);
            spawn_fds.relocate(relocation, takes, plan);
        }
        Ok(spawn_fds)
    }

    /// Relocates every descriptor above the highest one that the child needs in any case, unless the child can
    /// take it from this process. Relocates none if one of them gets no number: a single one that stays costs
    /// as much as all of them.
    fn relocate(&mut self, relocation: &Relocation, takes: impl Fn(Fd, usize) -> bool, plan: &Plan<'_>) {
        if relocation.highest_kept.is_some_and(|kept| kept > fd::highest_target()) {
            return;
        }
        let before = self.before;
        let is_relocated = |&index: &usize| before[index] > relocation.floor && !takes(before[index], index);
        for index in (0..ROOM).filter(is_relocated) {
            // SAFETY: `child_ends` owns the pipes. The command owns or borrows the other sources, and outlives
            // its layout.
            let source = unsafe { BorrowedFd::borrow_raw(self.before[index]) };
            self.low_fds[index] = low_fds::acquire(source, |number| !plan.claims(number));
            let Some(low_fd) = &self.low_fds[index] else {
                self.low_fds = [const { None }; ROOM];
                self.numbers = self.before;
                return;
            };
            self.numbers[index] = low_fd.number();
        }
    }

    /// Returns the descriptors that the child may open anew: the pipes of this start, and `/dev/null`.
    pub(crate) fn reopen(&self, layout: &Layout) -> [Reopen; FIRST_SOURCE + 1] {
        let pipe = |index: usize, access| Reopen { fd: self.numbers[index], access };
        let null = Reopen { fd: layout.null.unwrap_or(-1), access: Access::ReadWrite };
        [pipe(0, Access::Read), pipe(1, Access::Write), pipe(2, Access::Write), null]
    }

    /// Returns the `ends` of the plan.
    pub(crate) fn numbers(&self) -> &[Fd; ROOM] {
        &self.numbers
    }

    /// Takes the parent's ends of the pipes.
    pub(crate) fn take_parent_ends(&mut self) -> [Option<OwnedFd>; 3] {
        std::mem::take(&mut self.parent_ends)
    }

    /// Replaces a low number in a child's report by the number that the caller knows.
    pub(crate) fn as_known(&self, error: LaunchError) -> LaunchError {
        match error {
            LaunchError::Child(report) if report.stage == Stage::DupFds => {
                let index = self.numbers.iter().position(|&number| number == report.operand);
                let operand = index.map_or(report.operand, |index| self.before[index]);
                LaunchError::Child(Report { operand, ..report })
            }
            other => other,
        }
    }
}

/// Sets the capacity of a pipe.
pub(crate) fn set_capacity(pipe: &File, bytes: usize) -> Result<(), SpawnError> {
    system::set_pipe_capacity(pipe.as_fd(), bytes)
        .map_err(|error| failed("set the capacity of a pipe", &error))
}

/// Opens a pipe, and returns the child's end and the parent's end. The child reads standard input and writes
/// the others.
fn pipe(index: usize, capacity: Option<usize>) -> Result<(OwnedFd, OwnedFd), SpawnError> {
    let (reader, writer) = fd::pipe().map_err(|error| failed(PIPES[index], &error))?;
    if let Some(bytes) = capacity {
        set_capacity(&writer, bytes)?;
    }
    Ok(if index == 0 { (reader.into(), writer.into()) } else { (writer.into(), reader.into()) })
}

/// Moves a descriptor to a number that no step of the plan overwrites.
pub(crate) fn off_the_targets(mut fd: OwnedFd, plan: &Plan<'_>) -> Result<OwnedFd, SpawnError> {
    while plan.claims(fd.as_raw_fd()) {
        fd = duplicate(&fd, fd.as_raw_fd() + 1)?;
    }
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::SpawnFds;
    use crate::child_fds::low_fds::{HIGH, LOW_NUMBERS, reserve_low_fds};
    use crate::command::Command;
    use crate::config::settings::SpawnPolicy;
    use crate::config::stdio::Stdio;
    use crate::prepare::checked::CheckedCommand;
    use crate::spawn::planned;
    use crate::sys::fd::pipe;
    use forkexec_core::{Errno, Fd, LaunchError, Report, Stage};
    use std::fs::File;
    use std::os::fd::AsRawFd;

    /// Returns the numbers of the descriptors of one start whose child may take none.
    fn spawn_fds(prepared: &CheckedCommand<'_>) -> Vec<Fd> {
        spawn_fds_unless_taken(prepared, |_| false)
    }

    /// `may_take` tells whether the child may take a descriptor, by whether it may open its file anew.
    fn spawn_fds_unless_taken(prepared: &CheckedCommand<'_>, may_take: impl Fn(bool) -> bool) -> Vec<Fd> {
        let spawn_fds =
            planned(prepared, |plan| SpawnFds::open_unless_taken(&prepared.layout, plan, may_take));
        let spawn_fds = spawn_fds.expect("pipes can be made");
        spawn_fds.numbers.into_iter().filter(|&number| number >= 0).collect()
    }

    /// Raises the soft descriptor limit to the usual 1,024, as far as the hard limit allows.
    fn raise_descriptor_limit() {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: getrlimit(2) writes the structure, which outlives the call.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
        limit.rlim_cur = limit.rlim_max.min(limit.rlim_cur.max(1_024));
        // SAFETY: setrlimit(2) reads the structure, which outlives the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    }

    /// Opens enough pipes that the next number is high.
    fn crowd() -> Vec<File> {
        raise_descriptor_limit();
        (0..HIGH + 2).map(|_| pipe().expect("a pipe can be made").0).collect()
    }

    /// Repeats `attempt` until it holds. Another test of this process may close a low number meanwhile, and
    /// then a pipe that should be high is not. If the code is wrong, every attempt fails.
    fn holds_undisturbed(attempt: impl Fn() -> Result<(), String>) {
        let _alone = LOW_NUMBERS.lock();
        reserve_low_fds(16).expect("a pipe can be made");
        let mut outcomes = (0..100).map(|_| attempt());
        assert!(outcomes.any(|outcome| outcome.is_ok()), "{:?}", attempt());
    }

    #[test]
    fn high_numbers_are_relocated_where_that_helps() {
        holds_undisturbed(|| {
            let crowd = crowd();
            let kept = crowd.last().expect("there are some");
            let mut command = Command::new("true");
            command.keep_fd(kept).stdout(Stdio::piped());
            let relocated = spawn_fds(&command.prepare().expect("it means something").checked);
            command.inherit_all();
            let inherited = spawn_fds(&command.prepare().expect("it means something").checked);
            command.close_strategy(crate::CloseStrategy::Bulk).spawn_policy(SpawnPolicy::Fork);
            let forked = spawn_fds(&command.prepare().expect("it means something").checked);
            let low = relocated.iter().all(|&fd| fd < HIGH) == crate::sys::system::shares_table();
            // A kept descriptor is not in `spawn_fds` if the table is inherited whole or copied.
            let high =
                [&inherited, &forked].iter().all(|spawn_fds| spawn_fds.len() == 1 && spawn_fds[0] >= HIGH);
            (low && high).then_some(()).ok_or(format!("{relocated:?} {inherited:?} {forked:?}"))
        });
    }

    /// No other program has a position in a new pipe, so that the child may open it anew.
    #[test]
    fn pipe_that_the_child_opens_anew_keeps_its_number() {
        holds_undisturbed(|| {
            let _crowd = crowd();
            let mut command = Command::new("true");
            command.stdout(Stdio::piped());
            let prepared = command.prepare().expect("it means something");
            let numbers = spawn_fds_unless_taken(&prepared.checked, |is_opened_anew| is_opened_anew);
            numbers.iter().all(|&fd| fd >= HIGH).then_some(()).ok_or(format!("{numbers:?}"))
        });
    }

    /// The child knows only the low number.
    #[test]
    fn error_of_a_relocated_descriptor_has_the_number_of_the_caller() {
        let mut command = Command::new("true");
        command.stdout(Stdio::piped());
        let prepared = command.prepare().expect("it means something");
        let layout = &prepared.checked.layout;
        let mut spawn_fds =
            planned(&prepared.checked, |plan| SpawnFds::open(layout, plan)).expect("pipes can be made");
        (spawn_fds.before[1], spawn_fds.numbers[1]) = (700, 40);
        let known = |stage, operand| {
            let report = Report { stage, errno: Errno::BADF, operand };
            match spawn_fds.as_known(LaunchError::Child(report)) {
                LaunchError::Child(report) => report.operand,
                _ => 0,
            }
        };
        assert_eq!(known(Stage::DupFds, 40), 700);
        assert_eq!(known(Stage::DupFds, 41), 41, "this one was not relocated");
        assert_eq!(known(Stage::Exec, 40), 40, "the operand of this stage is no descriptor");
    }

    /// Relocation gains nothing if the child keeps a file with a higher number than all others.
    #[test]
    fn nothing_is_relocated_below_the_highest_kept_file() {
        holds_undisturbed(|| {
            let crowd = crowd();
            let kept = crowd.last().expect("there are some");
            let file = tempfile::tempfile().expect("a file can be made");
            let file = nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(900))
                .expect("below the limit");
            // SAFETY: fcntl(2) just opened the descriptor, and nothing else owns it.
            let file = unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(file) };
            let mut command = Command::new("true");
            command.keep_fd(kept).fd(5, &file).stdout(Stdio::piped());
            let spawn_fds = spawn_fds(&command.prepare().expect("it means something").checked);
            let high = spawn_fds.iter().all(|&fd| fd >= HIGH)
                && (spawn_fds.len() == 1 || spawn_fds[1] == kept.as_raw_fd());
            high.then_some(()).ok_or(format!("{spawn_fds:?}"))
        });
    }
}
