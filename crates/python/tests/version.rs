//! The versions of CPython.

#[path = "../src/version.rs"]
#[expect(dead_code, reason = "there is no interpreter here")]
mod version;

use rstest::rstest;
use version::Version;

#[rstest]
#[case::oldest("3.8.18 (default, …)", Some(8), 17)]
#[case::ids("3.9.18 (main, …)", Some(9), 21)]
#[case::two_digits("3.10.13 (main, …)", Some(10), 21)]
#[case::process_group("3.11.7+debug", Some(11), 23)]
#[case::last_with_vfork_flag("3.13.0 (main, …)", Some(13), 23)]
#[case::without_vfork_flag("3.14.0a1 (main, …)", Some(14), 22)]
#[case::newest_measured("3.15.0 (main, …)", Some(15), 22)]
#[case::not_three("4.0.0", None, 22)]
fn version_has_its_number_of_arguments(
    #[case] text: &str,
    #[case] minor: Option<u8>,
    #[case] arguments: isize,
) {
    let version = Version::of(text.as_bytes());
    assert_eq!(version, minor.map(Version));
    assert_eq!(version.unwrap_or(Version(14)).arguments(), arguments);
}
