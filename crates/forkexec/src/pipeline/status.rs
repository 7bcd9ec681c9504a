//! The exit statuses of a pipeline.

use std::process::ExitStatus;

/// The exit status of each command of a [`Pipeline`](crate::Pipeline).
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Pipeline};
///
/// let mut sh = Command::new("sh");
/// let status = Pipeline::new(sh.args(["-c", "exit 3"])).pipe(Command::new("true")).status()?;
/// assert!(status.success() && status.last().success());
/// assert_eq!(status.pipefail().code(), Some(3));
/// assert_eq!(status.failures().map(|(index, _)| index).collect::<Vec<_>>(), [0]);
/// assert_eq!(status.as_slice().len(), 2);
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineStatus(Vec<ExitStatus>);

impl PipelineStatus {
    /// Takes at least one status.
    pub(super) fn new(statuses: Vec<ExitStatus>) -> Self {
        Self(statuses)
    }

    /// Returns the statuses, in the order of the commands.
    ///
    /// # Examples
    ///
    /// See [`PipelineStatus`].
    pub fn as_slice(&self) -> &[ExitStatus] {
        &self.0
    }

    /// Returns the status of the last command, which is the status of a pipeline in a shell.
    ///
    /// # Panics
    ///
    /// Never: a pipeline has at least one command.
    ///
    /// # Examples
    ///
    /// See [`PipelineStatus`].
    pub fn last(&self) -> ExitStatus {
        *self.0.last().expect("a pipeline has a command")
    }

    /// Returns true if the last command succeeded, whatever the others did.
    ///
    /// # Examples
    ///
    /// See [`PipelineStatus`].
    pub fn success(&self) -> bool {
        self.last().success()
    }

    /// Returns the status of the last command that failed, or a successful one if none failed. This is the
    /// status of a shell's pipeline with `pipefail`.
    ///
    /// A command that `SIGPIPE` ended, because the next one stopped reading, has failed.
    ///
    /// # Examples
    ///
    /// See [`PipelineStatus`].
    pub fn pipefail(&self) -> ExitStatus {
        self.failures().last().map_or_else(|| self.last(), |(_, status)| status)
    }

    /// Returns the commands that failed: the index of each in the pipeline, and its status.
    ///
    /// # Examples
    ///
    /// See [`PipelineStatus`].
    pub fn failures(&self) -> impl Iterator<Item = (usize, ExitStatus)> {
        self.0.iter().copied().enumerate().filter(|(_, status)| !status.success())
    }
}

/// The output and the statuses of a [`Pipeline`](crate::Pipeline), as [`std::process::Output`].
///
/// # Examples
///
/// See [`Pipeline`](crate::Pipeline).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineOutput {
    /// The exit status of each command.
    pub status: PipelineStatus,
    /// The bytes that the last command wrote to standard output.
    pub stdout: Vec<u8>,
    /// The bytes that all commands wrote to standard error, in the order of the writes.
    pub stderr: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::PipelineStatus;
    use rstest::rstest;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[rstest]
    #[case::all_good(&[0, 0], 0, 0, &[])]
    #[case::early_command_fails(&[0x100, 0], 0, 0x100, &[0])]
    #[case::last_of_two_counts(&[0x100, 0x200, 0], 0, 0x200, &[0, 1])]
    #[case::last_fails(&[13, 0x300], 0x300, 0x300, &[0, 1])]
    #[case::one_alone(&[9], 9, 9, &[0])]
    fn pipeline_status_is_that_of_a_shell(
        #[case] statuses: &[i32],
        #[case] last: i32,
        #[case] pipefail: i32,
        #[case] failures: &[usize],
    ) {
        let status = PipelineStatus::new(statuses.iter().copied().map(ExitStatus::from_raw).collect());
        assert_eq!((status.last().into_raw(), status.pipefail().into_raw()), (last, pipefail));
        assert!(status.failures().map(|(index, _)| index).eq(failures.iter().copied()));
        assert_eq!(status.success(), last == 0);
    }
}
