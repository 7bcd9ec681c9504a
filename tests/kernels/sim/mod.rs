//! A simulated kernel that follows the man pages.
//!
//! It has one process with a descriptor table, directories that list it (truly or falsely), ids, signals, limits, and a
//! few files. It is deterministic, records every call, and refuses calls on request. Each rule names its page.
//! `reality.rs` compares the rules of descriptors with the real kernel.

pub(crate) mod apple;
pub(crate) mod attributes;
mod call;
pub(crate) mod directory;
mod execed;
pub(crate) mod freebsd;
pub(crate) mod lender;
mod netbsd;
mod openbsd;
mod process;
mod recorder;
pub(crate) mod rich;
pub(crate) mod solaris;
pub(crate) mod spawn;
pub(crate) mod sun;
mod sys;
mod table;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use forkexec_core::{Access, Errno, Fd, Pid, ProcessEntry, Signal, Stage};
use forkexec_linux::Release;

pub(crate) use call::{Call, NAMES};
pub(crate) use directory::Listing;
pub(crate) use execed::{Executed, strings};
pub(crate) use lender::Procfs;
pub(crate) use process::Process;
pub(crate) use recorder::Recorder;
pub(crate) use table::{File, Table};

use directory::OpenDirectory;

/// A simulated kernel with one process.
pub(crate) struct SimKernel {
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) table: Table,
    /// The parent's table when the child unshared it. `None` while both share one.
    parents: Option<Table>,
    procfs: Procfs,
    /// The files that were opened anew, and the access.
    reopened: Vec<(u64, Access)>,
    listings: BTreeMap<CString, Listing>,
    /// The position of each open directory, by its file.
    positions: BTreeMap<u64, OpenDirectory>,
    files: BTreeMap<CString, Outcome>,
    process: Process,
    open_max: Option<u64>,
    /// By how much the count of open descriptors is wrong.
    miscount: Fd,
    clock: u64,
    /// The contents of `/proc/PID/stat` of a child.
    stat: Option<&'static str>,
    /// The entries of a child in the table of processes, one after the other. The last one stays.
    child: Option<(Pid, Vec<Option<ProcessEntry>>)>,
    refusals: Vec<Refusal>,
    /// The calls that fail, by their number among all.
    failing: Vec<(usize, Errno)>,
    log: Vec<Call>,
    stage: Option<Stage>,
    freebsd: freebsd::Machine,
    apple: apple::Machine,
    spawn: spawn::Machine,
    release: Release,
    /// The field `release` of uname(2).
    pub(crate) kernel_release: &'static str,
    /// The call that a filter answers with 0.
    pretended: Option<&'static str>,
    /// The calls of a backend that are not among [`NAMES`].
    calls: Vec<&'static str>,
}

/// The result of opening or executing a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A program that can be executed.
    Program,
    /// A directory.
    Directory,
    /// A directory that this user alone may search.
    DirectoryOf(u32),
    /// Something that answers every call with this errno.
    Fails(Errno),
}

/// Some calls of one name are refused, counted from 0.
struct Refusal {
    name: &'static str,
    which: Range<usize>,
    errno: Errno,
    /// The number of calls so far.
    seen: usize,
}

impl Refusal {
    /// Counts a call of its name, and answers if that is one of those.
    fn count(&mut self) -> Option<Errno> {
        let index = self.seen;
        self.seen += 1;
        self.which.contains(&index).then_some(self.errno)
    }
}

