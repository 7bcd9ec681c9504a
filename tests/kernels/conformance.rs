//! The requirements that every backend meets: one call per backend.
//!
//! The kernel works, has no lists, or has lists that lie. Each of its calls fails, always or once, with each errno. Every
//! world has two children, and the backend learns from the first. Whole plans run, too, and each call of each stage fails. If exec
//! closes the descriptors, no table can be compared before it: such a backend has its own cases.

mod planted;

use std::collections::BTreeSet;

use forkexec_core::{
    Backend, CloseStrategy, Closed, Closer, Errno, Fd, LOOP_FLOOR, Operation, close_except,
    set_cloexec_except,
};

use crate::sim::{Call, Listing, NAMES, SimKernel};
use crate::sweep::runs_whole_plans;
use crate::{keep_list, left_open};

const ERRNOS: [Errno; 7] =
    [Errno::NOSYS, Errno::PERM, Errno::ACCES, Errno::INVAL, Errno::INTR, Errno::IO, Errno::MFILE];
/// Answers that belong to one launch: the bulk call is asked again.
const OF_ONE_LAUNCH: [Errno; 8] = [
    Errno::INTR,
    Errno::IO,
    Errno::MFILE,
    Errno::BADF,
    Errno::OVERFLOW,
    Errno::TOOBIG,
    Errno::AGAIN,
    Errno::NOMEM,
];
const KEPT: [&[Fd]; 5] = [&[], &[3], &[9, 60], &[60, 61], &[300]];
const LINKS: [CloseStrategy; 3] = [CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop];

const CHANGES: [(&[Fd], CloseStrategy, bool); 4] = [
    (&[9, 60], CloseStrategy::Bulk, true),
    (&[60, 61], CloseStrategy::Enumerate, false),
    (&[], CloseStrategy::Bulk, false),
    (&[9, 60], CloseStrategy::Loop, true),
];

type World = fn(SimKernel) -> SimKernel;
const WORLDS: [World; 5] = [
    |kernel| kernel,
    SimKernel::without_listings,
    |kernel| kernel.with_listing(&Listing::plain(0..3)),
    |kernel| kernel.with_limit(u64::MAX),
    |kernel| kernel.with_limit(64),
];

/// A limit above the numbers that the loop closes in any case.
const HIGH_LIMIT: Fd = LOOP_FLOOR + 1_000;

fn sparse() -> SimKernel {
    SimKernel::new().with_open(&[3, 4, 9, 60, 61, 70]).with_cloexec(&[50, 300])
}

/// Holds a backend to its contract.
///
/// # Panics
///
/// With what it does not keep to.
pub(crate) fn conforms<B: Backend<Sys = SimKernel>>(backend: impl Fn(SimKernel) -> B) {
    let backend = |kernel| {
        let backend = backend(kernel);
        backend.before_launch();
        backend
    };
    says_what_it_has(&backend(SimKernel::new()));
    for world in WORLDS {
        for keep in KEPT {
            for link in LINKS {
                closes_exactly(&backend(world(sparse())), keep, link);
            }
        }
        for (keep, link, cloexec) in CHANGES {
            changes_exactly(&backend(world(sparse())), keep, cloexec, link, Errno::OVERFLOW);
        }
    }
    let of_closing = calls_of_closing(&backend(sparse()));
    let sparse = || sparse().with_calls(of_closing.clone());
    // A number that cannot be closed stays open whatever the backend does.
    let names: BTreeSet<_> =
        NAMES.iter().chain(&of_closing).copied().filter(|&name| name != "close").collect();
    for name in names {
        for errno in ERRNOS {
            for which in [0..usize::MAX, 0..1, 1..2] {
                let kernel = sparse().refusing_some(name, which, errno);
                closes_exactly(&backend(kernel), &[9, 60], CloseStrategy::Bulk);
            }
        }
    }
    for &name in of_closing.iter().chain(&["close_range_cloexec", "set_cloexec"]) {
        for which in [0..usize::MAX, 0..1, 1..2] {
            let kernel = sparse().refusing_some(name, which, Errno::PERM);
            let refusal = if name == "set_cloexec" { Errno::PERM } else { Errno::OVERFLOW };
            changes_exactly(&backend(kernel), &[9, 60], true, CloseStrategy::Bulk, refusal);
        }
    }
    for &name in &of_closing {
        closes_exactly(
            &backend(sparse().without_listings().refusing(name, Errno::NOSYS)),
            &[9, 60],
            CloseStrategy::Bulk,
        );
    }
    for (limit, highest) in [(HIGH_LIMIT, HIGH_LIMIT - 1), (64, LOOP_FLOOR - 1)] {
        let kernel = SimKernel::new().with_open(&[3, highest]).with_limit(limit.unsigned_abs().into());
        closes_exactly(&backend(kernel.without_listings()), &[], CloseStrategy::Loop);
    }
    makes_its_bulk_call(&backend(sparse()));
    remembers(&backend(sparse()));
    calls_again_what_failed_once(backend);
    runs_whole_plans(backend);
    lists_truly(&backend(sparse()));
}

