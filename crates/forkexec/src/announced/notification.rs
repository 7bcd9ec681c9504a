//! A message from a child to its supervisor.

use crate::sys::datagram::Datagram;
use crate::sys::system::senders;
use std::os::fd::OwnedFd;
use std::str;

/// The longest message, as in systemd (`NOTIFY_BUFFER_MAX`). A longer one is discarded.
pub(crate) const LONGEST: usize = 4096;

/// A message that a child sent to a [`NotifySocket`](crate::NotifySocket), as `sd_notify(3)` defines it: lines of the
/// form `NAME=value`.
///
/// The sender decides what a message says. Do not trust it more than the sender: `MAINPID=` can name any process.
///
/// # Examples
///
/// See [`NotifySocket`](crate::NotifySocket).
#[derive(Debug)]
pub struct Notification {
    text: Vec<u8>,
    sender: Option<u32>,
    fds: Vec<OwnedFd>,
}

impl Notification {
    /// Interprets a received datagram. Returns `None` if it is no message: longer than the buffer, or with a NUL byte
    /// before its end. The descriptors of a message that stores none are closed.
    pub(crate) fn new(buffer: &[u8], datagram: Datagram) -> Option<Self> {
        let text = buffer.get(..datagram.length).filter(|_| !datagram.is_cut)?;
        let text = text.strip_suffix(b"\0").unwrap_or(text);
        if text.contains(&0) {
            return None;
        }
        let mut message = Self { text: text.to_vec(), sender: datagram.sender, fds: datagram.fds };
        // The sender of a barrier waits until its descriptor is closed.
        if !message.is_set("FDSTORE") || message.is_set("BARRIER") {
            message.fds.clear();
        }
        Some(message)
    }

    /// Returns the value of the first line with this name. A value that is not UTF-8 is skipped.
    pub fn get(&self, name: &str) -> Option<&str> {
        let lines = self.text.split(|&byte| byte == b'\n');
        let mut values = lines.filter_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        values.find_map(|value| str::from_utf8(value).ok())
    }

    fn is_set(&self, name: &str) -> bool {
        self.get(name) == Some("1")
    }

    /// Returns true if the child is ready (`READY=1`): it has started, or has reloaded its configuration.
    pub fn is_ready(&self) -> bool {
        self.is_set("READY")
    }

    /// Returns true if the child reloads its configuration (`RELOADING=1`). `READY=1` follows.
    pub fn is_reloading(&self) -> bool {
        self.is_set("RELOADING")
    }

    /// Returns true if the child is about to end (`STOPPING=1`).
    pub fn is_stopping(&self) -> bool {
        self.is_set("STOPPING")
    }

    /// Returns true if the child works: `WATCHDOG=1`, which restarts its watchdog.
    pub fn is_watchdog(&self) -> bool {
        self.is_set("WATCHDOG")
    }

    /// Returns true if the child asks to be treated as if its watchdog had expired (`WATCHDOG=trigger`).
    pub fn is_watchdog_trigger(&self) -> bool {
        self.get("WATCHDOG") == Some("trigger")
    }

    /// Returns a line about the state of the child, for people (`STATUS=`).
    pub fn status(&self) -> Option<&str> {
        self.get("STATUS")
    }

    /// Returns the process that the child names as the main process of the service (`MAINPID=`). It need not be a
    /// descendant of the child.
    pub fn main_pid(&self) -> Option<u32> {
        decimal(self.get("MAINPID")?).filter(|&pid| i32::try_from(pid).is_ok_and(|pid| pid > 0))
    }

    /// Returns the error number with which the child failed (`ERRNO=`).
    pub fn errno(&self) -> Option<i32> {
        let errno = decimal(self.get("ERRNO")?)?;
        i32::try_from(errno).ok().filter(|&errno| errno > 0)
    }

    /// Returns the process that sent the message, as the kernel reported it. Returns `None` if the sender is in a pid
    /// namespace that this process cannot see, and on systems other than Linux.
    pub fn sender(&self) -> Option<u32> {
        self.sender
    }

    /// Returns true if the process with this pid sent the message, or a descendant of it that still runs.
    ///
    /// Call it soon after the message was received. A descendant is known by its parents, as `/proc` shows them at the
    /// time of the call: one that has ended, or whose parent has ended, is not found.
    ///
    /// # Platform-specific behavior
    ///
    /// On systems other than Linux the sender is not determined, and the method returns true. Bind the socket in a
    /// directory that only permitted users can search.
    pub fn is_from(&self, pid: u32) -> bool {
        senders::is_within(self.sender, pid)
    }

    /// Takes the descriptors that the child stores with its supervisor (`FDSTORE=1`), close-on-exec. A name is in
    /// `FDNAME=`.
    ///
    /// The descriptors of other messages were closed when the message was received. If the descriptor limit did not
    /// allow all descriptors of a message, none is left.
    pub fn take_fds(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.fds)
    }
}

