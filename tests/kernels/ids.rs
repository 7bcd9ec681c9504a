//! The user IDs that a process has after it changed its user, on systems whose setreuid(2) differs.

use rstest::rstest;

use forkexec_core::Errno;
use forkexec_unix::set_all_ids;

/// The user that the process is to become.
const USER: u32 = 1_000;

/// The user IDs of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ids {
    real: u32,
    effective: u32,
    saved: u32,
}

const SET_UID_ROOT: Ids = Ids { real: USER, effective: 0, saved: 0 };
const ROOT: Ids = Ids { real: 0, effective: 0, saved: 0 };
const UNPRIVILEGED: Ids = Ids { real: USER, effective: USER, saved: USER };
const OTHER: Ids = Ids { real: 7, effective: 7, saved: 7 };

/// When setreuid(2) sets the saved ID. The answers to question 10 of the backends cite the same sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// If the real ID changes.
    ///
    /// Source: `common_setreuid` of src/system/kernel/usergroup.cpp of Haiku at 021ccbd; `sys_setreuid` of
    /// sys/kern/kern_prot.c of NetBSD, 1.111.
    RealChanges,
    /// If the real ID is given.
    ///
    /// Source: `sys_setreuid` of sys/kern/kern_prot.c of FreeBSD at cb3c7be and of DragonFly at 03c4e78; `setreuid` of
    /// uts/common/syscall/uid.c of illumos-gate at 5f57042.
    RealIsGiven,
    /// If the real ID changes, or if the effective one becomes another than the saved one.
    ///
    /// Source: `sys_setreuid` of sys/kern/kern_prot.c of OpenBSD at 96ad53f.
    Differs,
    /// If the saved ID is neither of the two that are given.
    ///
    /// Source: `setreuid` of bsd/kern/kern_prot.c of xnu at 1031c58.
    IsNeither,
}

impl Ids {
    /// setuid(2): sets all IDs of a privileged process, and only the effective one of another.
    ///
    /// Source: `common_setreuid` of Haiku, with `setAllIfPrivileged`.
    fn setuid(&mut self, user: u32) -> Result<(), Errno> {
        if self.effective == 0 {
            *self = Self { real: user, effective: user, saved: user };
        } else if [self.real, self.saved].contains(&user) {
            self.effective = user;
        } else {
            return Err(Errno::PERM);
        }
        Ok(())
    }

    /// setreuid(2) with the same ID twice.
    fn setreuid(&mut self, rule: Rule, user: u32) -> Result<(), Errno> {
        if self.effective != 0 && ![self.real, self.effective].contains(&user) {
            return Err(Errno::PERM);
        }
        let sets_saved = match rule {
            Rule::RealChanges => self.real != user,
            Rule::RealIsGiven => true,
            Rule::Differs => self.real != user || self.saved != user,
            Rule::IsNeither => self.saved != user,
        };
        *self = Self { real: user, effective: user, saved: if sets_saved { user } else { self.saved } };
        Ok(())
    }

    /// The answer to a change of user, and the IDs afterwards.
    fn become_user(self, rule: Rule, sets_saved: bool) -> (Result<(), Errno>, Self) {
        let ids = std::cell::Cell::new(self);
        let change = |call: &dyn Fn(&mut Self) -> Result<(), Errno>| {
            let mut changed = ids.get();
            let answer = call(&mut changed);
            ids.set(changed);
            answer
        };
        let answer = set_all_ids(
            sets_saved,
            || change(&|ids| ids.setuid(USER)),
            || change(&|ids| ids.setreuid(rule, USER)),
        );
        (answer, ids.get())
    }
}

/// Faults: S9
#[rstest]
#[case::haiku_and_netbsd(Rule::RealChanges, false)]
#[case::freebsd_and_illumos(Rule::RealIsGiven, true)]
#[case::openbsd(Rule::Differs, true)]
#[case::macos(Rule::IsNeither, true)]
#[case::any_system_that_is_not_known(Rule::RealIsGiven, false)]
fn change_of_user_leaves_no_other_id(
    #[case] rule: Rule,
    #[case] sets_saved: bool,
    #[values(SET_UID_ROOT, ROOT, UNPRIVILEGED)] parent: Ids,
) {
    assert_eq!(parent.become_user(rule, sets_saved), (Ok(()), UNPRIVILEGED));
}

/// A program that a set-user-ID parent started could become root again.
///
/// Faults: S9
#[test]
fn setreuid_alone_keeps_the_saved_id_of_root_on_haiku() {
    let (answer, ids) = SET_UID_ROOT.become_user(Rule::RealChanges, true);
    assert_eq!((answer, ids), (Ok(()), Ids { saved: 0, ..UNPRIVILEGED }));
}

#[rstest]
fn change_of_user_without_privilege_is_an_error(#[values(false, true)] sets_saved: bool) {
    assert_eq!(OTHER.become_user(Rule::RealChanges, sets_saved), (Err(Errno::PERM), OTHER));
}
