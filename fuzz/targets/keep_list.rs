//! Keep lists and the gaps between kept descriptors, against a model that looks at every number.

#![no_main]

use forkexec_core::{Fd, KeepList};
use libfuzzer_sys::fuzz_target;

/// The model looks at the numbers below this one; all above are either kept or in the last gap.
const END: Fd = 300;

fuzz_target!(|input: (Vec<i16>, Option<u8>, u8)| {
    let (fds, also, first) = input;
    let fds: Vec<Fd> = fds.into_iter().map(Fd::from).collect();
    let is_list = fds.windows(2).all(|pair| pair[0] < pair[1]) && fds.first().is_none_or(|&fd| fd >= 0);
    let list = KeepList::new(&fds);
    assert_eq!(list.is_ok(), is_list, "{fds:?}");
    let Ok(list) = list else { return };
    let list = also.map_or(list, |fd| list.and(fd.into()));
    let first = Fd::from(first);

    let mut end = first;
    let mut closed = vec![];
    for gap in list.gaps(first) {
        assert!(end <= gap.first() && gap.first() <= gap.last(), "gaps overlap, or one is empty: {gap:?}");
        end = gap.last().saturating_add(1);
        closed.extend(gap.first()..gap.last().min(END - 1) + 1);
    }
    let expected = (first..END).filter(|&fd| !fds.contains(&fd) && also.map(Fd::from) != Some(fd));
    assert_eq!(closed, expected.collect::<Vec<_>>());
});
