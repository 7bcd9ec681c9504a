//! Pipelines: commands whose output is the input of the next one.
//!
//! - `plumbing`: the pipes, and the ends that each command gets
//! - `children`: a running pipeline
//! - `status`: the exit statuses

mod children;
mod plumbing;
mod status;

use crate::child::Child;
use crate::command::BorrowingCommand;
#[cfg(doc)]
use crate::command::Command;
use crate::config::settings::Settings;
use crate::config::stdio::{Kind, Stdio};
use crate::error::Error;
use crate::prepare::checked::{CheckedCommand, SettingsRef};
use crate::prepare::{CAPTURED, Defaults, INHERITED};
use crate::prepared;
pub use children::Children;
use plumbing::Plumbing;
pub use status::{PipelineOutput, PipelineStatus};
use std::fmt;

/// A pipeline of commands, `a | b | c`: each one reads the output of the command before it.
///
/// Every child inherits the ends of its own pipes and no others, so a pipe ends when the child at its other
/// end does. When `c` exits early, `b` and `a` get `SIGPIPE`, as in a shell. All commands are checked before
/// the first one is started. If one cannot be started, those before it are killed and waited for.
///
/// A command keeps its own settings for its standard streams, except for a stream that the pipeline connects.
/// The pipeline refuses a command that sets its output and has a successor, or that sets its input and has a
/// predecessor.
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
/// A reference to a command copies it, so that a pipeline can be written as one expression:
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
///
/// Commands that borrow descriptors ([`BorrowingCommand`](crate::BorrowingCommand)) make a `BorrowingPipeline`.
#[must_use = "nothing is started before `spawn`, `status` or `output`"]
pub struct BorrowingPipeline<'fd> {
    commands: Vec<Settings<'fd>>,
    /// Standard input of the first command, output of the last one, error of all.
    streams: [Option<Stdio>; 3],
}

/// A [`BorrowingPipeline`] whose commands own their descriptors.
pub type Pipeline = BorrowingPipeline<'static>;

/// A command of a pipeline. It is created with `From` from a [`Command`] or a reference to
/// one.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Pipeline, PipelineCommand};
///
/// let mut sort = Command::new("sort");
/// let parts: [PipelineCommand<'_>; 2] = [Command::new("echo").into(), sort.arg("-r").into()];
/// let mut parts = parts.into_iter();
/// let pipeline = Pipeline::new(parts.next().ok_or("two")?).pipe(parts.next().ok_or("two")?);
/// assert_eq!(pipeline.output()?.stdout, b"\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PipelineCommand<'fd>(Settings<'fd>);

impl<'fd> From<BorrowingCommand<'fd>> for PipelineCommand<'fd> {
    fn from(command: BorrowingCommand<'fd>) -> Self {
        Self(command.into_settings())
    }
}

impl<'fd> From<&BorrowingCommand<'fd>> for PipelineCommand<'fd> {
    fn from(command: &BorrowingCommand<'fd>) -> Self {
        Self(command.settings().clone())
    }
}

impl<'fd> From<&mut BorrowingCommand<'fd>> for PipelineCommand<'fd> {
    fn from(command: &mut BorrowingCommand<'fd>) -> Self {
        Self::from(&*command)
    }
}

impl<'fd> BorrowingPipeline<'fd> {
    /// Creates a pipeline with its first command.
    ///
    /// # Examples
    ///
    /// See [`Pipeline`].
    pub fn new(first: impl Into<PipelineCommand<'fd>>) -> Self {
        Self { commands: vec![first.into().0], streams: [None, None, None] }
    }

    /// Adds a command that reads the output of the last one.
    ///
    /// # Examples
    ///
    /// See [`Pipeline`].
    pub fn pipe(mut self, next: impl Into<PipelineCommand<'fd>>) -> Self {
        self.commands.push(next.into().0);
        self
    }

