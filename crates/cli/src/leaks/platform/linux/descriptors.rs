//! Tables of descriptors, as far as calls tell of them: where each number comes from.
//!
//! Only calls that make descriptors are seen, not those that close them. So what is known of a number is believed only as long
//! as it leads to the same file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;
use std::rc::Rc;

use super::process::FileId;
use crate::leaks::platform::report::{Leak, Step};

/// A table, which tasks may share.
pub(super) type Table = Rc<RefCell<HashMap<i32, Rc<Origin>>>>;

/// Where a descriptor comes from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The call that opened it, if it was seen.
    pub(super) opened: Option<Step>,
    /// The last one that duplicated it or made it inheritable. Not all of them: a shell duplicates the same for ever.
    pub(super) then: Option<Step>,
    file: Option<FileId>,
}

impl Origin {
    pub(super) fn opened(by: Step, file: Option<FileId>) -> Self {
        Self { opened: Some(by), then: None, file }
    }

    /// The same after another call; `known` is what was known of it before.
    pub(super) fn then(known: Option<Rc<Self>>, step: Step, file: Option<FileId>) -> Self {
        let opened = known.filter(|known| known.leads_to(file)).and_then(|known| known.opened.clone());
        Self { opened, then: Some(step), file }
    }

    pub(super) fn leads_to(&self, file: Option<FileId>) -> bool {
        self.file == file
    }
}

/// A number that a parent placed for one child: if it is something else, or closed, before the parent starts another one, execs
/// or ends, then it was for that child. A shell that redirects for a command does it so, where it does not fork first.
#[derive(Debug)]
pub(super) struct ShellRedirect {
    pub(super) fd: i32,
    file: Option<FileId>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// What the child did with it until now.
    Open(Vec<Leak>),
    /// It was for the child.
    Meant,
    /// It was not.
    NotMeant,
}

impl ShellRedirect {
    pub(super) fn new(fd: i32, file: Option<FileId>) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self { fd, file, state: State::Open(Vec::new()) }))
    }

    /// Takes a leak that is none if the loan was meant. What comes back is one.
    pub(super) fn hold(&mut self, leak: Leak) -> Option<Leak> {
        match &mut self.state {
            State::Open(held) => held.push(leak),
            State::Meant => {}
            State::NotMeant => return Some(leak),
        }
        None
    }

    /// Ends it: it was meant.
    pub(super) fn end(&mut self) {
        self.state = State::Meant;
    }

    /// Decides, by what the parent has under the number now. What comes back are leaks.
    pub(super) fn settle(&mut self, now: Option<FileId>) -> Vec<Leak> {
        if now != self.file {
            self.end();
        }
        match &mut self.state {
            State::Open(held) => {
                let leaks = mem::take(held);
                self.state = State::NotMeant;
                leaks
            }
            State::Meant | State::NotMeant => Vec::new(),
        }
    }

    /// Nobody can tell any more: the parent was killed. What comes back are leaks.
    pub(super) fn give_up(&mut self) -> Vec<Leak> {
        self.settle(self.file)
    }
}
