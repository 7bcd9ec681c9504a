//! Commands whose output is the next one's input.
//!
//! - `plumbing`: who gets which end of which pipe
//! - `children`: a pipeline that runs
//! - `status`: how its children ended

mod children;
mod plumbing;
mod status;

use crate::child::Child;
use crate::command::Command;
use crate::config::settings::Settings;
use crate::config::stdio::Stdio;
use crate::error::Error;
use crate::prepare::prepared::{Prepared, SettingsRef};
use crate::prepare::{CAPTURED, Defaults, INHERITED};
pub use children::Children;
use plumbing::Plumbing;
pub use status::{PipelineOutput, PipelineStatus};
use std::fmt;

/// Commands each of which reads what the one before it writes: `a | b | c`.
///
/// Every child gets the ends of its own pipes and no other's, so that each pipe ends when the child at its other side does:
/// when `c` ends early, `b` and `a` get `SIGPIPE`, as from a shell. Everything of every command is checked before the first
/// one is started. If one cannot be started, those before it are killed and waited for.
///
/// What a command itself says of its standard input, output and error holds, except where the pipeline says it: a command
/// that sets its output and is followed by another is refused, and so is one that sets its input and follows one.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Pipeline};
///
/// let output = Pipeline::new(Command::new("yes")).pipe(Command::new("head")).output()?;
/// assert_eq!(output.stdout, b"y\n".repeat(10));
/// assert!(output.status.success()); // the last command's
/// assert!(!output.status.pipefail().success()); // `yes` was ended by SIGPIPE
/// # Ok::<(), forkexec::Error>(())
/// ```
///
/// Commands may be borrowed, so that a pipeline can be written as one expression:
///
/// ```
/// use forkexec::{Command, Pipeline};
///
/// let output = Pipeline::new(Command::new("printf").arg("b\nc\na\n"))
///     .pipe(Command::new("sort").env("LC_ALL", "C"))
///     .pipe(Command::new("tr").args(["a-z", "A-Z"]))
///     .output()?;
/// assert_eq!(output.stdout, b"A\nB\nC\n");
/// # Ok::<(), forkexec::Error>(())
/// ```
#[must_use = "nothing is started before `spawn`, `status` or `output`"]
pub struct Pipeline<'a> {
    commands: Vec<SettingsRef<'a>>,
    /// Of the first, of the last, of all.
    streams: [Option<Stdio>; 3],
}

/// A command in a pipeline: owned by it, or borrowed.
pub struct PipelineCommand<'a>(SettingsRef<'a>);

impl<'a> From<Command<'a>> for PipelineCommand<'a> {
    fn from(command: Command<'a>) -> Self {
        Self(SettingsRef::Owned(Box::new(command.into_settings())))
    }
}

impl<'a, 'fd: 'a> From<&'a Command<'fd>> for PipelineCommand<'a> {
    fn from(command: &'a Command<'fd>) -> Self {
        Self(SettingsRef::Borrowed(command.settings()))
    }
}

impl<'a, 'fd: 'a> From<&'a mut Command<'fd>> for PipelineCommand<'a> {
    fn from(command: &'a mut Command<'fd>) -> Self {
        Self::from(&*command)
    }
}

impl<'a> Pipeline<'a> {
    /// A pipeline that begins with this command.
    pub fn new(first: impl Into<PipelineCommand<'a>>) -> Self {
        Self { commands: vec![first.into().0], streams: [None, None, None] }
    }

    /// Adds a command that reads what the last one writes.
    pub fn pipe(mut self, next: impl Into<PipelineCommand<'a>>) -> Self {
        self.commands.push(next.into().0);
        self
    }

