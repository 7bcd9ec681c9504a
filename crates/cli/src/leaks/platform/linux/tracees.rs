//! The state of the traced tasks, and its changes at each of their stops.
//!
//! A descriptor is *inherited* if a process got it from its parent. It is *asked for* in these cases:
//!
//! - the process itself placed this number, made it inheritable, read its flag, or closed a range next to it;
//! - the arguments or the environment of the program mention it (see `mentions`);
//! - the parent placed it only for this child (see `ShellRedirect`).
//!
//! A descriptor above 2 that is inherited, not asked for and open after exec is a leak.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::mem;
use std::process::ExitStatus;
use std::rc::Rc;

use libc::c_long;

use super::calls::{self, Does};
use super::descriptors::{Origin, ShellRedirect, Table};
use super::process::{self, FileId};
use super::sys;
use crate::fds::{self, Row};
use crate::leaks::platform::mentions::Mentions;
use crate::leaks::platform::options::Settings;
use crate::leaks::platform::report::{self, Inheritor, Leak, Process, Step, Traced};

/// All traced tasks and processes.
pub(super) struct Tracees<'a> {
    settings: &'a Settings,
    root: i32,
    tasks: HashMap<i32, Task>,
    processes: HashMap<i32, Known>,
    /// True if a filter stops the traced calls. Until then, all calls stop.
    is_filtered: bool,
    has_started: bool,
    leaks: Vec<Leak>,
    unseen: Vec<(Process, String)>,
    execs: u32,
}

/// A thread, by its id.
struct Task {
    process: i32,
    table: Table,
    /// The call that it is in.
    call: Option<Call>,
}

#[derive(Clone, Copy)]
struct Call {
    name: &'static str,
    does: Does,
    args: [u64; 6],
}

/// A process.
struct Known {
    /// The process, with the program that it runs.
    now: Process,
    /// The process that had the descriptors before: the parent, or after an exec the process itself, with its old program.
    before: Process,
    /// Numbers that it acted on since it was created: they are not inherited, or were asked for.
    own: HashSet<i32>,
    /// The descriptors that were open after its last exec.
    open_at_exec: Option<HashMap<i32, Option<FileId>>>,
    /// Numbers that it placed since it last started a process.
    placed: HashMap<i32, Option<FileId>>,
    /// Redirections for its last child.
    for_child: Vec<Rc<RefCell<ShellRedirect>>>,
    /// Redirections that its parent made for it.
    from_parent: Vec<Rc<RefCell<ShellRedirect>>>,
}

impl<'a> Tracees<'a> {
    /// Makes the state for the child that will become the program.
    pub(super) fn new(settings: &'a Settings, root: i32) -> Self {
        let mut tracees = Self {
            settings,
            root,
            tasks: HashMap::new(),
            processes: HashMap::new(),
            is_filtered: false,
            has_started: false,
            leaks: Vec::new(),
            unseen: Vec::new(),
            execs: 0,
        };
        tracees.tasks.insert(root, Task { process: root, table: Table::default(), call: None });
        tracees.processes.insert(root, Known::new(process_of(root), process_of(root)));
        tracees
    }

    /// Returns true if the program runs or has run.
    pub(super) fn has_started(&self) -> bool {
        self.has_started
    }

    /// Returns the remaining processes.
    pub(super) fn processes(&self) -> BTreeSet<i32> {
        self.processes.keys().copied().collect()
    }

    /// Returns true if the task must stop at the next beginning or end of a call.
    pub(super) fn awaits_a_call(&self, tid: i32) -> bool {
        !self.is_filtered || self.tasks.get(&tid).is_some_and(|task| task.call.is_some())
    }

    /// Returns the result, after all processes have ended.
    pub(super) fn into_traced(mut self, status: ExitStatus) -> Traced {
        let left: Vec<_> = self.processes.keys().copied().collect();
        for pid in left {
            self.forget_process(pid);
        }
        report::sort(&mut self.leaks);
        Traced { leaks: self.leaks, execs: self.execs, unseen: self.unseen, status }
    }

