//! Resolves a program's name to the paths that exec tries.
//!
//! The search happens in the parent, with one rule for every system and C library. The functions `execvp` and
//! `posix_spawnp` differ in which `PATH` they read, in what an empty element means, and in which errors end
//! the search.

use std::ffi::{CString, NulError, OsStr};
use std::os::unix::ffi::OsStrExt;

/// Returns the paths to try for `program`, a name without a slash, in order.
pub(crate) fn candidates(program: &OsStr, list: &OsStr) -> Result<Vec<CString>, NulError> {
    let directories = list.as_bytes().split(|&byte| byte == b':').filter(|directory| !directory.is_empty());
    directories.map(|directory| CString::new(join(directory, program))).collect()
}

fn join(directory: &[u8], program: &OsStr) -> Vec<u8> {
    let mut path = directory.to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(program.as_bytes());
    path
}

#[cfg(test)]
mod tests {
    use super::candidates;
    use rstest::rstest;
    use std::ffi::OsStr;

    #[rstest]
    #[case::in_order("ls", "/bin:/usr/bin", &["/bin/ls", "/usr/bin/ls"])]
    #[case::empty_elements_are_skipped("ls", ":/bin::", &["/bin/ls"])]
    #[case::dot_is_the_working_directory("ls", ".", &["./ls"])]
    #[case::no_double_slash("ls", "/bin/:/", &["/bin/ls", "/ls"])]
    #[case::nowhere("ls", "", &[])]
    fn name_is_searched_in_every_directory(
        #[case] program: &str,
        #[case] list: &str,
        #[case] paths: &[&str],
    ) {
        let found = candidates(OsStr::new(program), OsStr::new(list)).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(found, paths);
    }
}
