//! Socket activation, as systemd has it (`sd_listen_fds(3)`): sockets from descriptor 3 up, and three variables that say
//! how many, how they are called, and whom they are for.

pub(crate) mod announce;
mod receive;

pub use receive::{ListenFd, listen_fds};

/// How many descriptors there are.
const COUNT: &str = "LISTEN_FDS";
/// Their names, with colons between them.
const NAMES: &str = "LISTEN_FDNAMES";
/// The process that they are for: a child that inherits the variables knows that they do not speak to it.
const PID: &str = "LISTEN_PID";

/// The first of the descriptors (`SD_LISTEN_FDS_START`).
pub(crate) const FIRST: i32 = 3;

/// Whether a name can be told from its neighbours: printable ASCII without a colon, 255 bytes at most (`fdname_is_valid` of
/// systemd's `fd-util`).
pub(crate) fn is_name(name: &str) -> bool {
    const LONGEST: usize = 255;
    name.len() <= LONGEST && name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b':')
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
    #[case::the_longest(&"x".repeat(255), true)]
    #[case::longer(&"x".repeat(256), false)]
    fn a_name_is_printable_ascii_without_a_colon(#[case] name: &str, #[case] is: bool) {
        assert_eq!(is_name(name), is);
    }
}