    /// Sets standard input of the first command, unless that command sets it itself.
    ///
    /// If it is not set, [`spawn`](Self::spawn) and [`status`](Self::status) let the command inherit the
    /// parent's, and [`output`](Self::output) uses `/dev/null`.
    ///
    /// # Examples
    ///
    /// See [`Children::communicate`].
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.streams[0] = Some(stdin.into());
        self
    }

    /// Sets standard output of the last command, unless that command sets it itself.
    ///
    /// If it is not set, [`spawn`](Self::spawn) and [`status`](Self::status) let the command inherit the
    /// parent's, and [`output`](Self::output) captures it.
    ///
    /// # Examples
    ///
    /// See [`Children::communicate`].
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.streams[1] = Some(stdout.into());
        self
    }

    /// Sets standard error of all commands that do not set it themselves. With [`Stdio::piped`] all of them
    /// share one pipe.
    ///
    /// If it is not set, [`spawn`](Self::spawn) and [`status`](Self::status) let the commands inherit the
    /// parent's, and [`output`](Self::output) captures it.
    ///
    /// If a command sets its own pipe, that pipe is in the command's [`Child`]. The caller must read it, even
    /// with [`output`](Self::output).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline, Stdio};
    ///
    /// let mut ls = Command::new("ls");
    /// let quiet = Pipeline::new(ls.arg("/no/such/file")).pipe(Command::new("cat")).stderr(Stdio::null());
    /// assert!(quiet.status()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.streams[2] = Some(stderr.into());
        self
    }

    /// Makes standard error of all commands that do not set it themselves the same open file as standard output of the
    /// pipeline, as `{ a | b; } 2>&1` in a shell. The text is in the order in which the commands wrote it.
    ///
    /// For `a |& b`, where standard error of `a` is input of `b`, use [`Command::stderr_to_stdout`] of `a`.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline};
    ///
    /// let mut first = Command::new("sh");
    /// let mut second = Command::new("sh");
    /// let pipeline = Pipeline::new(first.args(["-c", "echo one >&2; echo two"]))
    ///     .pipe(second.args(["-c", "cat; echo three >&2"]))
    ///     .stderr_to_stdout();
    /// assert_eq!(pipeline.output()?.stdout, b"one\ntwo\nthree\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn stderr_to_stdout(mut self) -> Self {
        self.streams[2] = Some(Stdio(Kind::Merged));
        self
    }

    /// Starts all commands. A pipeline can be started many times.
    ///
    /// # Errors
    ///
    /// After each of these errors no command runs, and nothing is left behind.
    ///
    /// - Returns [`Error::InPipeline`] if a command is refused or cannot be started. It holds the command and
    ///   the error: [`Error::Input`] or [`Error::Unsupported`] before any command is started, or the error of
    ///   [`Command::spawn`]. In the second case the commands that were already started are killed and waited
    ///   for.
    /// - Returns [`Error::Spawn`] if a pipe cannot be created.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline};
    ///
    /// let pipeline = Pipeline::new(Command::new("yes")).pipe(Command::new("/no/such/program"));
    /// assert_eq!(
    ///     pipeline.spawn().unwrap_err().to_string(),
    ///     "cannot start command 2 of the pipeline (\"/no/such/program\"): cannot execute \"/no/such/program\": \
    ///      No such file or directory (os error 2), because the program does not exist"
    /// );
    /// ```
    pub fn spawn(&self) -> Result<Children, Error> {
        self.start(&INHERITED)
    }

    /// Starts all commands, and waits for them to end.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn) and of [`Children::wait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline};
    ///
    /// let status = Pipeline::new(Command::new("true")).pipe(Command::new("false")).status()?;
    /// assert!(!status.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn status(&self) -> Result<PipelineStatus, Error> {
        self.spawn()?.wait()
    }

    /// Starts all commands, waits for them to end, and collects standard output of the last one and standard
    /// error of all.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn) and of [`Children::wait_with_output`].
    ///
    /// # Examples
    ///
    /// See [`Pipeline`].
    pub fn output(&self) -> Result<PipelineOutput, Error> {
        self.start(&CAPTURED)?.wait_with_output()
    }

    fn start(&self, defaults: &Defaults) -> Result<Children, Error> {
        let settings = &self.commands;
        for (index, command) in settings.iter().enumerate() {
            let (is_first, is_last) = (index == 0, index + 1 == settings.len());
            plumbing::refuse_streams(command, is_first, is_last, self.streams[2].as_ref())
                .map_err(|error| in_pipeline(index, command, error.into()))?;
        }
        let Plumbing { streams, stdout, stderr } = Plumbing::build(settings.len(), &self.streams, defaults)?;
        let mut checked = Vec::with_capacity(settings.len());
        for (index, (command, streams)) in settings.iter().zip(&streams).enumerate() {
            let of_command =
                prepared::or_reap(|| CheckedCommand::new(SettingsRef::Borrowed(command), streams));
            checked.push(of_command.map_err(|error| in_pipeline(index, command, error))?);
        }
        let mut started: Vec<Child> = Vec::with_capacity(settings.len());
        // The parent closes the ends of each command as soon as the command is started.
        for (checked, _ends) in checked.into_iter().zip(streams) {
            match prepared::start(&checked, &checked.layout) {
                Ok(child) => started.push(child),
                Err(error) => {
                    children::end(&mut started);
                    return Err(in_pipeline(started.len(), &settings[started.len()], error));
                }
            }
        }
        Ok(Children::new(started, stdout, stderr))
    }
}

fn in_pipeline(index: usize, command: &Settings<'_>, error: Error) -> Error {
    Error::InPipeline { index, program: command.program.clone(), error: Box::new(error) }
}

/// Formats the pipeline as a line for a shell.
impl fmt::Debug for BorrowingPipeline<'_> {
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
    fn pipeline_prints_as_in_a_shell() {
        let mut first = Command::new("ls");
        let pipeline = Pipeline::new(first.arg("-l")).pipe(Command::new("wc"));
        assert_eq!(format!("{pipeline:?}"), r#""ls" "-l" | "wc""#);
    }
}
