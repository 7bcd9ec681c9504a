//! How the children of a pipeline ended.

use std::process::ExitStatus;

/// How each command of a [`Pipeline`](crate::Pipeline) ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineStatus(Vec<ExitStatus>);

impl PipelineStatus {
    /// Of at least one command.
    pub(super) fn new(statuses: Vec<ExitStatus>) -> Self {
        Self(statuses)
    }

    /// The statuses, in the order of the commands.
    pub fn as_slice(&self) -> &[ExitStatus] {
        &self.0
    }

    /// The last command's, which is a pipeline's status in a shell.
    ///
    /// # Panics
    ///
    /// Never: a pipeline has at least one command.
    pub fn last(&self) -> ExitStatus {
        *self.0.last().expect("a pipeline has a command")
    }

    /// Whether the last command ended well, whatever the others did.
    pub fn success(&self) -> bool {
        self.last().success()
    }

    /// The last of those that did not end well, or a good one: what a shell says with `pipefail`.
    ///
    /// A command that was ended by `SIGPIPE`, because the next had enough, did not end well.
    pub fn pipefail(&self) -> ExitStatus {
        self.failures().last().map_or_else(|| self.last(), |(_, status)| status)
    }

    /// The commands that did not end well: the index of each in the pipeline, and its status.
    pub fn failures(&self) -> impl Iterator<Item = (usize, ExitStatus)> {
        self.0.iter().copied().enumerate().filter(|(_, status)| !status.success())
    }
}

/// What a [`Pipeline`](crate::Pipeline) said, and how it ended, as [`std::process::Output`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineOutput {
    /// How each command ended.
    pub status: PipelineStatus,
    /// What the last command wrote to standard output.
    pub stdout: Vec<u8>,
    /// What all commands wrote to standard error, in the order in which they wrote it.
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
    #[case::an_early_one_fails(&[0x100, 0], 0, 0x100, &[0])]
    #[case::the_last_of_two_counts(&[0x100, 0x200, 0], 0, 0x200, &[0, 1])]
    #[case::the_last_fails(&[13, 0x300], 0x300, 0x300, &[0, 1])]
    #[case::one_alone(&[9], 9, 9, &[0])]
    fn it_is_what_a_shell_says(
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
