//! The command builder: which program to start, and how.

mod announced;
mod attributes;
mod autoreap;
mod confinement;
mod descriptors;
mod execution;
mod iter;
mod namespaces;
mod plural;
mod scheduling;
mod terminal;

use crate::child::Child;
use crate::config::settings::{Directory, Settings};
use crate::config::stdio::{Kind, Stdio};
use crate::error::{Error, ExecError};
use crate::mode::Blocking;
use crate::prepare::checked::{CheckedCommand, SettingsRef};
use crate::prepare::{CAPTURED, Defaults, INHERITED};
use crate::prepared::{self, Prepared};
use std::ffi::OsStr;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::process::{ExitStatus, Output};

pub use iter::{CommandArgs, CommandEnvs};

/// A process builder in the style of [`std::process::Command`]. The child inherits only the descriptors that
/// the command passes.
///
/// # Differences from `std::process`
///
/// A method with the name of a method of std does the same as there, except for the rows of this table.
///
/// | | `std::process` | `forkexec` |
/// |---|---|---|
/// | Descriptors | the child inherits every descriptor that is not close-on-exec | the child inherits 0, 1, 2 and the descriptors passed by [`keep_fd`], [`fd`] and [`listen_fd`]; all others are closed. [`inherit_all`] restores std's behavior |
/// | Blocked signals | the child inherits the mask of the calling thread | no signal is blocked. [`inherit_signal_mask`] restores std's behavior, [`signal_mask`] sets a mask |
/// | Ignored signals | `SIGPIPE` is reset to its default action | `SIGPIPE`, `SIGXFSZ` and `SIGCHLD` are reset ([`ignored_signals`]) |
/// | Program without a slash | searched in an OS-defined way | searched in the child's `PATH`; an empty element of the list is skipped ([`search_path`]) |
/// | Script without a `#!` line | runs or fails, depending on the C library and on other settings | fails with `ENOEXEC`. [`enoexec_fallback`] can run it with `/bin/sh` |
/// | Errors | [`std::io::Error`] with an errno | [`Error`] with the stage, the operand, the errno and the cause |
/// | [`uid`] without [`gid`] in a privileged parent | the child keeps the parent's group | the command is refused, unless [`keep_groups`] is set |
/// | Dropped [`Child`] | a zombie until the parent exits | reaped in the background ([`on_drop`]) |
/// | Unix settings | the trait `CommandExt` | methods of this type, all of which work without a closure; a [`pre_exec`] closure is still possible |
/// | Copies | none | a command is [`Clone`]. The copies share the open files that it owns, and its closures |
///
/// [`keep_fd`]: Self::keep_fd
/// [`fd`]: Self::fd
/// [`listen_fd`]: Self::listen_fd
/// [`inherit_all`]: Self::inherit_all
/// [`inherit_signal_mask`]: Self::inherit_signal_mask
/// [`signal_mask`]: Self::signal_mask
/// [`ignored_signals`]: Self::ignored_signals
/// [`search_path`]: Self::search_path
/// [`enoexec_fallback`]: Self::enoexec_fallback
/// [`uid`]: Self::uid
/// [`gid`]: Self::gid
/// [`keep_groups`]: Self::keep_groups
/// [`on_drop`]: Self::on_drop
/// [`pre_exec`]: Self::pre_exec
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
///
/// A command can be started many times, and changed between two starts. [`prepare`](Self::prepare) checks it
/// once for many starts:
///
/// ```
/// use forkexec::Command;
///
/// let mut list = Command::new("ls");
/// list.current_dir("/");
/// let root = list.output()?;
/// list.current_dir("/dev");
/// let devices = list.output()?;
/// assert_ne!(root.stdout, devices.stdout);
/// # Ok::<(), forkexec::Error>(())
/// ```
///
/// # The names of this type
///
/// | | owns the descriptors that it passes | may also borrow them for `'fd` |
/// |---|---|---|
/// | blocks the calling thread | [`Command`] | [`BorrowingCommand`] |
/// | a tokio runtime waits (feature `tokio`) | `forkexec::tokio::Command` | `forkexec::tokio::BorrowingCommand` |
/// | blocks, and has std's errors | [`process::Command`](crate::process::Command) | [`process::BorrowingCommand`](crate::process::BorrowingCommand) |
pub struct CommandBuilder<'fd, M> {
    settings: Settings<'fd>,
    mode: PhantomData<fn() -> M>,
}

/// A command that owns the descriptors that it passes. It has all methods of [`CommandBuilder`].
///
/// A reference to a descriptor does not live long enough for it. Pass a duplicate (`try_clone`) or an
/// [`Arc`](std::sync::Arc), or use [`BorrowingCommand`].
///
/// # Examples
///
/// ```
/// use forkexec::Command;
/// use std::fs::File;
///
/// fn checker(list: File) -> Command {
///     let mut command = Command::new("sh");
///     command.args(["-c", "grep -q root <&7"]).fd(7, list);
///     command
/// }
/// assert!(checker(File::open("/etc/passwd")?).status()?.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Command = CommandBuilder<'static, Blocking>;