    /// Adds an unknown task, which has stopped before its creator did. Returns true if it is a new process.
    pub(super) fn meet(&mut self, tid: i32) -> bool {
        if self.tasks.contains_key(&tid) {
            return false;
        }
        let Some(pid) = process::of_task(tid) else { return false };
        let creator = if pid == tid { process::parent(pid).unwrap_or(self.root) } else { pid };
        let of_creator = |(_, task): &(&i32, &Task)| task.process == creator;
        let creator = self.tasks.iter().filter(of_creator).map(|(&tid, _)| tid).min().unwrap_or(self.root);
        self.created(creator, tid);
        pid == tid
    }

    /// A task created another one.
    pub(super) fn created(&mut self, creator: i32, tid: i32) {
        if self.tasks.contains_key(&tid) {
            return;
        }
        let (parent, table) = match self.tasks.get(&creator) {
            Some(task) => (task.process, Rc::clone(&task.table)),
            None => (creator, Table::default()),
        };
        let pid = process::of_task(tid).unwrap_or(tid);
        let is_thread = pid == parent;
        let shares = sys::share_a_table(creator, tid).unwrap_or(is_thread);
        let table = if shares { table } else { copy(&table) };
        self.tasks.insert(tid, Task { process: pid, table, call: None });
        if !is_thread {
            self.add_process(parent, pid);
        }
    }

    fn add_process(&mut self, parent: i32, pid: i32) {
        self.settle(parent);
        let program = process_of(pid).program;
        let Some(parent) = self.processes.get_mut(&parent) else {
            let before = process_of(parent);
            self.processes.insert(pid, Known::new(Process { pid, program }, before));
            return;
        };
        let program = Rc::clone(&parent.now.program);
        let mut child = Known::new(Process { pid, program }, parent.now.clone());
        child.from_parent = parent.placed.drain().map(|(fd, file)| ShellRedirect::new(fd, file)).collect();
        parent.for_child.clone_from(&child.from_parent);
        self.processes.insert(pid, child);
    }

