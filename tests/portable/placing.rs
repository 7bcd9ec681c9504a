//! Descriptors under chosen numbers.

use crate::child::{command, file, seen};
use crate::closing::{inheritable, unique};
use forkexec::Stdio;
use std::io::PipeReader;
use std::os::fd::AsRawFd;

fn identity(pipe: &PipeReader) -> String {
    file(pipe.as_raw_fd())
}

pub(crate) fn descriptor_gets_the_chosen_number() {
    let pipe = unique();
    for target in [3, 4, 9, 63] {
        let seen = seen(command("report").fd(target, &pipe));
        assert_eq!(seen.descriptors(), [0, 1, 2, target]);
        assert_eq!(seen.get(&format!("file {target}")), identity(&pipe));
    }
}

pub(crate) fn two_descriptors_swap_their_numbers() {
    let [left, right] = [unique(), unique()];
    let mut command = command("report");
    command.fd(right.as_raw_fd(), &left).fd(left.as_raw_fd(), &right);
    let seen = seen(&mut command);
    assert_eq!(seen.get(&format!("file {}", right.as_raw_fd())), identity(&left));
    assert_eq!(seen.get(&format!("file {}", left.as_raw_fd())), identity(&right));
    assert_eq!(seen.descriptors().len(), 5);
}

pub(crate) fn three_descriptors_rotate() {
    let pipes = [unique(), unique(), unique()];
    let mut command = command("report");
    for (source, target) in [(0, 1), (1, 2), (2, 0)] {
        command.fd(pipes[target].as_raw_fd(), &pipes[source]);
    }
    let seen = seen(&mut command);
    for (source, target) in [(0, 1), (1, 2), (2, 0)] {
        assert_eq!(seen.get(&format!("file {}", pipes[target].as_raw_fd())), identity(&pipes[source]));
    }
}

pub(crate) fn one_source_has_many_targets() {
    let pipe = unique();
    let seen = seen(command("report").fd(5, &pipe).fd(6, &pipe).fd(40, &pipe).keep_fd(&pipe));
    let mut expected = vec![0, 1, 2, 5, 6, 40, pipe.as_raw_fd()];
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(seen.descriptors(), expected);
    assert!([5, 6, 40].iter().all(|fd| seen.get(&format!("file {fd}")) == identity(&pipe)), "{seen:?}");
}

pub(crate) fn target_can_be_a_stream() {
    let pipe = unique();
    let seen = seen(command("report").fd(0, &pipe));
    assert_eq!((seen.descriptors(), seen.get("file 0")), (vec![0, 1, 2], identity(&pipe).as_str()));
}

pub(crate) fn closed_stream_stays_closed() {
    let seen = seen(command("report").stdin(Stdio::closed()).stderr(Stdio::null()));
    assert_eq!(seen.descriptors(), [1, 2]);
}

pub(crate) fn parents_flags_stay() {
    let (shared, private) = (inheritable(3), unique());
    let flags = || {
        // SAFETY: the call reads a flag of the descriptor and changes nothing, whichever code owns it.
        [shared.as_raw_fd(), private.as_raw_fd()].map(|fd| unsafe { libc::fcntl(fd, libc::F_GETFD) })
    };
    let before = flags();
    seen(command("report").keep_fd(&private).fd(30, &shared));
    assert_eq!(flags(), before);
}
