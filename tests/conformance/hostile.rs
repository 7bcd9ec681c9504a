//! Surroundings that nobody would wish for, for real: each in a process, and where need be in namespaces, of its own.
//!
//! | surroundings | room |
//! |---|---|
//! | `/proc` that hides strangers, is away, masked by files or forged; an empty root | `masked` |
//! | pid and user namespaces, the first process of one, ids that are not mapped, setgroups(2) denied | `namespaced` |
//! | read-only and noexec mounts | `mounts` |
//! | too few processes, too little address space or memory | `starved` |
//! | a filter that refuses single calls | `refusing` |
//! | a filter that refuses a change of identity, or pretends it | `pretended` |
//! | a parent with capabilities that outlive a change of user, or of a user namespace | `dropped` |
//!
//! A descriptor limit below what is open is in `closing` (`d07_…`, `d12_…`) and in the suite `faults` (`f06_…`); what the
//! launcher and the closers do without, and filters that end who calls, are in `faults` (`refusals`, `denied`); an old kernel is
//! booted by `ci/old-kernel`.
//!
//! `namespaces` makes processes for that, and `ordinary` is what is so in all of it.

mod dropped;
mod masked;
mod mounts;
mod namespaced;
mod namespaces;
mod ordinary;
mod pretended;
mod refusing;
mod starved;
