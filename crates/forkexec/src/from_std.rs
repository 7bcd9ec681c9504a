//! For commands of std's: the same program, started by this library.

mod hidden;

use crate::{Child, Command, Error, InputError};
use std::process::{ExitStatus, Output};

/// Starts a [`std::process::Command`] by this library: its child gets 0, 1 and 2, and nothing that happens to be open.
///
/// What std shows of a command is carried over: the program, the arguments, the changes to the environment, and the working
/// directory. So is [`env_clear`](std::process::Command::env_clear), and a standard stream that is inherited, null or
/// piped; these std shows to its debug output alone.
///
/// # What is not carried over
///
/// A command that has any of these is refused with [`InputError::HiddenByStd`] and nothing is started:
/// - a standard stream that is a file, or another descriptor;
/// - `arg0`, `uid`, `gid`, `groups`, `process_group`, `setsid`, `chroot`;
/// - a string with a NUL byte, in whose place std keeps `<string-with-nul>`;
/// - whatever else a later std may add, or show in another way.
///
/// All of that is said to the command that [`to_exact`](Self::to_exact) makes.
///
/// **A closure given to [`pre_exec`](std::os::unix::process::CommandExt::pre_exec) is not carried over, and not noticed**:
/// nothing in std shows that there is one. Most of what such closures do is an operation of [`Command`]'s; others are given to
/// [`Command::pre_exec`].
///
/// What the child finds is otherwise as [`Command`] has it: no signal is blocked, for instance, whatever the parent blocks.
///
/// # Examples
///
/// ```
/// use forkexec::StdCommandExt;
/// use std::process::{Command, Stdio};
///
/// let mut command = Command::new("sh"); // of std
/// command.args(["-c", "echo $NAME in $PWD; ls /dev/fd"]).env("NAME", "a child").current_dir("/");
///
/// let output = command.output_exact()?;
/// assert!(output.stdout.starts_with(b"a child in /\n"));
///
/// // What std keeps to itself is said to the command that this makes.
/// let status = command.stdout(Stdio::null()).to_exact()?.umask(0o077).status()?;
/// assert!(status.success());
/// # Ok::<(), forkexec::Error>(())
/// ```
pub trait StdCommandExt {
    /// The same command as one of this library's, which can be told more.
    ///
    /// # Errors
    ///
    /// [`InputError::HiddenByStd`], as described above.
    fn to_exact(&self) -> Result<Command<'static>, Error>;

    /// Starts the program, as [`std::process::Command::spawn`].
    ///
    /// # Errors
    ///
    /// Those of [`to_exact`](Self::to_exact) and [`Command::spawn`].
    fn spawn_exact(&self) -> Result<Child, Error> {
        self.to_exact()?.spawn()
    }

    /// Starts the program and waits for it, as [`std::process::Command::status`].
    ///
    /// # Errors
    ///
    /// Those of [`to_exact`](Self::to_exact) and [`Command::status`].
    fn status_exact(&self) -> Result<ExitStatus, Error> {
        self.to_exact()?.status()
    }

    /// Starts the program, waits for it, and collects its output, as [`std::process::Command::output`].
    ///
    /// # Errors
    ///
    /// Those of [`to_exact`](Self::to_exact) and [`Command::output`].
    fn output_exact(&self) -> Result<Output, Error> {
        self.to_exact()?.output()
    }
}

impl StdCommandExt for std::process::Command {
    fn to_exact(&self) -> Result<Command<'static>, Error> {
        let hidden = hidden::read(self).map_err(|what| InputError::HiddenByStd { what })?;
        let mut command = Command::new(self.get_program());
        command.args(self.get_args());
        if hidden.clears_environment {
            command.env_clear();
        }
        for (name, value) in self.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = self.get_current_dir() {
            command.current_dir(directory);
        }
        let [stdin, stdout, stderr] = hidden.streams;
        stdin.map(|stream| command.stdin(stream));
        stdout.map(|stream| command.stdout(stream));
        stderr.map(|stream| command.stderr(stream));
        Ok(command)
    }
}
