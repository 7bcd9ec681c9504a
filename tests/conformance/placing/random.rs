//! Random plans against the model of them, and the same plans without a program.

use std::collections::BTreeSet;
use std::os::fd::RawFd;

use forkexec::{Errno, Stage};
use forkexec_tests::isolate::isolated;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::Index;

use super::plan::{Plan, Stream};
use crate::random::hold;

#[test]
fn every_plan_gives_the_child_the_table_of_the_model() {
    isolated(|| {
        hold(250, &plans(), |plan| {
            let carried_out = plan.carry_out();
            prop_assert_eq!(carried_out, Ok((plan.expected(), vec![])));
            Ok(())
        });
    });
}

#[test]
fn no_plan_turns_a_missing_program_into_a_success() {
    isolated(|| {
        hold(250, &plans(), |plan| {
            prop_assert_eq!(plan.miss(), Some((Stage::Exec, Errno::NOENT, vec![])));
            Ok(())
        });
    });
}

/// Parents with some of 0, 1 and 2 closed and others open where new descriptors land, and plans full of collisions.
fn plans() -> impl Strategy<Value = Plan> {
    let open = btree_set(prop_oneof![2 => 0..3, 6 => 3..14, 3 => 14..41, 1 => 41..860], 1..20);
    let mappings = vec((any::<Index>(), target()), 0..12);
    let streams = [stream(), stream(), stream()];
    let report = prop_oneof![1 => 0..3, 4 => 3..41, 2 => 41..870];
    let few = || vec(any::<Index>(), 0..6);
    (open, few(), mappings, few(), streams, prop::bool::weighted(0.2), report).prop_map(
        |(open, cloexec, mappings, keep, streams, inherit_all, report)| {
            let at = |index: Index| nth(&open, index);
            let mut plan = Plan { inherit_all, report, ..Plan::default() };
            plan.cloexec = cloexec.into_iter().map(at).collect();
            let mut targets = BTreeSet::from([report]);
            let mappings = mappings.into_iter().map(|(source, target)| (at(source), target.number(&open)));
            plan.mappings = mappings.filter(|(_, target)| targets.insert(*target)).collect();
            for (fd, stream) in (0..).zip(streams).filter(|(fd, _)| !targets.contains(fd)) {
                plan.streams[usize::try_from(fd).expect("0, 1 or 2")] = stream.map(|stream| stream.of(&open));
            }
            let is_set =
                |fd: RawFd| plan.streams.get(usize::try_from(fd).expect("open")).is_some_and(Option::is_some);
            plan.keep =
                keep.into_iter().map(at).filter(|&fd| !targets.contains(&fd) && !is_set(fd)).collect();
            plan.open = open;
            plan
        },
    )
}

/// A target: any number, or one that is open, so that there are rings and chains.
#[derive(Clone, Copy, Debug)]
enum Target {
    Any(RawFd),
    Open(Index),
}

impl Target {
    fn number(self, open: &BTreeSet<RawFd>) -> RawFd {
        match self {
            Self::Any(number) => number,
            Self::Open(index) => nth(open, index),
        }
    }
}

fn target() -> impl Strategy<Value = Target> {
    let fresh = prop_oneof![1 => 0..3, 4 => 3..41, 1 => 41..870].prop_map(Target::Any);
    prop_oneof![1 => fresh, 1 => any::<Index>().prop_map(Target::Open)]
}

/// A stream before the open descriptors are chosen.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain(Stream),
    Own(Index),
}

impl Kind {
    fn of(self, open: &BTreeSet<RawFd>) -> Stream {
        match self {
            Self::Plain(stream) => stream,
            Self::Own(index) => Stream::Own(nth(open, index)),
        }
    }
}

fn stream() -> impl Strategy<Value = Option<Kind>> {
    let plain = prop_oneof![
        Just(Stream::Inherit),
        Just(Stream::Null),
        Just(Stream::Piped),
        Just(Stream::Piped),
        Just(Stream::Closed),
    ];
    let kind = prop_oneof![4 => plain.prop_map(Kind::Plain), 1 => any::<Index>().prop_map(Kind::Own)];
    prop::option::weighted(0.7, kind)
}

fn nth(open: &BTreeSet<RawFd>, index: Index) -> RawFd {
    *open.iter().nth(index.index(open.len())).expect("the index is below the length")
}
