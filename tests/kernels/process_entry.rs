//! Systems that tell exec from death by the entry of a process in the kernel's table.

use rstest::rstest;

use forkexec_core::{Pid, ProcessEntry};

use crate::sim::SimKernel;
use crate::systems::{FREEBSD, NETBSD, System};

/// The parent of the child with the number 101.
const PARENT: Pid = 100;

const IN_EXEC: ProcessEntry = ProcessEntry { parent: PARENT, has_execed: false, has_ended: false };
const EXECUTED: ProcessEntry = ProcessEntry { has_execed: true, ..IN_EXEC };
const DIED: ProcessEntry = ProcessEntry { has_ended: true, ..IN_EXEC };

/// exec closes the report channel before it sets the flag, and so does death before the child is a zombie. An entry that is missing,
/// or that is another process's, tells nothing, and neither does a child that remains in between.
///
/// Faults: E11
#[rstest]
#[case::executed(&[EXECUTED], Some(true))]
#[case::executed_and_ended(&[ProcessEntry { has_ended: true, ..EXECUTED }], Some(true))]
#[case::executes_a_moment_later(&[IN_EXEC, IN_EXEC, EXECUTED], Some(true))]
#[case::died(&[DIED], Some(false))]
#[case::dies_a_moment_later(&[IN_EXEC, IN_EXEC, DIED], Some(false))]
#[case::remains_in_between(&[IN_EXEC], None)]
#[case::another_process_has_the_number(&[ProcessEntry { parent: 1, ..EXECUTED }], None)]
#[case::none_or_hidden(&[], None)]
fn entry_of_a_child_tells_exec_from_death(
    #[values(FREEBSD, NETBSD)] system: System,
    #[case] entries: &[ProcessEntry],
    #[case] told: Option<bool>,
) {
    let kernel = SimKernel::new().with_child(101, entries.to_vec());
    assert_eq!(system(kernel).has_execed(101, PARENT), told);
}