/// A command that may borrow the descriptors that it passes. It has all methods of [`CommandBuilder`].
///
/// A reference to a file or a socket must live as long as the command. No descriptor is duplicated, and none can be
/// used after it was closed.
///
/// # Examples
///
/// ```
/// use forkexec::BorrowingCommand;
/// use std::net::TcpListener;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut command = BorrowingCommand::new("sh");
/// command.args(["-c", "test -S /dev/fd/7"]).fd(7, &listener);
/// assert!(command.status()?.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type BorrowingCommand<'fd> = CommandBuilder<'fd, Blocking>;

impl<M> CommandBuilder<'_, M> {
    /// Creates a command for `program`, without arguments, with the environment and the working directory of
    /// the parent.
    ///
    /// If `program` contains a slash, it is a path, and a relative one is resolved in the child's working
    /// directory. Otherwise it is searched: see [`search_path`](Self::search_path).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let status = Command::new("true").status()?;
    /// assert!(status.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn new<S: AsRef<OsStr>>(program: S) -> Self {
        Self::of(Settings::new(program.as_ref().to_owned()))
    }

    /// Adds an argument to pass to the program.
    ///
    /// The argument reaches the program unchanged; no shell interprets it. It must not contain a NUL byte.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let output = Command::new("echo").arg("-n").arg("$HOME").output()?;
    /// assert_eq!(output.stdout, b"$HOME");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self {
        self.settings.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds several arguments to pass to the program, as [`arg`](Self::arg) does for one.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let output = Command::new("printf").args(["%s-%s", "a", "b"]).output()?;
    /// assert_eq!(output.stdout, b"a-b");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&mut self, args: I) -> &mut Self {
        self.settings.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets the zeroth argument (`argv[0]`), which is the program's name by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let output = Command::new("sh").arg0("greeter").args(["-c", "echo $0"]).output()?;
    /// assert_eq!(output.stdout, b"greeter\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self {
        arg.as_ref().clone_into(&mut self.settings.args[0]);
        self
    }

    /// Sets an environment variable in the child.
    ///
    /// The name must not be empty and must not contain `=` after its first byte. Neither part may contain a
    /// NUL byte.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let output = Command::new("sh").args(["-c", "echo $MODE"]).env("MODE", "test").output()?;
    /// assert_eq!(output.stdout, b"test\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn env<K: AsRef<OsStr>, V: AsRef<OsStr>>(&mut self, name: K, value: V) -> &mut Self {
        self.settings.env.set(name.as_ref(), value.as_ref());
        self
    }

    /// Sets several environment variables in the child, as [`env`](Self::env) does for one.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let output = Command::new("sh").args(["-c", "echo $A$B"]).envs([("A", "1"), ("B", "2")]).output()?;
    /// assert_eq!(output.stdout, b"12\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn envs<I, K, V>(&mut self, variables: I) -> &mut Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Removes an environment variable from the child's environment.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "test -z \"${MODE+set}\""]).env("MODE", "test").env_remove("MODE");
    /// assert!(command.status()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, name: K) -> &mut Self {
        self.settings.env.remove(name.as_ref());
        self
    }

    /// Clears the child's environment. The child inherits no variable, and the variables set so far are
    /// removed.
    ///
    /// The program is then searched in [`SearchPath::FALLBACK`](crate::SearchPath::FALLBACK), unless `PATH`
    /// is set afterwards.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let output = Command::new("env").env_clear().env("ONLY", "this").output()?;
    /// assert_eq!(output.stdout, b"ONLY=this\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn env_clear(&mut self) -> &mut Self {
        self.settings.env.clear();
        self
    }

    /// Sets the working directory of the child. With [`chroot`](Self::chroot) the path is resolved in the new
    /// root.
    ///
    /// As in std, the child enters the directory after its user and groups are changed ([`uid`](Self::uid)),
    /// with the permissions of the new user. If only the parent may enter the directory, open it and use
    /// [`current_dir_fd`](Self::current_dir_fd).
    ///
    /// # Errors
    ///
    /// The start returns [`Error::Spawn`] at [`Stage::Chdir`](crate::Stage::Chdir) if the directory cannot be
    /// entered.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let output = Command::new("pwd").current_dir("/").output()?;
    /// assert_eq!(output.stdout, b"/\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn current_dir<P: AsRef<Path>>(&mut self, directory: P) -> &mut Self {
        self.settings.directory = Some(Directory::Path(directory.as_ref().to_owned()));
        self
    }

    /// Sets the child's standard input.
    ///
    /// If it is not set, [`spawn`](Self::spawn) and [`status`](Self::status) let the child inherit the
    /// parent's, and [`output`](Self::output) uses `/dev/null`.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let output = Command::new("cat").stdin(Stdio::null()).output()?;
    /// assert!(output.stdout.is_empty());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn stdin<T: Into<Stdio>>(&mut self, stdin: T) -> &mut Self {
        self.settings.streams[0] = Some(stdin.into());
        self
    }

    /// Sets the child's standard output.
    ///
    /// If it is not set, [`spawn`](Self::spawn) and [`status`](Self::status) let the child inherit the
    /// parent's, and [`output`](Self::output) captures it.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// assert_eq!(child.wait_with_output()?.stdout, b"hello\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn stdout<T: Into<Stdio>>(&mut self, stdout: T) -> &mut Self {
        self.settings.streams[1] = Some(stdout.into());
        self
    }

    /// Sets the child's standard error.
    ///
    /// If it is not set, [`spawn`](Self::spawn) and [`status`](Self::status) let the child inherit the
    /// parent's, and [`output`](Self::output) captures it.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let status = Command::new("ls").arg("/no/such/file").stderr(Stdio::null()).status()?;
    /// assert!(!status.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn stderr<T: Into<Stdio>>(&mut self, stderr: T) -> &mut Self {
        self.settings.streams[2] = Some(stderr.into());
        self
    }

    /// Makes the child's standard error the same open file as its standard output, as `2>&1` in a shell.
    ///
    /// It follows standard output wherever that goes: to a pipe, a file, a mapping to 1, or the parent's stream. Both
    /// share one pipe or one file offset, so the text is in the order in which the child wrote it. Two pipes cannot keep
    /// that order. The child has no [`Child::stderr`] then, and [`Output::stderr`](std::process::Output::stderr) is empty.
    ///
    /// A later call of [`stderr`](Self::stderr) replaces this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut command = Command::new("sh");
    /// let output = command.args(["-c", "echo 1; echo 2 >&2; echo 3"]).stderr_to_stdout().output()?;
    /// assert_eq!(output.stdout, b"1\n2\n3\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn stderr_to_stdout(&mut self) -> &mut Self {
        self.settings.streams[2] = Some(Stdio(Kind::Merged));
        self
    }

    /// Replaces this process by the program, as [`CommandExt::exec`](std::os::unix::process::CommandExt::exec) of std.
    /// Returns only if that failed.
    ///
    /// The program gets exactly what a child would get, and keeps the id and the parent of this process. The other threads
    /// end without running destructors. Buffered output that was not flushed is lost.
    ///
    /// The settings take effect on a thread that has a descriptor table of its own. So a failure before exec changes no
    /// descriptor, directory, umask, id or priority of this process. Limits, signal dispositions, the process group and the
    /// foreground group are set back. [`ExecError::changed`] names what could not be set back, such as a new session.
    ///
    /// A [`pre_exec`](Self::pre_exec) closure runs in this process. Settings about a child, such as
    /// [`on_drop`](Self::on_drop), have no effect. Record locks of fcntl(2) do not pass to the program; locks of flock(2) do.
    ///
    /// # Errors
    ///
    /// The [`ExecError`] holds what [`spawn`](Self::spawn) would return. It holds [`Error::Input`] for a piped stream or a
    /// [`containment`](Self::containment), and [`Error::Unsupported`] on other systems than Linux and Android.
    ///
    /// # Examples
    ///
    /// ```
    /// # if forkexec::capabilities().system == "Linux" {
    /// let failed = forkexec::Command::new("true").exec();
    /// eprintln!("{failed}");
    /// std::process::exit(127);
    /// # }
    /// ```
    ///
    /// A program that is missing changes nothing:
    ///
    /// ```
    /// let failed = forkexec::Command::new("/no/such/program").umask(0o077).exec();
    /// assert!(failed.changed().is_empty());
    /// ```
    pub fn exec(&mut self) -> ExecError {
        match self.prepare() {
            Ok(prepared) => prepared.exec(),
            Err(error) => ExecError { error, changed: Vec::new() },
        }
    }

    /// Starts the program with the default streams of [`output`](Self::output).
    pub(crate) fn start_captured(&self) -> Result<Child, Error> {
        self.start_with(&CAPTURED)
    }

    /// Starts the program with the default streams of [`spawn`](Self::spawn).
    pub(crate) fn start(&self) -> Result<Child, Error> {
        self.start_with(&INHERITED)
    }

    fn start_with(&self, defaults: &Defaults) -> Result<Child, Error> {
        let checked =
            prepared::or_reap(|| CheckedCommand::new(SettingsRef::Borrowed(&self.settings), defaults))?;
        prepared::start(&checked, &checked.layout)
    }

    /// Checks the command, resolves what a start needs, and returns a form that can be started many times
    /// without repeating that work.
    ///
    /// # Errors
    ///
    /// - Returns [`Error::Input`] and [`Error::Unsupported`] as [`spawn`](Self::spawn) does.
    /// - Returns [`Error::Spawn`] if a directory is missing, or if a descriptor that stays open between
    ///   starts cannot be opened.
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
    pub fn prepare(&self) -> Result<Prepared<'_, M>, Error> {
        let checked =
            prepared::or_reap(|| CheckedCommand::new(SettingsRef::Borrowed(&self.settings), &INHERITED));
        checked.map(Prepared::of)
    }

    /// Returns the program that was passed to [`new`](Self::new).
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(forkexec::Command::new("ls").get_program(), "ls");
    /// ```
    pub fn get_program(&self) -> &OsStr {
        &self.settings.program
    }

    /// Returns the arguments without the zeroth.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut command = forkexec::Command::new("ls");
    /// command.args(["-l", "/"]);
    /// assert!(command.get_args().eq(["-l", "/"]));
    /// ```
    pub fn get_args(&self) -> CommandArgs<'_> {
        CommandArgs(self.settings.args[1..].iter())
    }

    /// Returns the changes to the environment. The value is `None` if the variable is removed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::ffi::OsStr;
    ///
    /// let mut command = forkexec::Command::new("ls");
    /// command.env("LANG", "C").env_remove("TZ");
    /// let changes: Vec<_> = command.get_envs().collect();
    /// assert_eq!(changes, [(OsStr::new("LANG"), Some(OsStr::new("C"))), (OsStr::new("TZ"), None)]);
    /// ```
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        CommandEnvs(self.settings.env.entries())
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

