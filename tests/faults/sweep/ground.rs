//! The parent's descriptors, the programs, and one spawn at a time.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use forkexec_core::{
    Backend, CStrArray, Errno, LaunchError, Launched, Launcher, ParentSys, Plan, SpawnMethod, Sys, ThinCStr,
};
use forkexec_linux::{Call, Kernel, Linux, LinuxLauncher, OneMethod, Start, autoreaped_end};
use forkexec_tests::probe;
use forkexec_tests::world;
use tempfile::TempDir;

use crate::failing::Failing;
use crate::script::{Incident, Script};

/// The descriptor to which the program writes its report.
pub(super) const REPORT: i32 = 30;
/// A descriptor that only the parent needs.
pub(super) const PARENTS: i32 = 31;
/// Kept ones: inheritable, and closed by exec.
pub(super) const KEPT: [i32; 2] = [40, 41];
/// Two different files.
pub(super) const RING: [i32; 2] = [50, 51];
/// High descriptors, which a child takes: one that it may open anew, and another.
pub(super) const HIGH: [i32; 2] = [700, 701];
/// The root directory.
pub(super) const DIRECTORY: i32 = 60;
/// A file that accepts all writes, in place of a control group.
pub(super) const PROCS: i32 = 61;
/// A Landlock ruleset, if the kernel has Landlock.
pub(super) const RULESET: i32 = 62;
/// Descriptors that no child gets. All are inheritable.
pub(super) const SECRETS: [i32; 4] = [9, 20, 21, 500];
/// Nothing has a higher number.
const BELOW: &CStr = c"1024";

/// The method of a spawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum World {
    /// clone3(2), without the parent's handlers.
    Clone3,
    /// clone(2), with them.
    Clone,
    /// The same in a container: close_range(2) is refused, too.
    Contained,
    /// fork(2).
    Fork,
}

fn refuse_clone3(start: Start) -> Option<Errno> {
    (start.call == Call::Clone3).then_some(Errno::NOSYS)
}

impl World {
    fn calls(self, script: &'static Script) -> Failing<Kernel> {
        // SAFETY: it is used by launchers only, and on descriptors and children of the test's own.
        let calls = Failing::following(unsafe { Kernel::new() }, script);
        match self {
            Self::Clone3 | Self::Fork => calls,
            Self::Clone => calls.refusing(refuse_clone3),
            Self::Contained => {
                calls.refusing(refuse_clone3).denying(&["close_range", "close_range_unshare"], Errno::PERM)
            }
        }
    }
}

/// The result of a spawn, and the report of the program, if it ran.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) launched: Result<SpawnMethod, LaunchError>,
    pub(super) text: String,
}

/// The parent.
pub(super) struct Ground {
    pub(super) script: &'static Script,
    pub(super) probe: &'static CStr,
    /// A file that no system recognises as a program.
    pub(super) script_file: &'static CStr,
    pub(super) argv: CStrArray<'static>,
    _open: Vec<OwnedFd>,
    _directory: TempDir,
}