impl SimKernel {
    /// Descriptors 0, 1 and 2 are open, `/proc/self/fd` and `/dev/fd` are live, nothing is refused.
    pub(crate) fn new() -> Self {
        let live = [c"/proc/self/fd", c"/dev/fd"].map(|path| (path.to_owned(), Listing::Live));
        let files = [(c"/", Outcome::Directory), (c"/bin/prog", Outcome::Program)];
        let state = State {
            table: Table::with_standard_streams(),
            parents: None,
            procfs: Procfs::Live,
            reopened: Vec::new(),
            listings: live.into(),
            positions: BTreeMap::new(),
            files: files.map(|(path, outcome)| (path.to_owned(), outcome)).into(),
            process: Process::child_of_root(),
            open_max: None,
            miscount: 0,
            clock: 0,
            stat: None,
            child: None,
            refusals: Vec::new(),
            failing: Vec::new(),
            log: Vec::new(),
            stage: None,
            freebsd: freebsd::Machine::NEW,
            apple: apple::Machine::NEW,
            spawn: spawn::Machine::NEW,
            release: Release::Linux,
            kernel_release: "6.18.4-amd64",
            pretended: None,
            calls: Vec::new(),
        };
        Self { state: Mutex::new(state) }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut State)) -> Self {
        change(self.state.get_mut().expect("no call has panicked"));
        self
    }

    /// Opens inheritable descriptors, whatever the limit is now.
    pub(crate) fn with_open(self, fds: &[Fd]) -> Self {
        self.with_files(fds, File::Plain, false)
    }

    /// Opens descriptors that exec closes.
    pub(crate) fn with_cloexec(self, fds: &[Fd]) -> Self {
        self.with_files(fds, File::Plain, true)
    }

    /// Opens descriptors, each on a file of its own.
    pub(crate) fn with_files(self, fds: &[Fd], file: File, cloexec: bool) -> Self {
        self.with(|state| fds.iter().for_each(|&fd| state.table.open_at(fd, file, cloexec)))
    }

    /// Closes descriptors that were there from the start.
    pub(crate) fn without_open(self, fds: &[Fd]) -> Self {
        self.with(|state| {
            for &fd in fds {
                state.table.close(fd).expect("it is open");
            }
        })
    }

    /// Sets both limits of descriptor numbers; `u64::MAX` is none.
    pub(crate) fn with_limit(self, limit: u64) -> Self {
        self.with(|state| state.process.set_descriptor_limit(limit, limit))
    }

    /// Sets the value of `_SC_OPEN_MAX`.
    pub(crate) fn with_open_max(self, open_max: u64) -> Self {
        self.with(|state| state.open_max = Some(open_max))
    }

    /// Lets more descriptors be counted than are open, or fewer.
    pub(crate) fn with_miscount(self, miscount: Fd) -> Self {
        self.with(|state| state.miscount = miscount)
    }

    /// Puts a directory in the place of both that list descriptors.
    pub(crate) fn with_listing(self, listing: &Listing) -> Self {
        self.with(|state| state.listings.values_mut().for_each(|it| *it = listing.clone()))
    }

    /// Takes away the directories that list descriptors.
    pub(crate) fn without_listings(self) -> Self {
        self.with(|state| state.listings.clear())
    }

    /// Puts another tree in the place of `/proc`, as far as it has the descriptors of the parent.
    pub(crate) fn with_procfs(self, procfs: Procfs) -> Self {
        self.with(|state| state.procfs = procfs)
    }

    /// The files that were opened anew, and the access.
    pub(crate) fn reopened(&self) -> Vec<(u64, Access)> {
        self.state().reopened.clone()
    }

    /// Lets a path lead somewhere.
    pub(crate) fn with_path(self, path: &CStr, outcome: Outcome) -> Self {
        self.with(|state| {
            state.files.insert(path.to_owned(), outcome);
        })
    }

    /// Lets `/proc/PID/stat` of a child be there.
    pub(crate) fn with_stat(self, stat: &'static str) -> Self {
        self.with(|state| state.stat = Some(stat))
    }

    /// Lets a child be in the table of processes, with these entries one after the other.
    pub(crate) fn with_child(self, child: Pid, entries: Vec<Option<ProcessEntry>>) -> Self {
        self.with(|state| state.child = Some((child, entries)))
    }

    /// Makes it the kernel of a release of Android, with the filter of apps.
    pub(crate) fn with_release(self, release: Release) -> Self {
        self.with(|state| state.release = release)
    }

    /// Changes the process before it begins.
    pub(crate) fn with_process(self, change: impl FnOnce(&mut Process)) -> Self {
        self.with(|state| change(&mut state.process))
    }

    /// Adds calls of a backend, by name, to those that can be refused.
    pub(crate) fn with_calls(self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.with(|state| state.calls.extend(names))
    }

    /// Lets sigaction(2) refuse these signals, as it refuses SIGKILL and SIGSTOP.
    pub(crate) fn with_untouchable(self, signals: &[Signal]) -> Self {
        self.with_process(|process| process.untouchable.extend(signals))
    }

    /// Makes the terminal the controlling one, with the process's own group in its foreground.
    pub(crate) fn with_controlling_terminal(self, terminal: Fd) -> Self {
        self.with(|state| {
            state.process.terminal = Some(state.table.entries()[&terminal].file);
            state.process.foreground = state.process.group;
        })
    }

    /// Refuses every call of this name.
    pub(crate) fn refusing(self, name: &str, errno: Errno) -> Self {
        self.refusing_some(name, 0..usize::MAX, errno)
    }

    /// Refuses some calls of this name, counted from 0.
    pub(crate) fn refusing_some(self, name: &str, which: Range<usize>, errno: Errno) -> Self {
        self.with(|state| {
            let name = state.known(name).expect("a call of this kernel");
            state.refusals.push(Refusal { name, which, errno, seen: 0 });
        })
    }

    /// Answers every call of an attribute with this name with 0, and does nothing.
    ///
    /// Source: `SECCOMP_RET_ERRNO` of seccomp(2).
    pub(crate) fn pretending(self, name: &'static str) -> Self {
        self.with(|state| state.pretended = Some(name))
    }

    /// Makes one call fail, if it can fail: the one with this index among all calls. close(2) frees the number even if
    /// it fails (NOTES), so it is made.
    pub(crate) fn failing_at(self, index: usize, errno: Errno) -> Self {
        self.with(|state| state.failing.push((index, errno)))
    }

    /// The open descriptors.
    pub(crate) fn open_fds(&self) -> Vec<Fd> {
        self.state().table.fds()
    }

    /// The process's descriptor table.
    pub(crate) fn table(&self) -> Table {
        self.state().table.clone()
    }

    /// The table of the parent, if it was shared at first.
    pub(crate) fn parents_table(&self) -> Table {
        let state = self.state();
        state.parents.as_ref().unwrap_or(&state.table).clone()
    }

    /// Reopens all closed descriptors: the table of the next child.
    pub(crate) fn restore(&self, table: &Table) {
        self.state().table = table.clone();
    }

    /// Every call so far.
    pub(crate) fn log(&self) -> Vec<Call> {
        self.state().log.clone()
    }

    /// Every call so far, as text, but for the questions about single signals.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.log().iter().filter(|call| call.name != "disposition").map(Call::to_string).collect()
    }

    /// The calls of one name, as text.
    pub(crate) fn calls_of(&self, name: &str) -> Vec<String> {
        assert!(self.state().known(name).is_some(), "{name} is no call of this kernel");
        self.log().iter().filter(|call| call.name == name).map(Call::to_string).collect()
    }

    /// Notes to which stage the calls belong that come next.
    pub(crate) fn enter(&self, stage: Stage) {
        self.state().stage = Some(stage);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no call has panicked")
    }

    /// One system call: noted, then refused or done.
    pub(crate) fn call<T>(
        &self,
        call: Call,
        act: impl FnOnce(&mut State) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut state = self.state();
        let (number, is_close) = (state.log.len(), call.name == "close");
        let cannot_fail = matches!(call.name, "parent" | "process" | "set_umask");
        if let Some(errno) = state.note(call) {
            return Err(errno);
        }
        let failing = state.failing.iter().find(|(index, _)| *index == number && !cannot_fail);
        match failing.map(|(_, errno)| *errno) {
            None => act(&mut state),
            Some(errno) if is_close => act(&mut state).and(Err(errno)),
            Some(errno) => Err(errno),
        }
    }
}