/// Starting a child, and blocking the thread while it runs.
impl BorrowingCommand<'_> {
    /// Starts the program and returns a handle to the child. A command can be started many times.
    ///
    /// The call returns when the child executes the program, or with an error if it cannot.
    ///
    /// # Errors
    ///
    /// After each of these errors no program runs, and nothing is left behind: no descriptor, no zombie, no
    /// changed signal mask.
    ///
    /// - Returns [`Error::Input`] if a setting is not valid, before a child is started.
    /// - Returns [`Error::Unsupported`] if this system lacks an operation that the command asks for, before a
    ///   child is started.
    /// - Returns [`Error::Spawn`] if a system call fails in the parent, or in the child before or in exec.
    /// - Returns [`Error::Died`] if the child ends before it executes the program.
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
    ///     "cannot execute \"/no/such/program\": No such file or directory (os error 2), because the program does not exist"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn(&mut self) -> Result<Child, Error> {
        self.start()
    }

    /// Starts the program, waits for it to end and returns its exit status.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn) and of [`Child::wait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let status = Command::new("sh").args(["-c", "exit 3"]).status()?;
    /// assert_eq!(status.code(), Some(3));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn status(&mut self) -> Result<ExitStatus, Error> {
        self.spawn()?.wait()
    }

    /// Starts the program, waits for it to end, and returns its exit status and what it wrote to standard
    /// output and standard error.
    ///
    /// The output is held in memory without a limit. [`Communicator`](crate::Communicator) has limits of size
    /// and time.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn) and of [`Child::wait_with_output`].
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let output = Command::new("sh").args(["-c", "echo out; echo err >&2"]).output()?;
    /// assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn output(&mut self) -> Result<Output, Error> {
        self.start_captured()?.wait_with_output()
    }
}

