//! Hostile surroundings, for real: each in its own process, and if necessary in its own namespaces.
//!
//! | surroundings | module |
//! |---|---|
//! | `/proc` that hides other users' processes, is missing, masked by files or forged; an empty root | `masked` |
//! | pid and user namespaces, the first process of one, unmapped ids, setgroups(2) denied | `namespaced` |
//! | read-only and noexec mounts | `mounts` |
//! | too few processes, too little address space or memory | `starved` |
//! | a filter that refuses single calls | `refusing` |
//! | a filter that refuses a change of identity, or pretends it | `pretended` |
//! | a parent with capabilities that outlive a change of user, or of a user namespace | `dropped` |
//!
//! A descriptor limit below open descriptors is tested in `closing` and in the suite `faults`. The calls that the
//! launcher and the closers can do without, and filters that kill, are in `faults` (`refusals`, `denied`).
//! `ci/kernels` boots an old kernel.
//!
//! `namespaces` makes the processes, and `ordinary` has the checks that hold in all surroundings.

mod dropped;
mod masked;
mod mounts;
mod namespaced;
mod namespaces;
mod ordinary;
mod pretended;
mod refusing;
mod starved;
