//! The pseudo-terminal of a child.

use super::CommandBuilder;
use crate::pty::Pty;
use std::sync::Arc;

impl<M> CommandBuilder<'_, M> {
    /// Starts the child in a new session on this pseudo-terminal: it is the controlling terminal of the child,
    /// and its standard input, output and error.
    ///
    /// That is [`setsid`](Self::setsid) and [`controlling_terminal`](Self::controlling_terminal), with
    /// streams. A stream, a mapping to 0, 1 or 2 or a controlling terminal that the command sets, before or
    /// after this call, has precedence. [`output`](Self::output) captures no stream that is on the terminal.
    ///
    /// A start opens the user end of the terminal, and closes it in the parent when the child runs. A
    /// [`Prepared`](crate::Prepared) holds it for as long as it lives. The command does not keep the terminal
    /// open: if the [`Pty`] and its clones are dropped, the terminal hangs up.
    ///
    /// The command can be started again on the same terminal after the first child has ended.
    ///
    /// # Errors
    ///
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Setup`](crate::Stage::Setup) if
    ///   the user end cannot be opened, or if the [`Pty`] was dropped.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at
    ///   [`Stage::Terminal`](crate::Stage::Terminal) if a program that runs has the terminal as its
    ///   controlling terminal.
    /// - The start returns [`InputError::SessionInOtherGroup`](crate::InputError::SessionInOtherGroup) if the
    ///   child also joins another process group.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pty, WindowSize};
    /// use std::io::Read;
    ///
    /// let mut pty = Pty::open(WindowSize::new(24, 80))?;
    /// let mut child = Command::new("sh").args(["-c", "stty size && : </dev/tty"]).pty(&pty).spawn()?;
    ///
    /// let mut text = String::new();
    /// pty.read_to_string(&mut text)?; // to the end: the child has the only user end
    /// assert_eq!(text, "24 80\r\n");
    /// assert!(child.wait()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pty(&mut self, pty: impl AsRef<Pty>) -> &mut Self {
        self.settings.pty = Some(Arc::downgrade(&pty.as_ref().ends));
        self
    }
}
