//! Descriptor tables as the traced calls show them: the origin of each number.
//!
//! The trace shows calls that open descriptors, but not those that close them. So the origin of a number counts only as
//! long as the number leads to the same file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;
use std::rc::Rc;

use super::process::FileId;
use crate::leaks::platform::report::{Leak, Step};

/// A table, which tasks can share.
pub(super) type Table = Rc<RefCell<HashMap<i32, Rc<Origin>>>>;

/// The origin of a descriptor.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The call that opened it, if it was traced.
    pub(super) opened: Option<Step>,
    /// The last call that duplicated it or made it inheritable. A list of all could grow without limit: a shell keeps
    /// duplicating the same descriptor.
    pub(super) then: Option<Step>,
    file: Option<FileId>,
}

impl Origin {
    pub(super) fn opened(by: Step, file: Option<FileId>) -> Self {
        Self { opened: Some(by), then: None, file }
    }

    /// Makes the origin after another call, from the origin before it.
    pub(super) fn then(known: Option<Rc<Self>>, step: Step, file: Option<FileId>) -> Self {
        let opened = known.filter(|known| known.leads_to(file)).and_then(|known| known.opened.clone());
        Self { opened, then: Some(step), file }
    }

    pub(super) fn leads_to(&self, file: Option<FileId>) -> bool {
        self.file == file
    }
}

/// A number that a parent placed before it started a child.
///
/// If the parent closes or replaces it before it starts another child, execs or ends, it was meant for that child. A shell
/// that does not fork first redirects in this way for one command.
#[derive(Debug)]
pub(super) struct ShellRedirect {
    pub(super) fd: i32,
    file: Option<FileId>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not decided yet. These are leaks if the number was not meant for the child.
    Open(Vec<Leak>),
    /// The number was meant for the child.
    Meant,
    /// The number was not meant for the child.
    NotMeant,
}

impl ShellRedirect {
    pub(super) fn new(fd: i32, file: Option<FileId>) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self { fd, file, state: State::Open(Vec::new()) }))
    }

    /// Takes a possible leak. Returns it if the number was not meant for the child.
    pub(super) fn hold(&mut self, leak: Leak) -> Option<Leak> {
        match &mut self.state {
            State::Open(held) => held.push(leak),
            State::Meant => {}
            State::NotMeant => return Some(leak),
        }
        None
    }

    /// Decides that the number was meant for the child.
    pub(super) fn end(&mut self) {
        self.state = State::Meant;
    }

    /// Decides by the file that the parent has under the number now. Returns the leaks.
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

    /// Decides without the file, because the parent was killed. Returns the leaks.
    pub(super) fn give_up(&mut self) -> Vec<Leak> {
        self.settle(self.file)
    }
}
