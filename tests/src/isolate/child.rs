//! The test binary, run again for one test.

use std::env;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{INSIDE, SKIPPED_LOG, hanging};
use crate::sys;

/// Returns what the test printed, or how it failed.
pub(super) fn run(test: &str, limit: Duration) -> Result<String, String> {
    let mut output = tempfile::tempfile().map_err(|error| format!("no file for the output: {error}"))?;
    let child = start(test, &output).map_err(|error| format!("{test} cannot be isolated: {error}"))?;
    let ended = wait(child, limit);
    let said = read(&mut output).map_err(|error| format!("the output of {test} is lost: {error}"))?;
    let failure = match ended {
        Err(error) => format!("cannot be waited for: {error}"),
        Ok(Ended::Killed(hung)) => format!("did not end within {limit:?}, and was killed. {hung}"),
        Ok(Ended::With(status)) if !status.success() => format!("failed ({status})"),
        Ok(Ended::With(_)) if said.contains("\ntest result: ok. 1 passed") => return Ok(said),
        Ok(Ended::With(_)) => "did not pass: no test has this name, or it ended its process".to_owned(),
    };
    Err(format!("{test}, in a process of its own, {failure}. It said:\n{said}"))
}

/// The variables that announce descriptors and sockets. A test has no descriptors of the runner, and make or a service manager
/// may have started that.
pub const ANNOUNCEMENTS: [&str; 10] = [
    "CARGO_MAKEFLAGS",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "MAKEFLAGS",
    "MFLAGS",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Starts a command without [`ANNOUNCEMENTS`].
pub fn hide_announcements(command: &mut Command) {
    for name in ANNOUNCEMENTS {
        command.env_remove(name);
    }
}

/// Both outputs go to a file. A pipe would have to be read during the test, and a forgotten grandchild could keep it
/// open for good.
fn start(test: &str, output: &File) -> io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    hide_announcements(&mut command);
    // SAFETY: the calls are async-signal-safe, and allocate nothing.
    unsafe { command.pre_exec(inherit_nothing) };
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"])
        .env(INSIDE, "1")
        .env_remove(SKIPPED_LOG) // the line is repeated, and logged, by us
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        .spawn()
}

/// Closes descriptors and resets signals that cargo or a CI runner left open or ignored (`nohup`), because the test
/// would see them.
///
/// Kernels before 5.11 refuse to close; then the test sees the descriptors.
#[expect(clippy::unnecessary_wraps, reason = "the signature that std wants")]
fn inherit_nothing() -> io::Result<()> {
    sys::reset_signals();
    let _ = sys::close_all_on_exec(3);
    Ok(())
}

/// The end of the process of a test.
enum Ended {
    With(ExitStatus),
    /// It had to be killed. The text tells what it waited for.
    Killed(String),
}

/// Kills the rest of the child's group, too.
fn wait(mut child: Child, limit: Duration) -> io::Result<Ended> {
    let (sender, receiver) = mpsc::channel();
    let id = child.id();
    thread::spawn(move || sender.send(sys::await_end(id)));
    let ended = receiver.recv_timeout(limit).ok().transpose()?;
    let hung = ended.is_none().then(|| hanging::describe(id));
    // The child is not reaped yet, so the group's number is still its own.
    sys::kill_group(i32::try_from(id).expect("the kernel's pids are positive"))?;
    let status = child.wait()?;
    Ok(hung.map_or(Ended::With(status), Ended::Killed))
}

fn read(output: &mut File) -> io::Result<String> {
    let mut said = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut said)?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}
