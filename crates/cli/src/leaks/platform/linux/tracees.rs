//! What is known of the tasks that are traced, and what follows from each of their stops.
//!
//! A descriptor is *inherited* if a process got it from its parent. It was *asked for* if the process did something about that
//! very number since then: placed it, made it inheritable, looked at its flag, or closed what is beside it; if the program
//! is told of it (see `mentions`); or if its parent placed it for this child alone (see `ShellRedirect`). What is inherited, is above 2
//! and is open after exec without being asked for is a leak.

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
use crate::leaks::platform::mentions::Told;
use crate::leaks::platform::options::Wanted;
use crate::leaks::platform::report::{self, Inheritor, Leak, Process, Step, Traced};

/// All of them.
pub(super) struct Tracees<'a> {
    wanted: &'a Wanted,
    root: i32,
    tasks: HashMap<i32, Task>,
    processes: HashMap<i32, Known>,
    /// Whether a filter stops the calls that matter. Until then every call stops.
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
    /// The call in which it is.
    call: Option<Call>,
}

#[derive(Clone, Copy)]
struct Call {
    name: &'static str,
    does: Does,
    args: [u64; 6],
}

/// A process, by its id.
struct Known {
    /// Itself, with the program that it runs.
    now: Process,
    /// Who had what it inherits: its parent, and after an exec itself, with the program that it had.
    before: Process,
    /// Numbers about which it did something since it was made: they are not inherited any more, or were asked for.
    own: HashSet<i32>,
    /// What was open after its last exec.
    born_with: Option<HashMap<i32, Option<FileId>>>,
    /// Numbers that it placed since it last started a process.
    placed: HashMap<i32, Option<FileId>>,
    /// To its last child.
    lent: Vec<Rc<RefCell<ShellRedirect>>>,
    /// From its parent.
    borrowed: Vec<Rc<RefCell<ShellRedirect>>>,
}

