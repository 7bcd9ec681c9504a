//! Mappings: whatever is to be where, the steps get it there, and no source is lost on the way.

#![no_main]

use forkexec_core::{Fd, Move};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

/// Above every number that a mapping names.
const SAVED: Fd = 1_000;

fuzz_target!(|mappings: BTreeMap<u8, u8>| {
    let mappings: BTreeMap<Fd, Fd> =
        mappings.into_iter().map(|(to, from)| (to.into(), from.into())).collect();
    let steps = forkexec::fuzzing::order(&mappings);
    let mut table: BTreeMap<Fd, Fd> = (0..256).map(|fd| (fd, fd)).collect();
    let mut shared = vec![];
    for &step in &steps {
        match step {
            Move::Copy { from, to } => drop(table.insert(to, table[&from.number(&[])])),
            Move::SaveTemp(from) => drop(table.insert(SAVED, table[&from.number(&[])])),
            Move::RestoreTemp(to) => {
                let saved = table.remove(&SAVED).expect("something was saved");
                table.insert(to, saved);
            }
            Move::ClearCloexec(fd) => shared.push(fd),
            Move::Close(fd) | Move::CloseOpen(fd) => panic!("{fd} is closed, and no mapping closes it"),
        }
    }
    assert!(!table.contains_key(&SAVED), "a copy is left over: {steps:?}");
    for (to, from) in &mappings {
        assert_eq!(table[to], *from, "{steps:?}");
    }
    let own = mappings.iter().filter(|(to, from)| to == from).map(|(&fd, _)| fd);
    assert_eq!(shared, own.collect::<Vec<_>>());
    let rings = steps.iter().filter(|step| matches!(step, Move::SaveTemp(_))).count();
    assert_eq!(steps.len(), mappings.len() + rings, "one step a target, and one a ring");
});
