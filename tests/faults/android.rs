//! The launcher over a kernel that reports a release of Android: it makes no call that the filter of apps traps there.
//!
//! The calls that a release traps are denied here and counted instead, so that each attempt shows.

use rstest::rstest;

use forkexec_core::{
    Attribute, Backend, Closer, Errno, KeepList, LaunchError, Launcher, MemoryPolicy, Plan, Report,
    SpawnMethod, Stage,
};
use forkexec_linux::{AndroidCall, Call, Linux, LinuxLauncher, OneMethod, Release};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;

use crate::failing::Failing;
use crate::launcher::plan;
use crate::shared::{Calls, Ran, launch, over};

/// The methods of `Sys` and its kin that make calls which the release traps, but for clone3(2), which is one of two calls
/// of one method.
fn trapped(release: Release) -> Vec<&'static str> {
    let methods = |call: &AndroidCall| match call {
        AndroidCall::CloseRange => vec!["close_range", "close_range_unshare"],
        AndroidCall::PidfdOpen => vec!["open_pidfd"],
        AndroidCall::Chroot => vec!["chroot"],
        AndroidCall::SetGroups => vec!["set_groups"],
        AndroidCall::SetGid => vec!["set_gid"],
        AndroidCall::SetMemoryPolicy => vec!["memory_policy"],
        // One method makes all calls of attributes, another both calls of clone, and the library signals.
        AndroidCall::Keyctl | AndroidCall::Landlock | AndroidCall::Clone3 | AndroidCall::PidfdSendSignal => {
            vec![]
        }
    };
    AndroidCall::ALL.iter().filter(|call| !release.allows(**call)).flat_map(methods).collect()
}

fn android(level: u32, is_filtered: bool) -> (&'static Linux<Calls>, LinuxLauncher<'static, Calls>) {
    let trapped = trapped(Release::Android(level));
    over(|kernel| Failing::nothing(kernel).on_android(level, is_filtered).denying(&trapped, Errno::IO))
}

/// A kept number with a gap below it that must be closed.
fn closing() -> Plan<'static> {
    Plan { keep: KeepList::new(&[60]).expect("the list is sorted"), pidfd: true, ..plan() }
}

/// Faults: F16, Q-android
#[rstest]
#[case::unknown(0)]
#[case::android_8_0(26)]
#[case::android_8_1(27)]
#[case::android_9(28)]
#[case::android_10(29)]
#[case::android_11(30)]
#[case::android_12(31)]
#[case::android_12l(32)]
#[case::android_13(33)]
#[case::android_14(34)]
#[case::android_15(35)]
fn release_decides_which_calls_are_made(#[case] level: u32) {
    isolated(|| {
        let release = Release::Android(level);
        let (backend, launcher) = android(level, true);
        for round in 0..3 {
            let Ran { method, by, pidfd } = launch(backend, &launcher, &closing()).expect("it starts");
            let has_range = release.allows(AndroidCall::CloseRange);
            let by_list = (SpawnMethod::Vfork, Closer::Enumerator(0));
            // clone(2) shares no table before the first child has shown that memory is shared.
            let shares = round > 0 || release.allows(AndroidCall::Clone3);
            let at_once = (if shares { SpawnMethod::Shared } else { SpawnMethod::Vfork }, Closer::Bulk);
            assert_eq!((method, by), if has_range { at_once } else { by_list });
            assert!(pidfd, "clone(2) gives one");
        }
        let forking = Box::leak(Box::new(LinuxLauncher::new(backend)));
        let forked =
            launch(backend, &OneMethod::new(forking, SpawnMethod::Fork), &closing()).expect("it starts");
        assert_eq!(forked.pidfd, release.allows(AndroidCall::PidfdOpen));
        assert_eq!(backend.sys().denials(), 0, "no trapped call was made");
        let used_clone3 = backend.sys().take_starts().iter().any(|start| start.call == Call::Clone3);
        assert_eq!(used_clone3, release.allows(AndroidCall::Clone3));
    });
}

/// Faults: F16
#[rstest]
#[case::root(Stage::Chroot, Errno::PERM, |plan| Plan { root: Some(c"/"), ..plan })]
#[case::groups(Stage::Groups, Errno::PERM, |plan| Plan { groups: Some(&[0]), ..plan })]
#[case::gid(Stage::Gid, Errno::PERM, |plan| Plan { gid: Some(0), ..plan })]
#[case::memory_policy(Stage::MemoryPolicy, Errno::NOSYS, |plan| Plan {
    attributes: &[Attribute::MemoryPolicy(MemoryPolicy::Local, &[])], ..plan
})]
#[case::session_keyring(Stage::SessionKeyring, Errno::NOSYS, |plan| Plan {
    attributes: &[Attribute::SessionKeyring], ..plan
})]
#[case::landlock(Stage::Landlock, Errno::NOSYS, |plan| Plan { attributes: &[Attribute::Landlock(0)], ..plan })]
fn app_gets_an_error_for_each_trapped_operation(
    #[case] stage: Stage,
    #[case] errno: Errno,
    #[case] ask: fn(Plan<'static>) -> Plan<'static>,
    #[values(0, 28, 35)] level: u32,
) {
    isolated(|| {
        let (backend, launcher) = android(level, true);
        let refused = Err(LaunchError::Child(Report { stage, errno, operand: 0 }));
        let plan = ask(plan());
        assert_eq!(launch(backend, &launcher, &plan), refused);
        assert_eq!(
            launcher.launch_fast(&plan).map(drop),
            refused.as_ref().map(|_| ()).map_err(|error| *error)
        );
        assert_eq!((backend.sys().denials(), backend.sys().take_starts().len()), (0, 0), "no child");
    });
}

/// A process of Android that is no app has no filter, and apps have none of these calls in it before Android 9.
///
/// Faults: F16
#[rstest]
#[case::no_app(28, false)]
#[case::android_8_1(27, true)]
fn process_without_the_app_filter_changes_its_groups(#[case] level: u32, #[case] is_filtered: bool) {
    isolated(|| {
        if !world::is_root() {
            return skip("only the superuser changes its groups");
        }
        let (backend, launcher) =
            over(|kernel| Failing::nothing(kernel).on_android(level, is_filtered).denying(&[], Errno::IO));
        let plan = Plan { root: Some(c"/"), groups: Some(&[0]), gid: Some(0), ..plan() };
        assert!(launch(backend, &launcher, &plan).is_ok());
    });
}
