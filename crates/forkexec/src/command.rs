//! The command: what is to be started, and how.

mod attributes;
mod descriptors;
mod execution;

use crate::child::Child;
use crate::config::settings::{Directory, Settings};
use crate::config::stdio::Stdio;
use crate::error::Error;
use crate::prepare::prepared::{Prepared, SettingsRef};
use crate::prepare::{CAPTURED, Defaults, INHERITED};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::process::{ExitStatus, Output};

/// Starts a program, as [`std::process::Command`] does, with exactly the descriptors that it is given.
///
/// The methods that std has mean the same here, with these differences:
/// - the child gets 0, 1, 2 and what [`keep_fd`](Self::keep_fd) and [`map_fd`](Self::map_fd) name. Everything else is
///   closed, whether or not it is close-on-exec;
/// - no signal is blocked in the child, whatever the parent blocks ([`signal_mask`](Self::signal_mask));
/// - a program without a slash is searched in the `PATH` that the child will have ([`search_path`](Self::search_path));
/// - an error says at which stage, on what and why ([`Error`]).
///
/// The lifetime is that of the descriptors that the command borrows; one that borrows none is `'static`.
///
/// # Examples
///
/// ```
/// use forkexec::Command;
///
/// let output = Command::new("echo").arg("hello").output()?;
/// assert!(output.status.success());
/// assert_eq!(output.stdout, b"hello\n");
/// # Ok::<(), forkexec::Error>(())
/// ```
pub struct Command<'fd> {
    settings: Settings<'fd>,
}

impl Command<'_> {
    /// A command that starts `program` without arguments, in the parent's environment and directory.
    ///
    /// A name with a slash is a path, seen from the child's working directory. A name without one is searched:
    /// see [`search_path`](Self::search_path).
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self { settings: Settings::new(program.as_ref().to_owned()) }
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.settings.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.settings.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets the zeroth argument, which is the program's name unless it is set.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        arg.as_ref().clone_into(&mut self.settings.args[0]);
        self
    }

    /// Sets an environment variable.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.settings.env.set(name.as_ref(), value.as_ref());
        self
    }

    /// Sets environment variables.
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.settings.env.remove(name.as_ref());
        self
    }

    /// Removes all environment variables, also those set so far.
    pub fn env_clear(&mut self) -> &mut Self {
        self.settings.env.clear();
        self
    }

    /// Sets the working directory, seen from the new root if there is one.
    ///
    /// As in std, the child enters it after its user and groups were changed ([`uid`](Self::uid)), with the permissions
    /// of the new user. For a directory that only the parent may enter, open it and use
    /// [`current_dir_fd`](Self::current_dir_fd).
    ///
    /// # Errors
    ///
    /// When the command is started: [`Error::Spawn`] at [`Stage::Chdir`](crate::Stage::Chdir).
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.settings.directory = Some(Directory::Path(directory.as_ref().to_owned()));
        self
    }

    /// Sets what standard input is. [`spawn`](Self::spawn) and [`status`](Self::status) let the child inherit it,
    /// [`output`](Self::output) gives it `/dev/null`.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.settings.streams[0] = Some(stdin.into());
        self
    }

    /// Sets what standard output is. [`spawn`](Self::spawn) and [`status`](Self::status) let the child inherit it,
    /// [`output`](Self::output) captures it.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.settings.streams[1] = Some(stdout.into());
        self
    }

    /// Sets what standard error is. [`spawn`](Self::spawn) and [`status`](Self::status) let the child inherit it,
    /// [`output`](Self::output) captures it.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.settings.streams[2] = Some(stderr.into());
        self
    }

    /// Starts the program. A command may be started many times.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] and [`Error::Unsupported`] before anything was started; [`Error::Spawn`] or [`Error::Died`] if a
    /// call or the child failed on the way to exec. In each case no program runs, and nothing is left: no
    /// descriptor, no zombie, no changed signal mask.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stage};
    /// use std::path::Path;
    ///
    /// let error = Command::new("/no/such/program").spawn().unwrap_err();
    /// let failed = error.as_spawn().ok_or("another error")?;
    /// assert_eq!(failed.stage(), Stage::Exec);
    /// assert_eq!(
    ///     error.to_string(),
    ///     "exec \"/no/such/program\": No such file or directory (os error 2): there is no such program"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn(&mut self) -> Result<Child, Error> {
        self.start(&INHERITED)
    }

    /// Starts the program and waits for it.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and of [`Child::wait`].
    pub fn status(&mut self) -> Result<ExitStatus, Error> {
        self.spawn()?.wait()
    }

    /// Starts the program, waits for it, and collects what it writes to standard output and error.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and of [`Child::wait_with_output`].
    pub fn output(&mut self) -> Result<Output, Error> {
        self.spawn_captured()?.wait_with_output()
    }

    /// Starts the program with the standard streams of [`output`](Self::output).
    pub(crate) fn spawn_captured(&mut self) -> Result<Child, Error> {
        self.start(&CAPTURED)
    }

    fn start(&self, defaults: &Defaults) -> Result<Child, Error> {
        Prepared::new(SettingsRef::Borrowed(&self.settings), defaults)?.spawn()
    }

    /// Checks everything that can be checked now, so that it can be started many times without doing that again.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] and [`Error::Unsupported`], as from [`spawn`](Self::spawn); [`Error::Spawn`] if a directory is
    /// missing, or a descriptor that is to be held cannot be opened.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut command = Command::new("test");
    /// command.args(["-d", "/"]);
    /// let prepared = command.prepare()?;
    /// assert!(prepared.status()?.success());
    /// assert!(prepared.status()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn prepare(&self) -> Result<Prepared<'_>, Error> {
        Prepared::new(SettingsRef::Borrowed(&self.settings), &INHERITED)
    }

    /// The program, as it was given.
    pub fn get_program(&self) -> &OsStr {
        &self.settings.program
    }

    /// The arguments without the zeroth.
    pub fn get_args(&self) -> impl ExactSizeIterator<Item = &OsStr> {
        self.settings.args[1..].iter().map(OsString::as_os_str)
    }

    /// The changes to the environment: a value, or `None` for a variable that is removed.
    pub fn get_envs(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.settings.env.changes()
    }

    /// Returns the working directory set by [`current_dir`](Self::current_dir). Returns `None` if none was set, or if it was
    /// set by descriptor.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// let mut command = forkexec::Command::new("ls");
    /// assert_eq!(command.get_current_dir(), None);
    /// assert_eq!(command.current_dir("/bin").get_current_dir(), Some(Path::new("/bin")));
    /// ```
    pub fn get_current_dir(&self) -> Option<&Path> {
        match &self.settings.directory {
            Some(Directory::Path(path)) => Some(path),
            _ => None,
        }
    }
}

impl<'fd> Command<'fd> {
    pub(crate) fn settings(&self) -> &Settings<'fd> {
        &self.settings
    }

    pub(crate) fn into_settings(self) -> Settings<'fd> {
        self.settings
    }

    /// As [`prepare`](Self::prepare), for a command that is needed no more: the answer owns what the command owned, and
    /// borrows what it borrowed.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    pub fn into_prepared(self) -> Result<Prepared<'fd>, Error> {
        Prepared::new(SettingsRef::Owned(Box::new(self.settings)), &INHERITED)
    }
}

/// `{:?}` is a line that can be pasted into a shell, in the form of std's:
/// `cd "/tmp" && env -u A B="x" "prog" "arg"`. `{:#?}` shows every setting.
impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}
