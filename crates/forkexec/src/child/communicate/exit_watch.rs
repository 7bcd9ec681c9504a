//! The exits of children, as descriptors that poll(2) waits for together with their pipes.
//!
//! A child has such a descriptor on most systems. For a child without one, a thread waits until it has
//! exited, does not reap it, and closes a pipe. The thread ends with the child. It holds no descriptor after
//! the watch is dropped.

use crate::child::Child;
use crate::sys::fd::pipe;
use crate::sys::waitid::await_end;
use crate::sys::worker::start_thread;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

/// The state of each child, in their order.
#[derive(Default)]
pub(crate) struct ExitWatch(Vec<End>);

enum End {
    Seen,
    ByDescriptor,
    ByThread(Watch),
}

impl ExitWatch {
    /// Watches these children. A child that is watched already keeps its watch.
    pub(crate) fn watch(&mut self, children: &mut [Child]) -> io::Result<()> {
        for (index, child) in children.iter_mut().enumerate() {
            let has_ended = !matches!(child.try_wait(), Ok(None));
            match self.0.get_mut(index) {
                Some(end) if has_ended => *end = End::Seen,
                Some(_) => {}
                None => self.0.push(if has_ended { End::Seen } else { End::of(child)? }),
            }
        }
        Ok(())
    }

    pub(crate) fn are_all_seen(&self) -> bool {
        self.0.iter().all(|end| matches!(end, End::Seen))
    }

    /// The descriptors that become readable at the exits that were not seen yet.
    pub(crate) fn wanted<'a>(&'a self, children: &'a [Child]) -> impl Iterator<Item = BorrowedFd<'a>> {
        self.0.iter().zip(children).filter_map(|(end, child)| match end {
            End::Seen => None,
            End::ByDescriptor => child.exit_fd().map(AsFd::as_fd),
            End::ByThread(watch) => Some(watch.reader.as_fd()),
        })
    }

    /// Notes which of the wanted descriptors are readable.
    pub(crate) fn note(&mut self, ended: &[bool]) {
        let unseen = self.0.iter_mut().filter(|end| !matches!(end, End::Seen));
        for (end, _) in unseen.zip(ended).filter(|(_, ended)| **ended) {
            *end = End::Seen;
        }
    }
}

impl End {
    fn of(child: &Child) -> io::Result<Self> {
        if child.exit_fd().is_some() {
            return Ok(Self::ByDescriptor);
        }
        Watch::new(child.pid()).map(Self::ByThread)
    }
}

/// A pipe that ends when a child has exited.
struct Watch {
    reader: File,
    /// The thread closes it when the child has exited. Dropping the watch closes it as well, because the
    /// thread may live on.
    writer: Arc<Mutex<Option<File>>>,
}

impl Watch {
    fn new(pid: i32) -> io::Result<Self> {
        let (reader, writer) = pipe()?;
        let writer = Arc::new(Mutex::new(Some(writer)));
        let threads = Arc::clone(&writer);
        let watch = move || {
            // After an error, too, there is nothing left to wait for.
            let _ = await_end(pid);
            close(&threads);
        };
        start_thread("forkexec-end", watch)?;
        Ok(Self { reader, writer })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        close(&self.writer);
    }
}

fn close(writer: &Mutex<Option<File>>) {
    drop(writer.lock().unwrap_or_else(PoisonError::into_inner).take());
}
