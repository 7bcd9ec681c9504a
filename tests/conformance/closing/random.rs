//! All strategies, over all backends of this system, leave the same table.
//!
//! The chain runs in a forked child, which then lists its descriptors. No program and no other part of the library is
//! involved.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::slice;

use forkexec_core::{Backend, CloseStrategy, KeepList, close_except};
use forkexec_linux::Linux;
use forkexec_posix::Posix;
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;
use proptest::collection::btree_set;
use proptest::prelude::*;

use super::raise_limit;
use crate::ground::check;
use crate::random::hold;
use crate::start::high_memory_file;

#[test]
fn every_close_strategy_leaves_exactly_the_kept_fds() {
    isolated(|| {
        let limit = raise_limit().min(20_000);
        hold(100, &(numbers(limit, 60), numbers(limit, 30), 3..12), |(table, keep, first)| {
            let file = high_memory_file();
            let free = table.into_iter().filter(|&fd| is_free(fd));
            let open: Vec<_> = free.map(|fd| world::place(&file, fd)).collect();
            let asked = open.iter().map(AsRawFd::as_raw_fd).chain(0..64).chain([file.as_raw_fd()]);
            let asked: BTreeSet<_> = asked.collect();
            let stays = |&fd: &RawFd| !is_free(fd) && (fd < first || keep.contains(&fd));
            let expected: Vec<_> = asked.iter().copied().filter(stays).collect();
            let (asked, keep) = (Vec::from_iter(asked), Vec::from_iter(keep));
            for link in [CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop] {
                // SAFETY: it is used in a forked child alone.
                let linux = Linux::new(unsafe { forkexec_linux::Kernel::new() });
                prop_assert_eq!(&left(&linux, first, &keep, link, &asked), &expected, "linux, {:?}", link);
                // SAFETY: as above.
                let posix = Posix::new(unsafe { forkexec_posix::Kernel::new() });
                prop_assert_eq!(&left(&posix, first, &keep, link, &asked), &expected, "posix, {:?}", link);
            }
            Ok(())
        });
    });
}

/// Numbers that lie close together, and some that lie high.
fn numbers(limit: RawFd, count: usize) -> impl Strategy<Value = BTreeSet<RawFd>> {
    let number = prop_oneof![6 => 3..40, 2 => 40..300, 1 => 300..limit, 1 => limit - 3..limit];
    btree_set(number, 0..count)
}

/// Returns the numbers that are open in a child that closed all from `first` up except the list.
///
/// Of the closed numbers only the low ones are checked, where a new descriptor of the chain itself would be.
fn left<B: Backend>(
    backend: &B,
    first: RawFd,
    keep: &[RawFd],
    link: CloseStrategy,
    asked: &[RawFd],
) -> Vec<RawFd> {
    let keep = KeepList::new(keep).expect("a set is sorted");
    let answers = Answers::new(asked.len());
    // SAFETY: the child makes async-signal-safe calls alone, and exits.
    let child = check(unsafe { libc::fork() });
    if child == 0 {
        let closed = close_except(backend, first, keep, link).is_ok();
        answers.give(asked);
        // SAFETY: ends the child.
        unsafe { libc::_exit(i32::from(!closed)) }
    }
    assert!(world::wait_for(child).success(), "the chain does not come to its end");
    answers.take(asked)
}

/// The open numbers, in memory that a child writes to.
struct Answers {
    memory: *mut u8,
    length: usize,
}

impl Answers {
    fn new(length: usize) -> Self {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, anywhere.
        let memory = unsafe { libc::mmap(ptr::null_mut(), length, access, kind, -1, 0) };
        assert_ne!(memory, libc::MAP_FAILED, "there is memory");
        Self { memory: memory.cast(), length }
    }

    /// Answers for each of the numbers, without any memory but this.
    fn give(&self, asked: &[RawFd]) {
        for (index, &fd) in asked.iter().enumerate().take(self.length) {
            // SAFETY: the index is below the length of the mapping.
            let answer = unsafe { self.memory.add(index) };
            // SAFETY: as above.
            unsafe { answer.write(u8::from(!is_free(fd))) };
        }
    }

    fn take(&self, asked: &[RawFd]) -> Vec<RawFd> {
        // SAFETY: the mapping has this length, and its writer is dead.
        let answers = unsafe { slice::from_raw_parts(self.memory, self.length) };
        asked.iter().zip(answers).filter_map(|(&fd, &answer)| (answer == 1).then_some(fd)).collect()
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { libc::munmap(self.memory.cast(), self.length) };
    }
}

fn is_free(fd: RawFd) -> bool {
    // SAFETY: the command takes no argument, and a closed descriptor is an error.
    unsafe { libc::fcntl(fd, libc::F_GETFD) < 0 }
}
