//! A program whose user was changed tries from inside to regain privileges, and fails.

use std::collections::BTreeMap;

use forkexec::{BorrowingCommand, Command, SpawnPolicy};
use forkexec_core::Operation;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::{Escape, Ids, Left};
use forkexec_tests::world;
use rstest::rstest;

use super::namespaces::{Namespaces, inside};
use crate::ground::{as_root, capabilities, is_emulated, is_privileged};
use crate::stages::identity::capabilities as made;
use crate::start::{probe, report};

const USER: u32 = 4321;
const GROUP: u32 = 1234;
const GROUPS: [u32; 2] = [7, 8];

/// `CAP_NET_BIND_SERVICE` of `linux/capability.h`.
const BIND_LOW_PORTS: u32 = 10;

/// A superuser that starts the child with changed capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    Plain,
    /// `PR_SET_KEEPCAPS`.
    KeepsCapabilities,
    /// `SECBIT_NO_SETUID_FIXUP`.
    WithoutFixup,
    /// The same, with a capability that each executed program inherits.
    Ambient,
    /// The superuser of a user namespace.
    OfItsNamespace,
}

/// The identity that the child is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    All,
    UserAlone,
    GroupAlone,
}

impl Parent {
    fn become_it(self) -> Result<(), String> {
        let done = match self {
            Self::Plain | Self::OfItsNamespace => Ok(()),
            Self::KeepsCapabilities => made::keep(),
            Self::WithoutFixup => made::without_fixup(),
            Self::Ambient => made::make_ambient(BIND_LOW_PORTS),
        };
        done.map_err(|error| format!("a parent cannot be {self:?}: {error}"))
    }
}

impl Asked {
    fn of(self, command: &mut BorrowingCommand<'_>) {
        match self {
            Self::All => command.groups(GROUPS).gid(GROUP).uid(USER),
            Self::UserAlone => command.keep_groups().uid(USER),
            Self::GroupAlone => command.keep_groups().gid(GROUP),
        };
    }

    /// Checks the report of the probe that this parent started.
    fn judge(self, escape: &Escape, parent: &Escape) {
        let Escape { seen, before, after, .. } = escape;
        let gid = if self == Self::UserAlone { parent.before.fsgid } else { GROUP };
        let groups = if self == Self::All { &GROUPS[..] } else { &parent.seen.groups };
        assert_eq!((before.fsgid, &seen.groups[..]), (gid, groups));
        if self == Self::GroupAlone {
            return assert_eq!((before.fsuid, before.permitted), (0, parent.before.permitted), "it is root");
        }
        assert_eq!((seen.uids, seen.gids), (Ids::all(USER), Ids::all(gid)), "after all tries");
        // Inheritable and bounding sets grant nothing by themselves (capabilities(7)).
        let Left { inheritable, bounding, .. } = parent.before;
        let nothing =
            Left { permitted: 0, effective: 0, inheritable, ambient: 0, bounding, fsuid: USER, fsgid: gid };
        assert_eq!((*before, *after), (nothing, nothing));
        // A group that it has it may take.
        let is_its_own =
            |name: &str| gid == 0 && ["setgid", "setegid", "setresgid", "setfsgid"].contains(&name);
        let successes: Vec<_> = escape.successes().into_iter().filter(|name| !is_its_own(name)).collect();
        assert_eq!((successes, escape.tries.len()), (vec![], 19));
    }
}

/// A probe that tries to escape, in each way of starting it.
fn start_in_each_way(
    program: &std::path::Path,
    asked: Asked,
    no_new_privs: bool,
) -> BTreeMap<String, Escape> {
    let mut all = BTreeMap::new();
    for launch in [SpawnPolicy::Auto, SpawnPolicy::Fork] {
        let mut command = Command::new(program);
        command.arg("escape").current_dir("/").spawn_policy(launch);
        asked.of(&mut command);
        if no_new_privs {
            command.no_new_privs();
        }
        let once = command.output().expect("it starts");
        let prepared = command.prepare().expect("it means something");
        let again = [(); 2].map(|()| prepared.output().expect("it starts"));
        for (number, output) in [once].into_iter().chain(again).enumerate() {
            assert!(output.status.success(), "{output:?}");
            let text = String::from_utf8(output.stdout).expect("a report is ASCII");
            all.insert(format!("{launch:?} {number}"), Escape::parse(&text));
        }
    }
    all
}

fn check_all(program: &std::path::Path, asked: Asked) {
    let mut command = probe(&["escape"]);
    let own = command.output().expect("it starts").stdout;
    let own = Escape::parse(&String::from_utf8(own).expect("a report is ASCII"));
    let all_of_it = if capabilities().has(Operation::NoNewPrivs) { &[false, true][..] } else { &[false] };
    for &no_new_privs in all_of_it {
        for (way, escape) in start_in_each_way(program, asked, no_new_privs) {
            println!("{way}: {:?}", escape.tries);
            assert_eq!(escape.seen.no_new_privs, no_new_privs);
            asked.judge(&escape, &own);
        }
    }
}

/// Faults: S9
#[rstest]
fn child_of_another_user_cannot_regain_privilege(
    #[values(
        Parent::Plain,
        Parent::KeepsCapabilities,
        Parent::WithoutFixup,
        Parent::Ambient,
        Parent::OfItsNamespace
    )]
    parent: Parent,
    #[values(Asked::All, Asked::UserAlone, Asked::GroupAlone)] asked: Asked,
) {
    isolated(|| {
        if !is_privileged() || is_emulated("keeps no capabilities") {
            return;
        }
        if cfg!(forkexec_backend = "posix") && parent == Parent::Ambient {
            return skip("the floor knows of no capabilities");
        }
        let root = world::empty_chroot();
        let program = root.path().join("probe");
        if let Err(reason) = parent.become_it() {
            return skip(&reason);
        }
        if parent != Parent::OfItsNamespace {
            return check_all(&program, asked);
        }
        let own = Namespaces { flags: libc::CLONE_NEWUSER, setgroups_denied: false };
        if let Err(reason) = inside(own, || check_all(&program, asked)) {
            skip(&reason);
        }
    });
}

/// Up to 256 groups are compared one by one, more only by their number.
#[rstest]
fn child_has_the_requested_groups_at_any_count(#[values(255, 256, 257, 4_000)] count: u32) {
    as_root(|| {
        let groups: Vec<_> = (0..count).rev().map(|group| 3 * group).collect();
        let mut sorted = groups.clone();
        sorted.sort_unstable();
        assert_eq!(report(probe(&[]).groups(groups)).groups, sorted);
    });
}