    /// A task enters a call.
    pub(super) fn begins(&mut self, tid: i32, number: c_long, args: [u64; 6]) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        task.call =
            calls::by_number(number).map(|calls::Traced { name, does, .. }| Call { name, does, args });
    }

    /// A task leaves its call.
    pub(super) fn ends(&mut self, tid: i32, result: i64) {
        let call = self.tasks.get_mut(&tid).and_then(|task| task.call.take());
        if let (Some(call), Ok(result)) = (call, u64::try_from(result)) {
            self.did(tid, call, result);
        }
    }

    fn did(&mut self, tid: i32, Call { name, does, args }: Call, result: u64) {
        let (new, first) = (number(result), number(args[0]));
        match does {
            Does::Opens => self.opened(tid, name, new),
            Does::OpensTwo(argument) => {
                let both = process::pair_at(tid, args[argument]).unwrap_or([-1, -1]);
                for fd in both {
                    self.opened(tid, name, fd);
                }
            }
            Does::Duplicates => self.duplicated(tid, name, first, new),
            Does::Places => {
                self.duplicated(tid, name, first, new);
                self.placed(tid, new);
            }
            Does::Controls => match number(args[1]) {
                libc::F_SETFD if args[2] & 1 == 0 => self.made_inheritable(tid, "fcntl(F_SETFD)", first),
                libc::F_GETFD => self.acts_on(tid, first),
                libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => self.duplicated(tid, "fcntl(F_DUPFD)", first, new),
                _ => {}
            },
            Does::Marks if args[1] == calls::MAKE_INHERITABLE => {
                self.made_inheritable(tid, "ioctl(FIONCLEX)", first);
            }
            Does::ClosesRange => {
                self.acts_on(tid, first.saturating_sub(1));
                self.acts_on(tid, number(args[1]).saturating_add(1));
                if args[2] & calls::OWN_TABLE_BEFORE_CLOSING != 0 {
                    self.unshares(tid);
                }
            }
            Does::Unshares if args[0] & calls::OWN_TABLE != 0 => self.unshares(tid),
            Does::Marks | Does::Unshares => {}
            Does::Filters => self.is_filtered |= tid == self.root && !self.has_started,
        }
    }

    fn opened(&mut self, tid: i32, call: &'static str, fd: i32) {
        let file = process::file(tid, fd);
        let Some(step) = self.step(tid, call) else { return };
        self.replaces(tid, fd);
        self.comes_from(tid, fd, Origin::opened(step, file));
    }

    fn duplicated(&mut self, tid: i32, call: &'static str, from: i32, to: i32) {
        if from == to {
            return self.acts_on(tid, to);
        }
        let file = process::file(tid, to);
        let Some(step) = self.step(tid, call) else { return };
        let known = self.origin(tid, from);
        self.replaces(tid, to);
        self.comes_from(tid, to, Origin::then(known, step, file));
    }

    /// The process replaces a number. If that was a redirection for its child, the redirection ends.
    fn replaces(&mut self, tid: i32, fd: i32) {
        let Some(process) = self.process_mut(tid) else { return };
        process.for_child.retain(|redirect| {
            let is_over = redirect.borrow().fd == fd;
            if is_over {
                redirect.borrow_mut().end();
            }
            !is_over
        });
    }

    fn placed(&mut self, tid: i32, fd: i32) {
        let file = process::file(tid, fd);
        if let Some(process) = self.process_mut(tid) {
            process.placed.insert(fd, file);
        }
    }

    fn made_inheritable(&mut self, tid: i32, call: &'static str, fd: i32) {
        let file = process::file(tid, fd);
        let Some(step) = self.step(tid, call) else { return };
        let known = self.origin(tid, fd);
        self.comes_from(tid, fd, Origin::then(known, step, file));
    }

    fn comes_from(&mut self, tid: i32, fd: i32, origin: Origin) {
        if let Some(task) = self.tasks.get(&tid) {
            task.table.borrow_mut().insert(fd, Rc::new(origin));
        }
        self.acts_on(tid, fd);
    }

    /// The process acts on this number.
    fn acts_on(&mut self, tid: i32, fd: i32) {
        if let Some(process) = self.process_mut(tid) {
            process.own.insert(fd);
        }
    }

    fn unshares(&mut self, tid: i32) {
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.table = copy(&task.table);
        }
    }

    /// A process executed a program. `former` is the task that called exec. All other tasks of the process are gone.
    pub(super) fn execed(&mut self, pid: i32, former: i32) {
        let table = self.tasks.get(&former).map(|task| copy(&task.table)).unwrap_or_default();
        self.tasks.retain(|_, task| task.process != pid);
        self.tasks.insert(pid, Task { process: pid, table, call: None });
        self.settle(pid);
        let now = process_of(pid);
        let mut known = self.processes.remove(&pid).unwrap_or_else(|| Known::new(now.clone(), now.clone()));
        known.now = now;
        self.execs += 1;
        let is_first = !mem::replace(&mut self.has_started, true);
        match fds::other::rows(pid) {
            Ok(rows) => self.judge(&mut known, rows, is_first),
            Err(error) => self.unseen.push((known.now.clone(), error.to_string())),
        }
        known.before = known.now.clone();
        known.placed.clear();
        self.processes.insert(pid, known);
    }

    /// Checks the descriptors of a process right after exec.
    fn judge(&mut self, known: &mut Known, mut rows: Vec<Row>, is_first: bool) {
        let pid = known.now.pid;
        rows.retain(|row| row.fd > 2);
        let files: HashMap<_, _> = rows.iter().map(|row| (row.fd, process::file(pid, row.fd))).collect();
        known.own.retain(|fd| files.contains_key(fd));
        if let Some(task) = self.tasks.get(&pid) {
            task.table.borrow_mut().retain(|fd, _| files.contains_key(fd));
        }
        if is_first {
            known.own.extend(files.keys());
        }
        if let Some(before) = known.open_at_exec.replace(files.clone()) {
            // Descriptors that the process opened since its last exec by untraced calls are its own, too.
            let opened_since = files.iter().filter(|(fd, file)| before.get(fd) != Some(file));
            known.own.extend(opened_since.map(|(&fd, _)| fd));
        }
        rows.retain(|row| !known.own.contains(&row.fd));
        if rows.is_empty() {
            return;
        }
        let env = process::environment(pid);
        let mentions = Mentions { args: &known.now.program.args, env: &env, pid };
        let asked: Vec<_> = rows.iter().map(|row| row.fd).filter(|&fd| mentions.include(fd)).collect();
        rows.retain(|row| !asked.contains(&row.fd) && !self.settings.ignores(row));
        known.own.extend(asked);
        fds::sockets::name(&mut rows, &fds::other::directory(pid).join("net"));
        for row in rows {
            self.leaked(known, row);
        }
    }

    fn leaked(&mut self, known: &Known, row: Row) {
        let fd = row.fd;
        let file = known.open_at_exec.as_ref().and_then(|files| files.get(&fd).copied()).flatten();
        let origin = self.origin(known.now.pid, fd).filter(|origin| origin.leads_to(file));
        let leak = Leak {
            row,
            opened: origin.as_ref().and_then(|origin| origin.opened.clone()),
            then: origin.and_then(|origin| origin.then.clone()),
            held_by: known.before.clone(),
            inherited_by: vec![Inheritor { fd, process: known.now.clone(), times: 1, exec: self.execs }],
        };
        let redirect = known.from_parent.iter().find(|redirect| redirect.borrow().fd == fd);
        let leak = match redirect {
            Some(redirect) => redirect.borrow_mut().hold(leak),
            None => Some(leak),
        };
        self.add(leak);
    }

    fn add(&mut self, leaks: impl IntoIterator<Item = Leak>) {
        leaks.into_iter().for_each(|leak| report::add(&mut self.leaks, leak));
    }

    /// A task is about to end.
    pub(super) fn exits(&mut self, tid: i32) {
        let Some(pid) = self.tasks.get(&tid).map(|task| task.process) else { return };
        if self.tasks.values().filter(|task| task.process == pid).count() == 1 {
            self.settle_by(pid, tid);
        }
    }

    /// Decides the redirections that the process made for its last child.
    fn settle(&mut self, pid: i32) {
        self.settle_by(pid, pid);
    }

    /// Does the same, with the descriptors of one of its tasks.
    fn settle_by(&mut self, pid: i32, tid: i32) {
        let redirects = self.processes.get_mut(&pid).map(|known| mem::take(&mut known.for_child));
        for redirect in redirects.unwrap_or_default() {
            let mut redirect = redirect.borrow_mut();
            let now = process::file(tid, redirect.fd);
            let leaks = redirect.settle(now);
            self.add(leaks);
        }
    }

    /// A task has ended.
    pub(super) fn forget(&mut self, tid: i32) {
        let Some(Task { process, .. }) = self.tasks.remove(&tid) else { return };
        if self.tasks.values().all(|task| task.process != process) {
            self.forget_process(process);
        }
    }

    fn forget_process(&mut self, pid: i32) {
        let redirects = self.processes.remove(&pid).map(|known| known.for_child);
        for redirect in redirects.unwrap_or_default() {
            let leaks = redirect.borrow_mut().give_up();
            self.add(leaks);
        }
    }

    fn step(&self, tid: i32, call: &'static str) -> Option<Step> {
        let process = &self.tasks.get(&tid)?.process;
        Some(Step { call, by: self.processes.get(process)?.now.clone() })
    }

    fn origin(&self, tid: i32, fd: i32) -> Option<Rc<Origin>> {
        self.tasks.get(&tid)?.table.borrow().get(&fd).cloned()
    }

    fn process_mut(&mut self, tid: i32) -> Option<&mut Known> {
        self.processes.get_mut(&self.tasks.get(&tid)?.process)
    }
}

impl Known {
    fn new(now: Process, before: Process) -> Self {
        Self {
            now,
            before,
            own: HashSet::new(),
            open_at_exec: None,
            placed: HashMap::new(),
            for_child: Vec::new(),
            from_parent: Vec::new(),
        }
    }
}

fn process_of(pid: i32) -> Process {
    Process { pid, program: Rc::new(process::program(pid)) }
}

fn copy(table: &Table) -> Table {
    Rc::new(RefCell::new(table.borrow().clone()))
}

/// Returns the descriptor in a register. The upper half of the register has no meaning.
#[expect(clippy::cast_possible_truncation, reason = "the function truncates")]
fn number(register: u64) -> i32 {
    register as i32
}
