//! `--timeout`: ends a program that runs too long.

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

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Time")]
#[group(skip)]
pub(super) struct Options {
    /// Send SIGTERM to the program if it still runs after DURATION, and exit with 124
    ///
    /// DURATION is a number with one of the units ns, us, ms, s, m, h and d. The default unit is s. 0 means no limit, which
    /// is the default. A stopped program is continued, so that it can handle the signal. Without --kill-tree, children of the
    /// program do not get the signal. forkexec exits when the program has ended.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,

    /// Send SIGKILL if the program still runs DURATION after SIGTERM, and exit with 137
    ///
    /// Without it, SIGKILL is not sent, except with --kill-tree, where the default is 10s.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, requires = "timeout")]
    kill_after: Option<Duration>,

    /// When the time is over, end all descendants of the program, too
    ///
    /// All get SIGTERM, and after --kill-after SIGKILL. The program gets its own process group, unless another option sets
    /// its group. Signals are forwarded to the whole group. If the group of forkexec is in the foreground of the terminal,
    /// that of the program takes its place.
    ///
    /// If possible, the program also gets a control group. A process can leave the control group only if its user may write
    /// to the control group above it, as the user of forkexec may. Without a control group, forkexec finds descendants
    /// through their parents, and ends them, too. It can miss a process that started a session or a group, and whose parent
    /// has ended.
    #[arg(long, requires = "timeout")]
    kill_tree: bool,

    /// Exit with the exit code of the program even if its time was over
    #[arg(long, requires = "timeout")]
    preserve_status: bool,
}

/// The last signal that was sent to a program whose time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Overdue {
    Terminated,
    Killed,
}

/// The default time between `SIGTERM` and `SIGKILL` with `--kill-tree`.
const GRACE: Duration = Duration::from_secs(10);

impl Options {
    /// Contains the descendants of the program, if `--kill-tree` is given.
    pub(super) fn apply(&self, command: &mut Command) {
        if self.kill_tree {
            command.containment(Containment::Auto);
        }
    }

    /// Returns true if the descendants of the program are contained.
    pub(super) fn holds_tree(&self) -> bool {
        self.kill_tree
    }

    /// Waits for the program, and ends it when its time is over.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Watch::wait`] and [`Child::send_signal`].
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

    /// Returns true if the exit code of the program counts even if its time was over.
    pub(super) fn preserves_status(&self) -> bool {
        self.preserve_status
    }
}

/// Returns the end of a time limit. `None` if it is too far away to be an instant.
fn end(limit: Option<Duration>) -> Option<Instant> {
    limit.and_then(|limit| Instant::now().checked_add(limit))
}

fn failed(error: &Error) -> Failure {
    Failure::new(Code::Refused, error.to_string())
}
