//! The ends of children, as something that poll(2) can wait for together with their pipes.
//!
//! Where a child has a descriptor, that is it. Where it has none, a thread waits for its end, leaves its status where it is, and
//! closes a pipe. The thread ends with the child, and holds nothing when nobody waits for that any more.

use crate::child::Child;
use crate::sys::waitid::await_end;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is known of the ends of children, in their order.
#[derive(Default)]
pub(super) struct ExitWatch(Vec<End>);

enum End {
    Seen,
    ByDescriptor,
    ByThread(Watch),
}

impl ExitWatch {
    /// Watches these. Who was watched before still is.
    pub(super) fn watch(&mut self, children: &mut [Child]) -> io::Result<()> {
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

    pub(super) fn are_all_seen(&self) -> bool {
        self.0.iter().all(|end| matches!(end, End::Seen))
    }

    /// What becomes readable when those end whose end was not seen.
    pub(super) fn wanted<'a>(&'a self, children: &'a [Child]) -> impl Iterator<Item = BorrowedFd<'a>> {
        self.0.iter().zip(children).filter_map(|(end, child)| match end {
            End::Seen => None,
            End::ByDescriptor => child.exit_fd().map(AsFd::as_fd),
            End::ByThread(watch) => Some(watch.reader.as_fd()),
        })
    }

    /// Which of the wanted ones are readable.
    pub(super) fn note(&mut self, ended: &[bool]) {
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
        Watch::new(child.id().cast_signed()).map(Self::ByThread)
    }
}

/// A thread's word that a child has ended: the end of a pipe.
struct Watch {
    reader: PipeReader,
    /// The thread closes it at the child's end. Whoever waits no longer takes it from the thread, which may live on.
    writer: Arc<Mutex<Option<PipeWriter>>>,
}

impl Watch {
    fn new(pid: i32) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let writer = Arc::new(Mutex::new(Some(writer)));
        let threads = Arc::clone(&writer);
        let watch = move || {
            // Whatever is said of it, there is nothing to wait for any more.
            let _ = await_end(pid);
            close(&threads);
        };
        thread::Builder::new().name("forkexec-end".to_owned()).spawn(watch)?;
        Ok(Self { reader, writer })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        close(&self.writer);
    }
}

fn close(writer: &Mutex<Option<PipeWriter>>) {
    drop(writer.lock().unwrap_or_else(PoisonError::into_inner).take());
}
