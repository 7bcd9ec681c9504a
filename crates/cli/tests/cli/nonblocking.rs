//! Standard streams in non-blocking mode.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rstest::rstest;

use crate::{forkexec, said};

const WARNING: &str = "forkexec: warning: descriptor 0 is in non-blocking mode (O_NONBLOCK), which few programs expect; \
                       --clear-nonblock clears it\n";

/// The program reads after a while, so that a stream in non-blocking mode has nothing yet.
#[rstest]
#[case::warned_of(&[], Some(1), WARNING)]
#[case::cleared(&["--clear-nonblock"], Some(0), "")]
#[case::not_inherited(&["--stdin", "null"], Some(1), "")]
fn stream_in_nonblocking_mode_is(#[case] options: &[&str], #[case] code: Option<i32>, #[case] warning: &str) {
    let (mut ours, theirs) = UnixStream::pair().expect("a pair can be made");
    theirs.set_nonblocking(true).expect("it can be set");
    let mut command = forkexec(&["run"]);
    command.args(options).args(["sh", "-c", "read line 2>/dev/null"]).stdin(OwnedFd::from(theirs));
    let writer = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        // The reader may have given up.
        let _ = std::io::Write::write_all(&mut ours, b"line\n");
    });
    let (status, out, error) = said(&command.output().expect("it starts"));
    writer.join().expect("it does not panic");
    assert_eq!((status, out.as_str(), error.as_str()), (code, "", warning));
}