/// Parses a number without a sign.
fn decimal(text: &str) -> Option<u32> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

#[cfg(test)]
mod tests {
    use super::{Datagram, Notification};
    use crate::sys::fd::pipe;
    use proptest::prelude::*;
    use rstest::rstest;

    fn datagram(length: usize, is_cut: bool, fds: usize) -> Datagram {
        let fds = (0..fds).map(|_| pipe().expect("a pipe can be made").0.into()).collect();
        Datagram { length, is_cut, fds, sender: None }
    }

    fn message(text: &[u8]) -> Option<Notification> {
        Notification::new(text, datagram(text.len(), false, 0))
    }

    #[test]
    fn message_has_the_values_of_its_lines() {
        let text = b"READY=1\nSTATUS=two = 2\nMAINPID=4711\nERRNO=2\nX_OWN=\nREADY=0\n";
        let message = message(text).expect("it is a message");
        assert!(message.is_ready());
        assert!(!message.is_reloading() && !message.is_stopping() && !message.is_watchdog());
        assert_eq!(
            (message.status(), message.main_pid(), message.errno()),
            (Some("two = 2"), Some(4711), Some(2))
        );
        assert_eq!((message.get("X_OWN"), message.get("X_OTHER"), message.get("")), (Some(""), None, None));
    }

    #[rstest]
    #[case::reloading("RELOADING=1", Notification::is_reloading)]
    #[case::stopping("STOPPING=1\n", Notification::is_stopping)]
    #[case::watchdog("STATUS=\nWATCHDOG=1", Notification::is_watchdog)]
    #[case::trigger("WATCHDOG=trigger", Notification::is_watchdog_trigger)]
    #[case::with_a_nul_at_its_end("READY=1\0", Notification::is_ready)]
    fn message_says_one_thing(#[case] text: &str, #[case] is: fn(&Notification) -> bool) {
        assert!(is(&message(text.as_bytes()).expect("it is a message")));
        assert!(!is(&message(b"").expect("it is an empty message")));
    }

    #[rstest]
    #[case::zero("0")]
    #[case::negative("-1")]
    #[case::signed("+1")]
    #[case::with_a_space(" 1")]
    #[case::empty("")]
    #[case::above_all_pids("2147483648")]
    #[case::huge("99999999999999999999999999")]
    #[case::word("one")]
    fn invalid_number_of_a_message_is_none(#[case] number: &str) {
        let text = format!("MAINPID={number}\nERRNO={number}");
        let message = message(text.as_bytes()).expect("it is a message");
        assert_eq!((message.main_pid(), message.errno()), (None, None));
    }

    #[rstest]
    #[case::nul(b"READY=1\0\nSTATUS=x", false)]
    #[case::two_nuls_at_its_end(b"READY=1\0\0", false)]
    #[case::cut(b"READY=1", true)]
    fn datagram_that_is_no_message_is_discarded(#[case] text: &[u8], #[case] is_cut: bool) {
        assert!(Notification::new(text, datagram(text.len(), is_cut, 0)).is_none());
    }

    #[test]
    fn line_that_is_not_utf_8_is_skipped() {
        let message = message(b"STATUS=\xff\nREADY=1\nSTATUS=text").expect("it is a message");
        assert_eq!((message.is_ready(), message.status()), (true, Some("text")));
    }

    #[rstest]
    #[case::stored("FDSTORE=1\nFDNAME=x", 3)]
    #[case::not_asked_for("READY=1", 0)]
    #[case::barrier("BARRIER=1", 0)]
    #[case::stored_with_a_barrier("FDSTORE=1\nBARRIER=1", 0)]
    fn only_stored_fds_are_handed_out(#[case] text: &str, #[case] count: usize) {
        let mut message =
            Notification::new(text.as_bytes(), datagram(text.len(), false, 3)).expect("it is a message");
        assert_eq!((message.take_fds().len(), message.take_fds().len()), (count, 0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0..400_usize) {
            if let Some(message) = Notification::new(&bytes, datagram(length, false, 0)) {
                prop_assert!(message.main_pid().is_none_or(|pid| pid > 0));
                prop_assert!(message.errno().is_none_or(|errno| errno > 0));
                prop_assert!(message.status().is_none_or(|status| !status.contains('\n')));
            }
        }

        #[test]
        fn value_of_a_line_is_found(name in "[A-Z_]{1,8}", value in "[^\n\0]{0,20}", before in "[a-z=\n]{0,20}") {
            let text = format!("{before}\n{name}={value}\nREST=1");
            let message = message(text.as_bytes()).expect("it is a message");
            prop_assert_eq!(message.get(&name), Some(value.as_str()));
        }
    }
}