impl<'a> Tracees<'a> {
    /// The child that is to become the program.
    pub(super) fn new(wanted: &'a Wanted, root: i32) -> Self {
        let mut tracees = Self {
            wanted,
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

    /// Whether the program runs, or ran.
    pub(super) fn has_started(&self) -> bool {
        self.has_started
    }

    /// The processes that are left.
    pub(super) fn processes(&self) -> BTreeSet<i32> {
        self.processes.keys().copied().collect()
    }

    /// Whether the task is to stop at the next beginning or end of a call.
    pub(super) fn awaits_a_call(&self, tid: i32) -> bool {
        !self.is_filtered || self.tasks.get(&tid).is_some_and(|task| task.call.is_some())
    }

    /// What was found, when all have ended.
    pub(super) fn into_traced(mut self, status: ExitStatus) -> Traced {
        let left: Vec<_> = self.processes.keys().copied().collect();
        for pid in left {
            self.forget_process(pid);
        }
        report::sort(&mut self.leaks);
        Traced { leaks: self.leaks, execs: self.execs, unseen: self.unseen, status }
    }

    /// Makes the acquaintance of a task that stops before its maker did. Whether it is a process that was not known.
    pub(super) fn meet(&mut self, tid: i32) -> bool {
        if self.tasks.contains_key(&tid) {
            return false;
        }
        let Some(pid) = process::of_task(tid) else { return false };
        let maker = if pid == tid { process::parent(pid).unwrap_or(self.root) } else { pid };
        let of_maker = |(_, task): &(&i32, &Task)| task.process == maker;
        let maker = self.tasks.iter().filter(of_maker).map(|(&tid, _)| tid).min().unwrap_or(self.root);
        self.born(maker, tid);
        pid == tid
    }

    /// A task made another one.
    pub(super) fn born(&mut self, maker: i32, tid: i32) {
        if self.tasks.contains_key(&tid) {
            return;
        }
        let (of_maker, table) = match self.tasks.get(&maker) {
            Some(task) => (task.process, Rc::clone(&task.table)),
            None => (maker, Table::default()),
        };
        let pid = process::of_task(tid).unwrap_or(tid);
        let is_thread = pid == of_maker;
        let shares = sys::share_a_table(maker, tid).unwrap_or(is_thread);
        let table = if shares { table } else { copy(&table) };
        self.tasks.insert(tid, Task { process: pid, table, call: None });
        if !is_thread {
            self.add_process(of_maker, pid);
        }
    }

    fn add_process(&mut self, maker: i32, pid: i32) {
        self.settle(maker);
        let program = process_of(pid).program;
        let Some(maker) = self.processes.get_mut(&maker) else {
            let before = process_of(maker);
            self.processes.insert(pid, Known::new(Process { pid, program }, before));
            return;
        };
        let program = Rc::clone(&maker.now.program);
        let mut child = Known::new(Process { pid, program }, maker.now.clone());
        child.borrowed = maker.placed.drain().map(|(fd, file)| ShellRedirect::new(fd, file)).collect();
        maker.lent.clone_from(&child.borrowed);
        self.processes.insert(pid, child);
    }

    /// A task enters a call that concerns descriptors, or any other.
    pub(super) fn begins(&mut self, tid: i32, number: c_long, args: [u64; 6]) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        task.call =
            calls::by_number(number).map(|calls::Traced { name, does, .. }| Call { name, does, args });
    }

    /// A task leaves the call that it entered.
    pub(super) fn ends(&mut self, tid: i32, result: i64) {
        let call = self.tasks.get_mut(&tid).and_then(|task| task.call.take());
        if let Some(call) = call.filter(|_| result >= 0) {
            self.did(tid, call, result);
        }
    }

    fn did(&mut self, tid: i32, Call { name, does, args }: Call, result: i64) {
        let (new, first) = (number(result.cast_unsigned()), number(args[0]));
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
                libc::F_GETFD => self.minds(tid, first),
                libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => self.duplicated(tid, "fcntl(F_DUPFD)", first, new),
                _ => {}
            },
            Does::Marks if args[1] == calls::MAKE_INHERITABLE => {
                self.made_inheritable(tid, "ioctl(FIONCLEX)", first);
            }
            Does::ClosesRange => {
                self.minds(tid, first.saturating_sub(1));
                self.minds(tid, number(args[1]).saturating_add(1));
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
        self.takes_back(tid, fd);
        self.comes_from(tid, fd, Origin::opened(step, file));
    }

    fn duplicated(&mut self, tid: i32, call: &'static str, from: i32, to: i32) {
        if from == to {
            return self.minds(tid, to);
        }
        let file = process::file(tid, to);
        let Some(step) = self.step(tid, call) else { return };
        let known = self.origin(tid, from);
        self.takes_back(tid, to);
        self.comes_from(tid, to, Origin::then(known, step, file));
    }

    /// The number is free or taken for something else: if it was lent, that is over.
    fn takes_back(&mut self, tid: i32, fd: i32) {
        let Some(process) = self.process_mut(tid) else { return };
        process.lent.retain(|loan| {
            let is_over = loan.borrow().fd == fd;
            if is_over {
                loan.borrow_mut().end();
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
        self.minds(tid, fd);
    }

    /// The process did something about this number.
    fn minds(&mut self, tid: i32, fd: i32) {
        if let Some(process) = self.process_mut(tid) {
            process.own.insert(fd);
        }
    }

    fn unshares(&mut self, tid: i32) {
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.table = copy(&task.table);
        }
    }

    /// A process runs another program. `former` is the task that asked for it; all others of the process are gone.
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

    /// Looks at what a process has right after exec.
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
        if let Some(before) = known.born_with.replace(files.clone()) {
            // What came since, by a call that is not traced, is the process's own, too.
            let came_since = files.iter().filter(|(fd, file)| before.get(fd) != Some(file));
            known.own.extend(came_since.map(|(&fd, _)| fd));
        }
        rows.retain(|row| !known.own.contains(&row.fd));
        if rows.is_empty() {
            return;
        }
        let env = process::environment(pid);
        let told = Told { args: &known.now.program.args, env: &env, pid };
        let asked: Vec<_> = rows.iter().map(|row| row.fd).filter(|&fd| told.of(fd)).collect();
        rows.retain(|row| !asked.contains(&row.fd) && !self.wanted.lets_pass(row));
        known.own.extend(asked);
        fds::sockets::name(&mut rows, &fds::other::directory(pid).join("net"));
        for row in rows {
            self.leaked(known, row);
        }
    }

    fn leaked(&mut self, known: &Known, row: Row) {
        let fd = row.fd;
        let file = known.born_with.as_ref().and_then(|files| files.get(&fd).copied()).flatten();
        let origin = self.origin(known.now.pid, fd).filter(|origin| origin.leads_to(file));
        let leak = Leak {
            row,
            opened: origin.as_ref().and_then(|origin| origin.opened.clone()),
            then: origin.and_then(|origin| origin.then.clone()),
            held_by: known.before.clone(),
            inherited_by: vec![Inheritor { fd, process: known.now.clone(), times: 1, exec: self.execs }],
        };
        let loan = known.borrowed.iter().find(|loan| loan.borrow().fd == fd);
        let leak = match loan {
            Some(loan) => loan.borrow_mut().hold(leak),
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

    /// Decides what the process lent to its last child.
    fn settle(&mut self, pid: i32) {
        self.settle_by(pid, pid);
    }

    /// As seen by a task of it that is there.
    fn settle_by(&mut self, pid: i32, tid: i32) {
        let lent = self.processes.get_mut(&pid).map(|known| mem::take(&mut known.lent));
        for loan in lent.unwrap_or_default() {
            let mut loan = loan.borrow_mut();
            let now = process::file(tid, loan.fd);
            let leaks = loan.settle(now);
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
        let lent = self.processes.remove(&pid).map(|known| known.lent);
        for loan in lent.unwrap_or_default() {
            let leaks = loan.borrow_mut().give_up();
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
            born_with: None,
            placed: HashMap::new(),
            lent: Vec::new(),
            borrowed: Vec::new(),
        }
    }
}

fn process_of(pid: i32) -> Process {
    Process { pid, program: Rc::new(process::program(pid)) }
}

fn copy(table: &Table) -> Table {
    Rc::new(RefCell::new(table.borrow().clone()))
}

/// A descriptor as it is passed in a register, whose upper half says nothing.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn number(register: u64) -> i32 {
    (register as u32).cast_signed()
}
