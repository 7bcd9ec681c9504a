//! Why a control group refuses a process (version 2: Documentation/admin-guide/cgroup-v2.rst of Linux).

use crate::error::{Cause, Operand, SpawnError, errno_of};
use forkexec_core::{Errno, Stage};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Finds the cause in the files of a group.
pub(crate) fn of_cgroup(path: &Path, errno: Errno) -> Option<Cause> {
    // Every group of version 2 has this file, including the root.
    let lacks = |name: &str| path.join(name).try_exists().is_ok_and(|exists| !exists);
    if path.is_dir() && lacks("cgroup.controllers") {
        return Some(Cause::NotCgroup);
    }
    let read = |name: &str| fs::read_to_string(path.join(name)).ok().map(|text| text.trim().to_owned());
    match errno.raw() {
        // "No Internal Process Constraint".
        libc::EBUSY => {
            let controllers = read("cgroup.subtree_control").filter(|names| !names.is_empty())?;
            Some(Cause::CgroupInner { controllers })
        }
        // "cgroup.type". A threaded group accepts whole processes. A group below one accepts none before it
        // is threaded as well.
        libc::EOPNOTSUPP => {
            let kind = read("cgroup.type").filter(|kind| kind == "domain invalid")?;
            Some(Cause::CgroupType { kind })
        }
        _ => None,
    }
}

/// Returns the error of a call in the parent that concerns a control group.
pub(crate) fn cgroup_failed(path: PathBuf, error: &io::Error) -> SpawnError {
    let errno = errno_of(error);
    let cause = of_cgroup(&path, errno);
    SpawnError::new(Stage::Cgroup, Operand::Path(path), errno, cause)
}

#[cfg(test)]
mod tests {
    use super::{Cause, Errno, of_cgroup};
    use rstest::rstest;
    use std::fs;
    use std::path::Path;

    const UNSUPPORTED: Errno = Errno::from_raw(libc::EOPNOTSUPP);

    /// The files of a group, as the kernel shows them.
    type Files = [(&'static str, &'static str)];

    /// Faults: E27
    #[rstest]
    #[case::inner(
        &[("cgroup.controllers", "cpu memory\n"), ("cgroup.subtree_control", "cpu memory\n")], Errno::BUSY,
        Some(Cause::CgroupInner { controllers: "cpu memory".to_owned() }))]
    #[case::busy_and_distributes_nothing(
        &[("cgroup.controllers", "cpu\n"), ("cgroup.subtree_control", "\n")], Errno::BUSY, None)]
    #[case::inner_and_not_busy(
        &[("cgroup.controllers", "cpu\n"), ("cgroup.subtree_control", "cpu\n")], Errno::PERM, None)]
    #[case::threaded(&[("cgroup.controllers", ""), ("cgroup.type", "threaded\n")], UNSUPPORTED, None)]
    #[case::below_a_threaded_one(
        &[("cgroup.controllers", ""), ("cgroup.type", "domain invalid\n")], UNSUPPORTED,
        Some(Cause::CgroupType { kind: "domain invalid".to_owned() }))]
    #[case::domain(&[("cgroup.controllers", ""), ("cgroup.type", "domain\n")], UNSUPPORTED, None)]
    #[case::version_1(&[("cgroup.procs", "")], Errno::PERM, Some(Cause::NotCgroup))]
    #[case::no_group(&[], Errno::NOENT, Some(Cause::NotCgroup))]
    fn cause_is_read_from_the_files_of_the_cgroup(
        #[case] files: &Files,
        #[case] errno: Errno,
        #[case] cause: Option<Cause>,
    ) {
        let group = tempfile::tempdir().expect("a temporary directory can be made");
        for (name, text) in files {
            fs::write(group.path().join(name), text).expect("it can be written");
        }
        assert_eq!(of_cgroup(group.path(), errno), cause);
    }

    /// Faults: E27
    #[test]
    fn path_that_is_no_directory_has_no_cause() {
        assert_eq!(of_cgroup(Path::new("/no/such"), Errno::NOENT), None);
        assert_eq!(of_cgroup(Path::new("/dev/null"), Errno::NOTDIR), None);
    }
}
