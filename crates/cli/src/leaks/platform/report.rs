//! What was found: leaks, each once, with all who inherited it.

use std::mem;
use std::process::ExitStatus;
use std::rc::Rc;

use serde::Serialize;

use crate::fds::Row;

/// A program as a process ran it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(in crate::leaks) struct Program {
    /// Its file; empty where the system does not tell.
    pub(in crate::leaks) program: String,
    pub(in crate::leaks) args: Vec<String>,
}

/// A process, by what it ran at the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::leaks) struct Process {
    pub(in crate::leaks) pid: i32,
    pub(in crate::leaks) program: Rc<Program>,
}

/// A call that concerns a descriptor, and who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::leaks) struct Step {
    pub(in crate::leaks) call: &'static str,
    #[serde(flatten)]
    pub(in crate::leaks) by: Process,
}

/// Who inherited it.
#[derive(Debug, Serialize)]
pub(in crate::leaks) struct Inheritor {
    /// Under which number.
    pub(in crate::leaks) fd: i32,
    /// The first of them.
    #[serde(flatten)]
    pub(in crate::leaks) process: Process,
    /// How many processes inherited it with this program.
    pub(in crate::leaks) times: u32,
    /// Which exec it was, counted from the first.
    #[serde(skip)]
    pub(in crate::leaks) exec: u32,
}

/// A descriptor that was inherited without being asked for.
#[derive(Debug, Serialize)]
pub(in crate::leaks) struct Leak {
    /// How the first heir has it.
    #[serde(flatten)]
    pub(in crate::leaks) row: Row,
    /// The call that opened it, if that was one of those that are traced.
    pub(in crate::leaks) opened: Option<Step>,
    /// The last one that duplicated it or made it inheritable.
    pub(in crate::leaks) then: Option<Step>,
    /// Who had it when the first heir was started.
    pub(in crate::leaks) held_by: Process,
    pub(in crate::leaks) inherited_by: Vec<Inheritor>,
}

/// All that a trace tells.
pub(in crate::leaks) struct Traced {
    pub(in crate::leaks) leaks: Vec<Leak>,
    /// How many times exec was seen.
    pub(in crate::leaks) execs: u32,
    /// Programs whose descriptors could not be listed, with the reason.
    pub(in crate::leaks) unseen: Vec<(Process, String)>,
    /// How the program ended.
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

/// Adds a leak with one heir: to one that is the same and has other heirs, if there is one. They may come in any order.
pub(in crate::leaks) fn add(leaks: &mut Vec<Leak>, mut new: Leak) {
    let Some(known) = leaks.iter_mut().find(|known| is_same(known, &new)) else { return leaks.push(new) };
    if new.first_exec() < known.first_exec() {
        mem::swap(known, &mut new);
    }
    for mut heir in new.inherited_by {
        match known.inherited_by.iter_mut().find(|known| is_same_heir(known, &heir)) {
            Some(same) => {
                if heir.exec < same.exec {
                    mem::swap(same, &mut heir);
                }
                same.times += heir.times;
            }
            None => known.inherited_by.push(heir),
        }
    }
    known.inherited_by.sort_by_key(|heir| heir.exec);
}

/// Sorts leaks by the first exec that inherited each.
pub(in crate::leaks) fn sort(leaks: &mut [Leak]) {
    leaks.sort_by_key(Leak::first_exec);
}

impl Leak {
    fn first_exec(&self) -> Option<u32> {
        self.inherited_by.first().map(|heir| heir.exec)
    }
}

fn is_same_heir(known: &Inheritor, new: &Inheritor) -> bool {
    let (ours, theirs) = (&known.process.program, &new.process.program);
    known.fd == new.fd && ours.program == theirs.program && ours.args.first() == theirs.args.first()
}

/// Whether both come from the same calls of the same processes, and lead to the same.
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

    fn leak(target: &str, opener: i32, exec: u32, heir: Process) -> Leak {
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
            inherited_by: vec![Inheritor { fd, process: heir, times: 1, exec }],
        }
    }

    #[test]
    fn one_leak_with_many_heirs_is_one() {
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
        let heirs = |leak: &Leak| {
            leak.inherited_by.iter().map(|heir| (heir.process.pid, heir.times)).collect::<Vec<_>>()
        };
        assert_eq!(
            leaks.iter().map(heirs).collect::<Vec<_>>(),
            [vec![(2, 2), (4, 1)], vec![(5, 1)], vec![(6, 1)]]
        );
    }
}
