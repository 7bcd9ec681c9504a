//! `--timeout`: how long the program may run, and what becomes of it then.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use clap::Args;
use forkexec::{Child, Command, Containment, Error};
use serde::Serialize;

use super::progress::Progress;
use super::watch::Watch;
use crate::duration;
use crate::exit::{Code, Failure};

// No doc comment: clap would take it for the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Time")]
#[group(skip)]
pub(super) struct Options {
    /// Send the program SIGTERM if it still runs after this time, and exit with 124 when it has ended
    ///
    /// A number with one of the units ms, s, m, h and d; seconds without one. 0 is no limit. A program that is stopped is
    /// continued, so that it sees the signal. Its own children do not get it, unless --kill-tree says so.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,

    /// Send it SIGKILL if it still runs so long after SIGTERM, and exit with 137
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, requires = "timeout")]
    kill_after: Option<Duration>,

    /// End all that descends from the program when its time is over, not the program alone
    ///
    /// All get SIGTERM, and SIGKILL after --kill-after, or 10 seconds if that is not given. The program gets a process
    /// group of its own, unless it is to be elsewhere: signals are forwarded to all of it, and it is the foreground group of
    /// the terminal if that of forkexec was. Where one can be made, the program gets a control group, too. A process leaves
    /// that only if its user may write to the control group above, as the user of forkexec may. Without a control group,
    /// processes that are found by descent are ended, too. One may be left that started a session or a group, and whose
    /// parent has ended.
    #[arg(long, requires = "timeout")]
    kill_tree: bool,

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
        if self.kill_tree {
            command.containment(Containment::Auto);
        }
    }

    /// Whether all that descends from the program is held together.
    pub(super) fn holds_tree(&self) -> bool {
        self.kill_tree
    }

    /// Waits for the end of the program, and ends it when its time is over.
    ///
    /// # Errors
    ///
    /// Those of [`Watch::wait`] and [`Child::send_signal`].
    pub(super) fn wait(
        &self,
        child: &mut Child,
        watch: &mut Watch,
        progress: &mut Progress,
    ) -> Result<(ExitStatus, Option<Overdue>), Failure> {
        let limit = self.timeout.filter(|limit| !limit.is_zero());
        if let Some(status) = watch.wait(child, end(limit), progress)? {
            return Ok((status, None));
        }
        if self.kill_tree {
            let ended = child.terminate_tree_then_kill(self.kill_after.unwrap_or(GRACE));
            let (status, _) = ended.map_err(|error| failed(&error))?;
            let was_killed = status.signal() == Some(libc::SIGKILL);
            return Ok((status, Some(if was_killed { Overdue::Killed } else { Overdue::Terminated })));
        }
        child.send_signal(libc::SIGTERM).map_err(|error| failed(&error))?;
        child.send_signal(libc::SIGCONT).map_err(|error| failed(&error))?;
        if let Some(status) = watch.wait(child, end(self.kill_after), progress)? {
            return Ok((status, Some(Overdue::Terminated)));
        }
        child
            .kill()
            .and_then(|()| child.wait())
            .map_err(|error| failed(&error))
            .map(|status| (status, Some(Overdue::Killed)))
    }

    /// Whether the program's own code counts, also where its time was over.
    pub(super) fn preserves_status(&self) -> bool {
        self.preserve_status
    }
}

/// A time that is too far away to be an instant is no limit.
fn end(limit: Option<Duration>) -> Option<Instant> {
    limit.and_then(|limit| Instant::now().checked_add(limit))
}

fn failed(error: &Error) -> Failure {
    Failure::new(Code::Refused, error.to_string())
}
