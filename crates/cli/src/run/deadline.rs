//! `--timeout`: how long the program may run, and what becomes of it then.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use clap::Args;
use forkexec::{Child, Command, Error, Tree};
use serde::Serialize;

use super::progress::Progress;
use crate::duration;

// No doc comment: clap would take it for the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Time")]
#[group(skip)]
pub(super) struct Options {
    /// Send the program SIGTERM if it still runs after this time, and exit with 124 when it has ended
    ///
    /// A number with one of the units ms, s, m, h and d; seconds without one. 0 is no limit. A program that is stopped is
    /// continued, so that it sees the signal. Its own children do not get it, unless --tree says so.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,

    /// Send it SIGKILL if it still runs so long after SIGTERM, and exit with 137
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, requires = "timeout")]
    kill_after: Option<Duration>,

    /// End all that descends from the program when its time is over, not the program alone
    ///
    /// All get SIGTERM, and SIGKILL after --kill-after, or 10 seconds if that is not given. The program gets a process
    /// group of its own, unless it is to be elsewhere, and where one can be made a control group: nobody leaves that. Without
    /// one, who is found by descent is ended, too; a process may be left that started a session or a group, and whose
    /// parent has ended.
    #[arg(long, requires = "timeout")]
    tree: bool,

    /// Exit as the program does, also where its time was over
    #[arg(long, requires = "timeout")]
    preserve_status: bool,
}

/// What was sent to a program whose time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Overdue {
    Terminated,
    Killed,
}

/// How long descendants have between the two signals, unless something else is said.
const GRACE: Duration = Duration::from_secs(10);

impl Options {
    /// Has all that descends from the program held together, if all of it is to be ended.
    pub(super) fn apply(&self, command: &mut Command<'_>) {
        if self.tree {
            command.tree(Tree::Best);
        }
    }

    /// Whether the program is in a process group of its own for that.
    pub(super) fn leaves_group(&self) -> bool {
        self.tree
    }

    /// Waits for the end of the program, and sees to it where its time is over.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait_timeout`] and [`Child::signal`].
    pub(super) fn wait(
        &self,
        child: &mut Child,
        progress: &mut Progress,
    ) -> Result<(ExitStatus, Option<Overdue>), Error> {
        if let Some(status) = wait_for(child, self.timeout.filter(|limit| !limit.is_zero()), progress)? {
            return Ok((status, None));
        }
        if self.tree {
            let (status, _) = child.terminate_tree_then_kill(self.kill_after.unwrap_or(GRACE))?;
            let was_killed = status.signal() == Some(libc::SIGKILL);
            return Ok((status, Some(if was_killed { Overdue::Killed } else { Overdue::Terminated })));
        }
        child.signal(libc::SIGTERM)?;
        child.signal(libc::SIGCONT)?;
        if let Some(status) = wait_for(child, self.kill_after, progress)? {
            return Ok((status, Some(Overdue::Terminated)));
        }
        child.kill()?;
        Ok((child.wait()?, Some(Overdue::Killed)))
    }

    /// Whether the program's own code counts, also where its time was over.
    pub(super) fn preserves_status(&self) -> bool {
        self.preserve_status
    }
}

/// Waits so long, or without a limit.
fn wait_for(
    child: &mut Child,
    limit: Option<Duration>,
    progress: &mut Progress,
) -> Result<Option<ExitStatus>, Error> {
    // What is too far away to be an instant is no limit.
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let rest = end.map(|end| end.saturating_duration_since(Instant::now()));
        let Some(step) = rest.into_iter().chain(progress.period()).min() else {
            return child.wait().map(Some);
        };
        if let Some(status) = child.wait_timeout(step)? {
            return Ok(Some(status));
        }
        if rest.is_some_and(|rest| rest <= step) {
            return Ok(None);
        }
        progress.draw();
    }
}
