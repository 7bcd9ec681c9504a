//! The parent reads a report from shared memory that holds arbitrary bytes.

#![no_main]

use forkexec_core::{SharedReport, Stage};
use libfuzzer_sys::fuzz_target;
use std::mem::MaybeUninit;

fuzz_target!(|bytes: &[u8]| {
    let mut slot = MaybeUninit::<SharedReport>::zeroed();
    let length = bytes.len().min(size_of::<SharedReport>());
    // SAFETY: so many bytes are there on both sides.
    unsafe { slot.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), length) };
    // SAFETY: it consists of 32-bit atomics, for which all bytes are a value.
    let slot = unsafe { slot.assume_init() };
    let is_childs =
        |stage: Stage| Stage::ORDER.contains(&stage) || matches!(stage, Stage::Start | Stage::Exec);
    assert!(is_childs(slot.entered()), "{:?}", slot.entered());
    if let Some(report) = slot.failure() {
        assert!(is_childs(report.stage), "{report:?}");
        slot.fail(report);
        assert_eq!(slot.failure(), Some(report));
    }
    let closed = slot.how_closed();
    slot.closed(closed);
    assert_eq!(slot.how_closed(), closed);
    Stage::ORDER.into_iter().for_each(|stage| drop(slot.time(stage)));
});