impl<'fd, M> CommandBuilder<'fd, M> {
    pub(crate) fn of(settings: Settings<'fd>) -> Self {
        Self { settings, mode: PhantomData }
    }

    pub(crate) fn settings(&self) -> &Settings<'fd> {
        &self.settings
    }

    pub(crate) fn into_settings(self) -> Settings<'fd> {
        self.settings
    }

    /// Prepares the command as [`prepare`](Self::prepare) does, and consumes it.
    ///
    /// The result owns the descriptors that the command owned, and borrows those that it borrowed.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`prepare`](Self::prepare).
    ///
    /// # Examples
    ///
    /// See [`Prepared`].
    pub fn into_prepared(self) -> Result<Prepared<'fd, M>, Error> {
        CheckedCommand::new(SettingsRef::Owned(Box::new(self.settings)), &INHERITED).map(Prepared::of)
    }
}

/// Formats the command as a line that can be pasted into a shell, in std's form: `cd "/tmp" && env -u A B="x"
/// "prog" "arg"`. The alternate form `{:#?}` shows every setting.
impl<M> fmt::Debug for CommandBuilder<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

/// Copies all settings. The copies share the open files that the command owns, and its closures.
impl<M> Clone for CommandBuilder<'_, M> {
    fn clone(&self) -> Self {
        Self::of(self.settings.clone())
    }
}
