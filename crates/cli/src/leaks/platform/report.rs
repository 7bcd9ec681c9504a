//! The result of a trace: each leak once, with all its inheritors.

use std::mem;
use std::process::ExitStatus;
use std::rc::Rc;

use serde::Serialize;

use crate::fds::Row;

/// The program of a process, with its arguments.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(in crate::leaks) struct Program {
    /// The path of its file. Empty if the system does not show it.
    pub(in crate::leaks) program: String,
    pub(in crate::leaks) args: Vec<String>,
}

/// A process, with the program that it ran at the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::leaks) struct Process {
    pub(in crate::leaks) pid: i32,
    pub(in crate::leaks) program: Rc<Program>,
}

/// A call on a descriptor, and the process that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::leaks) struct Step {
    pub(in crate::leaks) call: &'static str,
    #[serde(flatten)]
    pub(in crate::leaks) by: Process,
}

/// The processes that inherited a descriptor under one number and with one program.
#[derive(Debug, Serialize)]
pub(in crate::leaks) struct Inheritor {
    /// The number of the descriptor.
    pub(in crate::leaks) fd: i32,
    /// The first of the processes.
    #[serde(flatten)]
    pub(in crate::leaks) process: Process,
    /// The number of processes.
    pub(in crate::leaks) times: u32,
    /// The position of the first exec, counted over the whole trace.
    #[serde(skip)]
    pub(in crate::leaks) exec: u32,
}

/// A descriptor that was inherited without being asked for.
#[derive(Debug, Serialize)]
pub(in crate::leaks) struct Leak {
    /// The descriptor in the first inheritor.
    #[serde(flatten)]
    pub(in crate::leaks) row: Row,
    /// The call that opened it, if it is a traced call.
    pub(in crate::leaks) opened: Option<Step>,
    /// The last call that duplicated it or made it inheritable.
    pub(in crate::leaks) then: Option<Step>,
    /// The process that had it when the first inheritor was started.
    pub(in crate::leaks) held_by: Process,
    pub(in crate::leaks) inherited_by: Vec<Inheritor>,
}

/// The result of a trace.
pub(in crate::leaks) struct Traced {
    pub(in crate::leaks) leaks: Vec<Leak>,
    /// The number of execs.
    pub(in crate::leaks) execs: u32,
    /// Programs whose descriptors could not be listed, with the reason.
    pub(in crate::leaks) unseen: Vec<(Process, String)>,
    /// The exit status of the program.
    pub(in crate::leaks) status: ExitStatus,
}

impl Serialize for Process {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Plain<'a> {
            pid: i32,
            #[serde(flatten)]
            program: &'a Program,
        }
        Plain { pid: self.pid, program: &self.program }.serialize(serializer)
    }
}

/// Adds a leak. If it is known already, adds its inheritors to the known one. The order of the calls does not matter.
pub(in crate::leaks) fn add(leaks: &mut Vec<Leak>, mut new: Leak) {
    let Some(known) = leaks.iter_mut().find(|known| is_same(known, &new)) else { return leaks.push(new) };
    if new.first_exec() < known.first_exec() {
        mem::swap(known, &mut new);
    }
    for mut inheritor in new.inherited_by {
        match known.inherited_by.iter_mut().find(|known| is_same_inheritor(known, &inheritor)) {
            Some(same) => {
                if inheritor.exec < same.exec {
                    mem::swap(same, &mut inheritor);
                }
                same.times += inheritor.times;
            }
            None => known.inherited_by.push(inheritor),
        }
    }
    known.inherited_by.sort_by_key(|inheritor| inheritor.exec);
}

/// Sorts leaks by the first exec that inherited each.
pub(in crate::leaks) fn sort(leaks: &mut [Leak]) {
    leaks.sort_by_key(Leak::first_exec);
}

impl Leak {
    fn first_exec(&self) -> Option<u32> {
        self.inherited_by.first().map(|inheritor| inheritor.exec)
    }
}

fn is_same_inheritor(known: &Inheritor, new: &Inheritor) -> bool {
    let (ours, tinheritors) = (&known.process.program, &new.process.program);
    known.fd == new.fd && ours.program == tinheritors.program && ours.args.first() == tinheritors.args.first()
}

/// Returns true if both have the same target, and come from the same calls of the same processes.
fn is_same(known: &Leak, new: &Leak) -> bool {
    let steps = |leak: &Leak| (leak.opened.clone(), leak.then.clone());
    let holder = |leak: &Leak| leak.opened.is_none().then(|| leak.held_by.clone());
    known.row.target == new.row.target && steps(known) == steps(new) && holder(known) == holder(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fds::{Kind, Mode};

    fn process(pid: i32, args: &[&str]) -> Process {
        let args: Vec<_> = args.iter().map(ToString::to_string).collect();
        Process { pid, program: Rc::new(Program { program: format!("/bin/{}", args[0]), args }) }
    }

    fn leak(target: &str, opener: i32, exec: u32, inheritor: Process) -> Leak {
        let fd = 7;
        Leak {
            row: Row {
                fd,
                mode: Mode::Read,
                cloexec: Some(false),
                flags: vec![],
                kind: Kind::File,
                target: Some(target.into()),
            },
            opened: Some(Step { call: "openat", by: process(opener, &["opener"]) }),
            then: None,
            held_by: process(opener, &["opener"]),
            inherited_by: vec![Inheritor { fd, process: inheritor, times: 1, exec }],
        }
    }

    #[test]
    fn leak_with_many_inheritors_is_reported_once() {
        let mut leaks = Vec::new();
        for new in [
            leak("/x", 1, 3, process(4, &["cat"])),
            leak("/x", 1, 2, process(3, &["sh", "-c", "b"])),
            leak("/y", 1, 4, process(5, &["cat"])),
            leak("/x", 1, 1, process(2, &["sh", "-c", "a"])),
            leak("/x", 9, 5, process(6, &["cat"])),
        ] {
            add(&mut leaks, new);
        }
        sort(&mut leaks);
        let inheritors = |leak: &Leak| {
            leak.inherited_by
                .iter()
                .map(|inheritor| (inheritor.process.pid, inheritor.times))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            leaks.iter().map(inheritors).collect::<Vec<_>>(),
            [vec![(2, 2), (4, 1)], vec![(5, 1)], vec![(6, 1)]]
        );
    }
}