/// The calls by which the backend closes, without close(2) itself.
fn calls_of_closing<B: Backend<Sys = SimKernel>>(backend: &B) -> BTreeSet<&'static str> {
    for strategy in LINKS {
        closes_exactly(backend, &[], strategy);
    }
    backend.sys().log().iter().map(|call| call.name).filter(|&name| name != "close").collect()
}

fn says_what_it_has<B: Backend>(backend: &B) {
    let has = backend.capabilities();
    let names: Vec<_> = backend.enumerators().iter().map(|enumerator| enumerator.name()).collect();
    assert_eq!(names, has.enumerators, "the enumerators and their names differ");
    assert!(!has.system.is_empty() && !has.launchers.is_empty(), "{has:?}");
    assert!(has.resources.iter().any(|(name, _)| *name == "nofile"), "the descriptor limit has no name");
    for (operation, answer) in [
        (Operation::DieWithParent, backend.die_with_parent(1)),
        (Operation::NoNewPrivs, backend.no_new_privs()),
    ] {
        assert_eq!(has.has(operation), answer != Err(Errno::NOSYS), "{operation:?} answers {answer:?}");
    }
}

/// Two children: what the backend learns from the first is true for the second.
fn closes_exactly<B: Backend<Sys = SimKernel>>(backend: &B, keep: &[Fd], link: CloseStrategy) {
    let table = backend.sys().table();
    for _ in 0..2 {
        backend.sys().restore(&table);
        closes_once(backend, keep, link.max(backend.first_strategy()));
    }
}

/// All is closed that is not kept; or the answer is an error, and what is kept is open.
fn closes_once<B: Backend<Sys = SimKernel>>(backend: &B, keep: &[Fd], link: CloseStrategy) {
    let before = backend.sys().open_fds();
    let kept: Vec<_> = before.iter().copied().filter(|fd| *fd < 3 || keep.contains(fd)).collect();
    match close_except(backend, 3, keep_list(keep), link) {
        Ok(Closed { by: Closer::Nothing, .. }) => panic!("nothing was closed, from {link:?}"),
        Ok(closed) => {
            let left = left_open(&before, keep_list(keep));
            assert_eq!(
                backend.sys().open_fds(),
                left,
                "{closed:?} from {link:?}, {:?}",
                backend.sys().calls().iter().filter(|call| !call.starts_with("close(")).collect::<Vec<_>>()
            );
            backend.learn(&closed);
        }
        Err(errno) => {
            assert_eq!(errno, Errno::OVERFLOW, "from {link:?}");
            let open = backend.sys().open_fds();
            assert!(kept.iter().all(|fd| open.contains(fd)), "{kept:?} became {open:?}");
        }
    }
}

/// The flag is changed of all that is not kept, and nothing else is; or the answer is this error, and nothing is closed.
fn changes_exactly<B: Backend<Sys = SimKernel>>(
    backend: &B,
    keep: &[Fd],
    cloexec: bool,
    link: CloseStrategy,
    refusal: Errno,
) {
    let before = backend.sys().table();
    let changed = set_cloexec_except(backend, 3, keep_list(keep), cloexec, link);
    let expected = before.with_cloexec_except(3, keep, cloexec);
    match changed {
        Ok(by) => assert_eq!(backend.sys().table().entries(), &expected, "{by:?} from {link:?}"),
        Err(errno) => {
            assert_eq!(errno, refusal, "from {link:?}");
            assert_eq!(backend.sys().open_fds(), before.fds(), "from {link:?}");
        }
    }
}

