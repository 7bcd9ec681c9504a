//! The errnos of each call: the ERRORS of its manual page, and those of filters and old kernels.

use forkexec_core::Errno;

use crate::failing::Side;

const NOSPC: Errno = Errno::from_raw(libc::ENOSPC);
const USERS: Errno = Errno::from_raw(libc::EUSERS);
const NODEV: Errno = Errno::from_raw(libc::ENODEV);

/// chroot(2), and chdir(2) under a filter.
const GO_TO: &[Errno] = &[
    Errno::ACCES,
    Errno::IO,
    Errno::LOOP,
    Errno::NAMETOOLONG,
    Errno::NOENT,
    Errno::NOMEM,
    Errno::NOTDIR,
    Errno::PERM,
];

/// The calls of a child.
const CHILDS: &[(&str, &[Errno])] = &[
    ("close", &[Errno::INTR, Errno::IO, Errno::BADF, NOSPC]),
    ("dup2", &[Errno::BADF, Errno::BUSY, Errno::INTR, Errno::INVAL, Errno::MFILE]),
    ("dup_min", &[Errno::BADF, Errno::INVAL, Errno::MFILE, Errno::PERM]),
    ("is_cloexec", &[Errno::BADF, Errno::PERM]),
    ("set_cloexec", &[Errno::BADF, Errno::PERM, Errno::NOSYS]),
    ("write", &[Errno::AGAIN, Errno::BADF, Errno::INTR, Errno::IO, Errno::PIPE, Errno::PERM, NOSPC]),
    ("path_id", &[Errno::ACCES, Errno::LOOP, Errno::NOENT, Errno::NOMEM, Errno::NOTDIR, Errno::OVERFLOW]),
    (
        "open_file",
        &[
            Errno::ACCES,
            Errno::INTR,
            Errno::LOOP,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOENT,
            Errno::NOMEM,
            Errno::PERM,
        ],
    ),
    (
        "open_pidfd_of",
        &[Errno::INVAL, Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOSYS, Errno::PERM, Errno::SRCH],
    ),
    ("pidfd_getfd", &[Errno::BADF, Errno::MFILE, Errno::NOSYS, Errno::PERM, Errno::SRCH]),
    ("file_id", &[Errno::BADF, Errno::NOMEM, Errno::OVERFLOW]),
    (
        "open_directory",
        &[
            Errno::ACCES,
            Errno::INTR,
            Errno::LOOP,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOENT,
            Errno::NOMEM,
            Errno::NOTDIR,
            Errno::PERM,
        ],
    ),
    ("set_limit", &[Errno::FAULT, Errno::INVAL, Errno::PERM, Errno::NOSYS]),
    ("descriptor_limit", &[Errno::FAULT, Errno::INVAL, Errno::PERM, Errno::NOSYS]),
    ("chroot", GO_TO),
    ("chdir", GO_TO),
    ("fchdir", &[Errno::ACCES, Errno::BADF, Errno::IO, Errno::NOTDIR]),
    ("disposition", &[Errno::FAULT, Errno::INVAL, Errno::PERM]),
    ("set_disposition", &[Errno::FAULT, Errno::INVAL, Errno::PERM]),
    ("set_mask", &[Errno::FAULT, Errno::INVAL, Errno::PERM]),
    ("setsid", &[Errno::PERM, Errno::NOSYS]),
    ("set_process_group", &[Errno::ACCES, Errno::INVAL, Errno::PERM, Errno::SRCH]),
    ("set_controlling_tty", &[Errno::BADF, Errno::NOTTY, Errno::PERM]),
    ("tcsetpgrp", &[Errno::BADF, Errno::INVAL, Errno::NOTTY, Errno::PERM]),
    ("set_nice", &[Errno::ACCES, Errno::INVAL, Errno::PERM, Errno::SRCH]),
    ("set_groups", &[Errno::FAULT, Errno::INVAL, Errno::NOMEM, Errno::PERM]),
    ("set_gid", &[Errno::AGAIN, Errno::INVAL, Errno::PERM]),
    ("set_uid", &[Errno::AGAIN, Errno::INVAL, Errno::PERM]),
    (
        "execve",
        &[
            Errno::ACCES,
            Errno::AGAIN,
            Errno::FAULT,
            Errno::INVAL,
            Errno::IO,
            Errno::ISDIR,
            Errno::LOOP,
            Errno::MFILE,
            Errno::NAMETOOLONG,
            Errno::NFILE,
            Errno::NOENT,
            Errno::NOEXEC,
            Errno::NOMEM,
            Errno::NOTDIR,
            Errno::PERM,
            Errno::TOOBIG,
            Errno::TXTBSY,
        ],
    ),
    ("close_range", &[Errno::ACCES, Errno::INVAL, Errno::MFILE, Errno::NOMEM, Errno::NOSYS, Errno::PERM]),
    (
        "close_range_unshare",
        &[Errno::ACCES, Errno::INVAL, Errno::MFILE, Errno::NOMEM, Errno::NOSYS, Errno::PERM],
    ),
    ("unshare_files", &[Errno::ACCES, Errno::INVAL, Errno::NOMEM, NOSPC, Errno::NOSYS, Errno::PERM, USERS]),
    (
        "getdents64",
        &[Errno::BADF, Errno::FAULT, Errno::INVAL, Errno::IO, Errno::NOENT, Errno::NOSYS, Errno::PERM],
    ),
    ("read_directory", &[Errno::BADF, Errno::FAULT, Errno::INVAL, Errno::IO, Errno::NOENT, Errno::NOSYS]),
    ("is_on_procfs", &[Errno::BADF, Errno::INTR, Errno::IO, Errno::NOMEM, Errno::NOSYS, Errno::OVERFLOW]),
    ("set_parent_death_signal", &[Errno::INVAL, Errno::PERM]),
    ("set_no_new_privs", &[Errno::INVAL, Errno::PERM]),
    ("affinity", &[Errno::FAULT, Errno::INVAL, Errno::PERM, Errno::SRCH]),
    ("memory_policy", &[Errno::FAULT, Errno::INVAL, Errno::NOSYS, Errno::PERM]),
    ("capget", &[Errno::FAULT, Errno::INVAL, Errno::PERM, Errno::SRCH]),
    // Those of all attributes: sched_setaffinity(2) to seccomp(2).
    (
        "attribute",
        &[
            Errno::ACCES,
            Errno::BADF,
            Errno::FAULT,
            Errno::INVAL,
            Errno::NOMEM,
            Errno::NOSYS,
            Errno::PERM,
            Errno::SRCH,
            Errno::TOOBIG,
        ],
    ),
    // umask(2) and getppid(2) cannot fail.
    ("set_umask", &[]),
    ("parent", &[]),
];