impl Ground {
    pub(super) fn new() -> Self {
        forget_who_started_the_tests();
        let directory = TempDir::new().expect("a temporary directory can be made");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let probe = leaked(probe::copy_to(directory.path()).as_os_str().as_bytes());
        let script_file = directory.path().join("script");
        fs::write(&script_file, "nothing that a kernel knows\n").expect("there is room");
        fs::set_permissions(&script_file, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Self {
            script: Script::new(),
            probe,
            script_file: leaked(script_file.as_os_str().as_bytes()),
            argv: reporting(probe, &[]),
            _open: open(),
            _directory: directory,
        }
    }

    /// Starts once, and waits for the program if it runs.
    pub(super) fn start(&self, world: World, plan: &Plan<'_>, incidents: &[Incident]) -> Ended {
        let (mut reader, writer) = report_pipe();
        self.script.begin(incidents);
        let backend = Linux::new(world.calls(self.script));
        let starter = LinuxLauncher::new(&backend);
        let outcome = match world {
            World::Fork => OneMethod::new(&starter, SpawnMethod::Fork).launch(plan),
            _ => starter.launch(plan),
        };
        drop(writer);
        let sys = backend.sys().inner();
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("a report is ASCII");
        let launched = outcome.map(|Launched { pid, pidfd, autoreap, method, .. }| {
            let status = match pidfd.filter(|_| autoreap.is_some()) {
                Some(pidfd) => autoreaped_end(sys, pidfd, true).map(|end| end.expect("it has ended")),
                None => sys.wait(pid),
            };
            assert_eq!(status, Ok(0), "the probe succeeds");
            if let Some(pidfd) = pidfd {
                sys.close(pidfd).expect("it is the caller's");
            }
            method
        });
        give_back_stacks(&backend);
        Ended { launched, text }
    }
}

/// The C library's posix_spawn(3) leaves its reserved signals ignored in the programs that it starts, and so in their
/// children. A child resets them; if a filter returns `EINVAL` for that, the child skips the signal.
fn forget_who_started_the_tests() {
    // SAFETY: no other thread of this process cares for these signals.
    let sys = unsafe { Kernel::new() };
    for signal in [32, 33] {
        sys.set_disposition(signal, false).expect("the kernel knows it");
    }
}

/// A launcher keeps the stack of a start for the next one, and these are of one start each. More than one were lost.
fn give_back_stacks(backend: &Linux<Failing<Kernel>>) {
    let mapped = backend.sys().take_mapped();
    assert!(mapped.len() <= 1, "stacks were lost: {mapped:?}");
    for (address, length) in mapped {
        let memory = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: the launcher mapped it for a start that is over, and starts nothing any more.
        assert_eq!(unsafe { libc::munmap(memory, length) }, 0);
    }
}

/// A pipe whose writing end has the report's number.
fn report_pipe() -> (io::PipeReader, OwnedFd) {
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    let placed = world::place(&writer, REPORT);
    set_cloexec(&placed);
    (reader, placed)
}

fn set_cloexec(fd: &OwnedFd) {
    // SAFETY: the test owns the descriptor.
    assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
}

fn open() -> Vec<OwnedFd> {
    let file = |path: &str| File::options().read(true).open(path).expect("every system has it");
    let (null, zero, root) = (file("/dev/null"), file("/dev/zero"), file("/"));
    let takes_all = File::options().write(true).open("/dev/null").expect("every system has it");
    let inheritable = [KEPT[0], RING[0]].into_iter().chain(SECRETS);
    let mut open: Vec<_> = inheritable.map(|number| world::place(&null, number)).collect();
    let closed =
        [(&null, PARENTS), (&null, KEPT[1]), (&zero, RING[1]), (&root, DIRECTORY), (&takes_all, PROCS)];
    let closed = closed.into_iter().chain([(&zero, HIGH[0]), (&null, HIGH[1])]);
    open.extend(closed.map(|(file, number)| {
        let placed = world::place(file, number);
        set_cloexec(&placed);
        placed
    }));
    open.extend(world::ruleset().ok().map(|ruleset| {
        let placed = world::place(ruleset, RULESET);
        set_cloexec(&placed);
        placed
    }));
    open
}

/// The program reports, and repeats the arguments after that.
pub(super) fn reporting(probe: &'static CStr, more: &[&'static CStr]) -> CStrArray<'static> {
    let words = [probe, c"report", c"--below", BELOW].into_iter().chain(more.iter().copied());
    let pointers: Vec<_> = words.map(|word| Some(ThinCStr::from(word))).chain([None]).collect();
    CStrArray::new(pointers.leak()).expect("it ends with a null")
}

fn leaked(bytes: &[u8]) -> &'static CStr {
    Box::leak(CString::new(bytes).expect("a path has no NUL").into_boxed_c_str())
}
