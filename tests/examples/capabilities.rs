//! Prints the capabilities of every backend as JSON, one line each. `ci/platform-table` makes the README's table of it.
//!
//! Every backend compiles on every host, so one host prints all.

use forkexec_core::{Capabilities, SpawnMethod};

/// By the crates' names under `platforms/`. A crate that serves two systems tells of each.
const BACKENDS: &[(&str, &Capabilities)] = &[
    ("apple", &forkexec_apple::CAPABILITIES),
    ("freebsd", &forkexec_freebsd::CAPABILITIES),
    ("freebsd", &forkexec_freebsd::DRAGONFLY),
    ("linux", &forkexec_linux::CAPABILITIES),
    ("netbsd", &forkexec_netbsd::CAPABILITIES),
    ("openbsd", &forkexec_openbsd::CAPABILITIES),
    ("posix", &forkexec_posix::CAPABILITIES),
    ("solaris", &forkexec_solaris::ILLUMOS),
    ("solaris", &forkexec_solaris::SOLARIS),
];

fn main() {
    for (backend, has) in BACKENDS {
        let launchers: Vec<_> = has.launchers.iter().map(|&method| SpawnMethod::name(method)).collect();
        println!(
            r#"{{"backend":{backend:?},"system":{:?},"bulk_closer":{:?},"enumerators":{:?},"launchers":{launchers:?}}}"#,
            has.system,
            has.bulk_closer.unwrap_or_default(),
            has.enumerators,
        );
    }
}