impl fmt::Debug for SimKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimKernel").field("open", &self.open_fds()).finish_non_exhaustive()
    }
}

impl State {
    /// ESRCH if there is no such process, or if it may not be seen.
    ///
    /// Source: `sysctl_kern_proc` of sys/kern/kern_proc.c of FreeBSD; seen on FreeBSD 12.1-RELEASE.
    fn process_entry(&mut self, process: Pid) -> Result<ProcessEntry, Errno> {
        let (_, entries) = self.child.as_mut().filter(|(child, _)| *child == process).ok_or(Errno::SRCH)?;
        let entry = if entries.len() > 1 { entries.remove(0) } else { entries.first().copied().flatten() };
        entry.ok_or(Errno::SRCH)
    }

    /// The name of a call that this kernel has.
    fn known(&self, name: &str) -> Option<&'static str> {
        NAMES.iter().chain(&self.calls).find(|&&known| known == name).copied()
    }

    /// Records a call, and returns the errno if it is refused.
    fn note(&mut self, mut call: Call) -> Option<Errno> {
        let of_name = self.refusals.iter_mut().filter(|it| it.name == call.name);
        // Each counts for itself, and the first that refuses is the one that does.
        let errno = of_name.filter_map(Refusal::count).reduce(|first, _| first);
        let is_known = self.known(call.name).is_some() || call.name == call::CANNOT_FAIL;
        assert!(is_known, "name {} by `with_calls`, or no suite would make it fail", call.name);
        call.stage = self.stage;
        self.log.push(call);
        errno
    }
}

#[test]
#[should_panic(expected = "name closeall by `with_calls`")]
fn call_without_a_fault_name_panics() {
    let _ = SimKernel::new().call(Call::new("closeall"), |_| Ok(()));
}