/// The calls of the parent. A call that both sides make has the same errnos, except for the mask: restoring a mask that
/// was in force before cannot fail.
const PARENTS: &[(&str, &[Errno])] = &[
    ("set_mask", &[]),
    ("pipe", &[Errno::FAULT, Errno::INVAL, Errno::MFILE, Errno::NFILE, Errno::NOMEM]),
    ("map_shared", &[Errno::AGAIN, Errno::NFILE, Errno::NOMEM, Errno::PERM]),
    ("map_private", &[Errno::AGAIN, Errno::NOMEM, Errno::PERM]),
    ("forbid", &[Errno::ACCES, Errno::INVAL, Errno::NOMEM]),
    ("block_signals", &[Errno::FAULT, Errno::INVAL, Errno::PERM]),
    ("fork", &[Errno::AGAIN, Errno::NOMEM, Errno::NOSYS, Errno::PERM]),
    ("vfork", &[Errno::AGAIN, Errno::NOMEM, Errno::NOSYS, Errno::PERM]),
    (
        "start",
        &[
            Errno::ACCES,
            Errno::AGAIN,
            Errno::BADF,
            Errno::BUSY,
            Errno::EXIST,
            Errno::INTR,
            Errno::INVAL,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            NOSPC,
            Errno::NOSYS,
            Errno::PERM,
            Errno::TOOBIG,
            USERS,
        ],
    ),
    ("run_thread", &[Errno::AGAIN, Errno::INVAL, Errno::NOMEM, Errno::NOSYS, Errno::PERM]),
    ("read", &[Errno::AGAIN, Errno::BADF, Errno::FAULT, Errno::INTR, Errno::INVAL, Errno::IO]),
    ("readable", &[Errno::FAULT, Errno::INTR, Errno::INVAL, Errno::NOMEM]),
    ("wait", &[Errno::CHILD, Errno::INTR, Errno::INVAL]),
    ("kill", &[Errno::PERM, Errno::SRCH]),
    // EACCES is no failure: it means that the child has executed a program.
    ("join_no_group", &[Errno::INVAL, Errno::NOSYS, Errno::PERM, Errno::SRCH]),
    (
        "read_file",
        &[
            Errno::ACCES,
            Errno::INTR,
            Errno::IO,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOENT,
            Errno::NOMEM,
            Errno::SRCH,
        ],
    ),
    ("reap_unexecuted", &[Errno::CHILD, Errno::INTR, Errno::INVAL, Errno::NOSYS, Errno::PERM]),
    (
        "open_pidfd",
        &[Errno::INVAL, Errno::MFILE, Errno::NFILE, NODEV, Errno::NOMEM, Errno::NOSYS, Errno::SRCH],
    ),
    ("set_mask_of", &[Errno::FAULT, Errno::INVAL, Errno::IO, Errno::PERM, Errno::SRCH]),
    ("detach", &[Errno::INVAL, Errno::IO, Errno::PERM, Errno::SRCH]),
    ("pidfd_exit_status", &[Errno::BADF, Errno::NOTTY, Errno::INVAL, Errno::NOSYS, Errno::PERM, Errno::SRCH]),
    ("poll_pidfd", &[Errno::INTR, Errno::INVAL, Errno::NOMEM, Errno::NOSYS, Errno::PERM]),
    ("reap_by_pidfd", &[Errno::CHILD, Errno::INTR, Errno::INVAL, Errno::NOSYS, Errno::PERM]),
    ("find_unexecuted", &[Errno::CHILD, Errno::INTR, Errno::INVAL, Errno::NOSYS, Errno::PERM]),
    ("is_dumpable", &[Errno::INVAL, Errno::PERM]),
    ("make_dumpable", &[Errno::INVAL, Errno::PERM]),
];

/// Each errno that a call of this side may answer.
pub(crate) fn of(side: Side, name: &str) -> &'static [Errno] {
    row(side, name).unwrap_or_else(|| panic!("{name} has no row"))
}

/// One of them, if there is any. A child may ask.
pub(crate) fn drawn(side: Side, name: &str, draw: usize) -> Option<Errno> {
    let errnos = row(side, name)?;
    errnos.get(draw.checked_rem(errnos.len())?).copied()
}

fn row(side: Side, name: &str) -> Option<&'static [Errno]> {
    let parents: &[_] = if side == Side::Parent { PARENTS } else { &[] };
    parents.iter().chain(CHILDS).find(|(called, _)| *called == name).map(|(_, errnos)| *errnos)
}

fn names() -> impl Iterator<Item = &'static str> {
    CHILDS.iter().chain(PARENTS).map(|(name, _)| *name)
}

/// A number for a name, which fits memory that a child may write.
pub(crate) fn number(name: &str) -> u8 {
    let place = names().position(|known| known == name);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

/// The name that has such a number.
pub(crate) fn name(number: u8) -> &'static str {
    names().nth(usize::from(number)).expect("every call has a row")
}