    /// Sets what standard input of the first command is, unless that command says so itself. [`spawn`](Self::spawn) and
    /// [`status`](Self::status) let it inherit the parent's, [`output`](Self::output) gives it `/dev/null`.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.streams[0] = Some(stdin.into());
        self
    }

    /// Sets what standard output of the last command is, unless that command says so itself. [`spawn`](Self::spawn) and
    /// [`status`](Self::status) let it inherit the parent's, [`output`](Self::output) captures it.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.streams[1] = Some(stdout.into());
        self
    }

    /// Sets what standard error is of all commands that do not say so themselves. A pipe is one for all of them.
    /// [`spawn`](Self::spawn) and [`status`](Self::status) let them inherit the parent's, [`output`](Self::output) captures it.
    ///
    /// A command that asks for a pipe itself has one of its own, which is in its [`Child`]: who reads it is the caller's
    /// concern, also with [`output`](Self::output).
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.streams[2] = Some(stderr.into());
        self
    }

    /// Starts all commands. A pipeline may be started many times.
    ///
    /// # Errors
    ///
    /// [`Error::InPipeline`], which says which command it was and why: [`Error::Input`] and [`Error::Unsupported`] before
    /// anything was started; what [`Command::spawn`] gives for one that failed to start. Then those that were started are
    /// killed and waited for. [`Error::Spawn`] if a pipe cannot be made. In each case nothing is left.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline};
    ///
    /// let pipeline = Pipeline::new(Command::new("yes")).pipe(Command::new("/no/such/program"));
    /// assert_eq!(
    ///     pipeline.spawn().unwrap_err().to_string(),
    ///     "command 2 of the pipeline (\"/no/such/program\"): exec \"/no/such/program\": \
    ///      No such file or directory (os error 2): there is no such program"
    /// );
    /// ```
    pub fn spawn(&self) -> Result<Children, Error> {
        self.start(&INHERITED)
    }

    /// Starts all commands and waits for them.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and of [`Children::wait`].
    pub fn status(&self) -> Result<PipelineStatus, Error> {
        self.spawn()?.wait()
    }

    /// Starts all commands, waits for them, and collects what the last writes to standard output, and all to standard error.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and of [`Children::wait_with_output`].
    pub fn output(&self) -> Result<PipelineOutput, Error> {
        self.start(&CAPTURED)?.wait_with_output()
    }

    fn start(&self, defaults: &Defaults) -> Result<Children, Error> {
        let settings: Vec<&Settings<'_>> = self.commands.iter().map(|command| &**command).collect();
        for (index, &command) in settings.iter().enumerate() {
            let (is_first, is_last) = (index == 0, index + 1 == settings.len());
            plumbing::refuse_streams(command, is_first, is_last)
                .map_err(|error| in_pipeline(index, command, error.into()))?;
        }
        let Plumbing { streams, stderr } = Plumbing::lay(settings.len(), &self.streams, defaults)?;
        let mut prepared = Vec::with_capacity(settings.len());
        for (index, (&command, streams)) in settings.iter().zip(&streams).enumerate() {
            let checked = Prepared::new(SettingsRef::Borrowed(command), streams);
            prepared.push(checked.map_err(|error| in_pipeline(index, command, error))?);
        }
        let mut started: Vec<Child> = Vec::with_capacity(settings.len());
        // Each command's ends are closed here as soon as it has them.
        for (prepared, _ends) in prepared.into_iter().zip(streams) {
            match prepared.spawn() {
                Ok(child) => started.push(child),
                Err(error) => {
                    children::end(&mut started);
                    return Err(in_pipeline(started.len(), settings[started.len()], error));
                }
            }
        }
        Ok(Children::new(started, stderr))
    }
}

fn in_pipeline(index: usize, command: &Settings<'_>, error: Error) -> Error {
    Error::InPipeline { index, program: command.program.clone(), error: Box::new(error) }
}

/// The commands, as a shell would have them.
impl fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            command.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Pipeline;
    use crate::command::Command;

    #[test]
    fn it_is_printed_as_it_would_be_written() {
        let mut first = Command::new("ls");
        let pipeline = Pipeline::new(first.arg("-l")).pipe(Command::new("wc"));
        assert_eq!(format!("{pipeline:?}"), r#""ls" "-l" | "wc""#);
    }
}