/// A good kernel has the call that the backend names. The call has no upper end in the last gap: no number, or the
/// kernel's own word for it.
fn makes_its_bulk_call<B: Backend<Sys = SimKernel>>(backend: &B) {
    let closed = close_except(backend, 3, keep_list(&[9]), CloseStrategy::Bulk).map(|closed| closed.by);
    let named = backend.bulk_closer();
    assert_eq!(closed == Ok(Closer::Bulk), named.is_some(), "{closed:?} closes, and not {named:?}");
    let ends_at = |call: &Call| call.name.starts_with("close_range").then_some(call.numbers[1]).flatten();
    let open_end = i64::from(Fd::MAX);
    let log = backend.sys().log();
    assert!(log.iter().all(|call| ends_at(call) != Some(open_end)), "an open end is given as a number");
}

/// A call that fails once, for a reason of that moment, is made for the next child again.
fn calls_again_what_failed_once<B: Backend<Sys = SimKernel>>(backend: impl Fn(SimKernel) -> B) {
    let second_child = |kernel| {
        let backend = backend(kernel);
        let table = backend.sys().table();
        let close = || close_except(&backend, 3, keep_list(&[9, 60]), backend.first_strategy());
        if let Ok(closed) = close() {
            backend.learn(&closed);
        }
        backend.sys().restore(&table);
        close().map(|closed| closed.by)
    };
    let usual = second_child(sparse());
    for name in calls_of_closing(&backend(sparse())) {
        for errno in [Errno::INTR, Errno::IO] {
            let closer = second_child(sparse().with_calls([name]).refusing_some(name, 0..1, errno));
            assert_eq!(closer, usual, "{name} failed once with {errno}, and is not called again");
        }
    }
}

/// Each enumerator sees all that is open, and leaves nothing of its own behind.
fn lists_truly<B: Backend<Sys = SimKernel>>(backend: &B) {
    let before = backend.sys().open_fds();
    for enumerator in backend.enumerators() {
        let mut seen = Vec::new();
        let listed = enumerator.visit(backend.sys(), 3, &mut |fd| seen.push(fd));
        let missed = before.iter().find(|&fd| *fd >= 3 && !seen.contains(fd));
        assert!(listed.is_err() || missed.is_none(), "{} missed {missed:?}", enumerator.name());
        assert_eq!(backend.sys().open_fds(), before, "{} left something", enumerator.name());
    }
}

/// A means that the kernel refused for good is not tried again.
fn remembers<B: Backend>(backend: &B) {
    let first = backend.first_strategy();
    backend.learn(&Closed { by: Closer::Loop, bulk_refused: None });
    assert_eq!(backend.first_strategy(), first, "nothing was refused");
    for errno in OF_ONE_LAUNCH {
        backend.learn(&Closed { by: Closer::Loop, bulk_refused: Some(errno) });
        assert_eq!(backend.first_strategy(), first, "{errno} is no refusal for good");
    }
    backend.learn(&Closed { by: Closer::Loop, bulk_refused: Some(Errno::NOSYS) });
    assert!(backend.first_strategy() > CloseStrategy::Bulk, "a refusal is forgotten");
}

#[test]
fn freebsd_conforms() {
    conforms(forkexec_freebsd::Freebsd::new);
}

#[test]
fn linux_conforms() {
    conforms(forkexec_linux::Linux::new);
}

#[test]
fn netbsd_conforms() {
    conforms(forkexec_netbsd::Netbsd::new);
}

#[test]
fn openbsd_conforms() {
    conforms(forkexec_openbsd::Openbsd::new);
}

#[test]
fn posix_conforms() {
    conforms(forkexec_posix::Posix::new);
}

#[test]
fn solaris_conforms() {
    conforms(forkexec_solaris::Solaris::new);
}
