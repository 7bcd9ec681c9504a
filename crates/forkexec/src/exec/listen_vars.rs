//! Socket activation, the starting side, as in systemd (`sd_listen_fds(3)`). Sockets start at descriptor 3,
//! and three variables hold their count, their names and the process that they are for. Count and names are
//! known when a command is prepared. The child writes its process id (`own_pids`).

use crate::config::environment::Variables;
use crate::config::settings::Settings;

/// The number of descriptors.
pub(crate) const COUNT: &str = "LISTEN_FDS";
/// Their names, separated by colons.
pub(crate) const NAMES: &str = "LISTEN_FDNAMES";
/// The process that they are for. A descendant that inherits the variables sees that they are not for it.
pub(crate) const PID: &str = "LISTEN_PID";

/// The first of the descriptors (`SD_LISTEN_FDS_START`).
pub(crate) const FIRST: i32 = 3;

/// Returns true for a valid name: printable ASCII without a colon, at most 255 bytes (`fdname_is_valid` of
/// systemd's `fd-util`).
pub(crate) fn is_name(name: &str) -> bool {
    const LONGEST: usize = 255;
    name.len() <= LONGEST && name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b':')
}

/// Sets the variables that the parent knows. `LISTEN_PID` of the parent's own activation is removed.
pub(crate) fn announce(settings: &Settings<'_>, variables: &mut Variables) {
    if settings.sockets.is_empty() {
        return;
    }
    variables.remove(PID);
    variables.set(COUNT, settings.sockets.len().to_string());
    variables.set(NAMES, settings.sockets.join(":"));
}

#[cfg(test)]
mod tests {
    use super::is_name;
    use rstest::rstest;

    #[rstest]
    #[case::usual("http", true)]
    #[case::empty("", true)]
    #[case::with_a_space("my socket", true)]
    #[case::with_a_colon("a:b", false)]
    #[case::with_a_line_end("a\n", false)]
    #[case::with_a_nul("a\0", false)]
    #[case::not_ascii("hütte", false)]
    #[case::longest(&"x".repeat(255), true)]
    #[case::longer(&"x".repeat(256), false)]
    fn listen_name_is_printable_ascii_without_a_colon(#[case] name: &str, #[case] is: bool) {
        assert_eq!(is_name(name), is);
    }
}
