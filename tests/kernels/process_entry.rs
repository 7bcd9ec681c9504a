//! Systems that tell exec from death by the entry of a process in the kernel's table.

use rstest::rstest;

use forkexec_apple::{Apple, SpawnExec};
use forkexec_core::{Backend, Pid, ProcessEntry};
use forkexec_freebsd::Freebsd;

use crate::apple::keeping;
use crate::sim::SimKernel;
use crate::systems::{APPLE, FREEBSD, NETBSD, System};

/// The parent of the child with the number 101.
const PARENT: Pid = 100;

const IN_EXEC: ProcessEntry = ProcessEntry { parent: PARENT, has_execed: false, has_ended: false };
const EXECUTED: ProcessEntry = ProcessEntry { has_execed: true, ..IN_EXEC };
const DIED: ProcessEntry = ProcessEntry { has_ended: true, ..IN_EXEC };

/// exec closes the report channel before it sets the flag, and so does death before the child is a zombie. An entry that is missing,
/// or that is another process's, tells nothing, and neither does a child that remains in between. macOS has no entry for a child
/// that is about to be a zombie.
///
/// Faults: E11
#[rstest]
#[case::executed(&[Some(EXECUTED)], Some(true))]
#[case::executed_and_ended(&[Some(ProcessEntry { has_ended: true, ..EXECUTED })], Some(true))]
#[case::executes_a_moment_later(&[Some(IN_EXEC), Some(IN_EXEC), Some(EXECUTED)], Some(true))]
#[case::died(&[Some(DIED)], Some(false))]
#[case::dies_a_moment_later(&[Some(IN_EXEC), Some(IN_EXEC), Some(DIED)], Some(false))]
#[case::is_hidden_while_it_dies(&[Some(IN_EXEC), None, None, Some(DIED)], Some(false))]
#[case::is_hidden_for_good(&[Some(IN_EXEC), None], None)]
#[case::remains_in_between(&[Some(IN_EXEC), Some(IN_EXEC)], None)]
#[case::another_process_has_the_number(&[Some(ProcessEntry { parent: 1, ..EXECUTED })], None)]
#[case::none_or_hidden(&[None], None)]
#[case::none_at_first(&[None, Some(EXECUTED)], None)]
fn entry_of_a_child_tells_exec_from_death(
    #[values(APPLE, FREEBSD, NETBSD)] system: System,
    #[case] entries: &[Option<ProcessEntry>],
    #[case] told: Option<bool>,
) {
    let kernel = SimKernel::new().with_child(101, entries.to_vec());
    assert_eq!(system(kernel).has_execed(101, PARENT), told);
}

/// There are 50 questions, and 20 more with a pause of a millisecond after each.
///
/// Faults: E11
#[rstest]
#[case::before_the_first_pause(50, Some(true), 0)]
#[case::after_the_last_but_one(69, Some(true), 19)]
#[case::too_late(70, None, 20)]
fn entry_is_awaited_for_20_milliseconds(
    #[case] before: usize,
    #[case] told: Option<bool>,
    #[case] pauses: usize,
) {
    let mut entries = vec![Some(IN_EXEC); before];
    entries.push(Some(EXECUTED));
    let backend = Freebsd::new(SimKernel::new().with_child(101, entries));
    assert_eq!(backend.has_execed(101, PARENT), told);
    assert_eq!(backend.sys().calls().iter().filter(|&call| call == "pause(1)").count(), pauses);
}

/// A child with an entry executed a program. Death is not told, so that such a child counts as started.
#[rstest]
#[case::executed(&[Some(IN_EXEC), Some(EXECUTED)], Some(true))]
#[case::died(&[Some(DIED)], None)]
#[case::dies_a_moment_later(&[Some(IN_EXEC), Some(DIED)], None)]
fn dragonfly_has_no_entry_for_a_zombie(#[case] entries: &[Option<ProcessEntry>], #[case] told: Option<bool>) {
    let kernel = SimKernel::dragonfly().with_child(101, entries.to_vec());
    assert_eq!(Freebsd::new(kernel).has_execed(101, PARENT), told);
}

/// The backend of one launch, whose exec closes descriptors, asks the same entry.
#[test]
fn exec_that_closes_is_told_from_death_too() {
    let backend = Apple::new(SimKernel::apple().with_child(101, vec![Some(DIED)]));
    let closing = SpawnExec::prepare(&backend, &keeping(&[])).expect("the exec can close");
    assert_eq!(closing.has_execed(101, PARENT), Some(false));
}
