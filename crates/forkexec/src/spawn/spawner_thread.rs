//! A thread that lives as long as the process and starts children that die with their parent. Linux sends the
//! parent-death signal when the *thread* that started the child ends (`PR_SET_PDEATHSIG` of prctl(2)).
//!
//! The thread starts one child at a time.

use crate::sys::per_process::PerProcess;
use crate::sys::worker::start_thread;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The work of one caller, valid while that caller waits.
type Job = &'static (dyn Fn() + Sync);

enum Mailbox {
    /// No work is pending.
    Free,
    Pending(Job),
    Done(Result<(), Box<dyn Any + Send>>),
}

/// The thread of a process, and its mailbox.
struct Spawner {
    /// Held by the caller that uses the mailbox. The value tells whether the thread was started.
    turn: Mutex<bool>,
    mailbox: Mutex<Mailbox>,
    changed: Condvar,
}

static SPAWNER: PerProcess<Spawner> = PerProcess::new(|| Spawner {
    turn: Mutex::new(false),
    mailbox: Mutex::new(Mailbox::Free),
    changed: Condvar::new(),
});

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` on the thread, and waits for its result.
///
/// # Errors
///
/// Returns an error if the thread cannot be started.
pub(crate) fn run<T: Send>(work: impl Fn() -> T + Sync) -> io::Result<T> {
    let answer = Mutex::new(None);
    run_job(&|| {
        let answered = work();
        *lock(&answer) = Some(answered);
    })?;
    Ok(answer.into_inner().unwrap_or_else(PoisonError::into_inner).expect("it was done"))
}

fn run_job(work: &(dyn Fn() + Sync)) -> io::Result<()> {
    let spawner = SPAWNER.get();
    let mut is_started = lock(&spawner.turn);
    if !*is_started {
        start_thread("forkexec-spawner", || serve(spawner))?;
        *is_started = true;
    }
    // SAFETY: this only extends the lifetime. The thread does not use `work` after it stores `Mailbox::Done`,
    // and this function neither returns nor unwinds before that.
    let work = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), Job>(work) };
    let mut mailbox = lock(&spawner.mailbox);
    *mailbox = Mailbox::Pending(work);
    spawner.changed.notify_all();
    let done = loop {
        match std::mem::replace(&mut *mailbox, Mailbox::Free) {
            Mailbox::Done(done) => break done,
            before => *mailbox = before,
        }
        mailbox = spawner.changed.wait(mailbox).unwrap_or_else(PoisonError::into_inner);
    };
    drop(mailbox);
    drop(is_started);
    done.or_else(|panic| resume_unwind(panic))
}

fn serve(spawner: &Spawner) {
    let mut mailbox = lock(&spawner.mailbox);
    loop {
        let Mailbox::Pending(work) = *mailbox else {
            mailbox = spawner.changed.wait(mailbox).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        *mailbox = Mailbox::Free;
        drop(mailbox);
        let done = catch_unwind(AssertUnwindSafe(work));
        mailbox = lock(&spawner.mailbox);
        *mailbox = Mailbox::Done(done);
        spawner.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{SPAWNER, lock, run};
    use crate::sys::per_process::is_done_in_a_forked_process;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    #[test]
    fn one_thread_spawns_for_all_callers() {
        let who = || run(|| thread::current().id()).expect("it starts");
        let others: Vec<_> = (0..8).map(|_| thread::spawn(move || [who(), who()])).collect();
        let own = who();
        assert_ne!(own, thread::current().id());
        assert!(
            others.into_iter().flat_map(|other| other.join().expect("it does not panic")).all(|id| id == own)
        );
    }

    /// Faults: M13
    #[test]
    fn forked_process_has_a_thread_of_its_own() {
        let work = || assert_eq!(run(|| 7).expect("it starts"), 7);
        work();
        assert!(is_done_in_a_forked_process((), work));
        assert!(is_done_in_a_forked_process(lock(&SPAWNER.get().turn), work));
        assert!(is_done_in_a_forked_process(lock(&SPAWNER.get().mailbox), work));
    }

    #[test]
    fn each_caller_gets_its_own_answer() {
        let run_job = |number: usize| run(|| number * 2).expect("it starts");
        thread::scope(|scope| {
            let threads: Vec<_> = (0..100).map(|number| scope.spawn(move || run_job(number))).collect();
            for (number, thread) in threads.into_iter().enumerate() {
                assert_eq!(thread.join().expect("it does not panic"), number * 2);
            }
        });
    }

    #[test]
    fn panic_reaches_the_caller_and_not_the_thread() {
        let panicked = catch_unwind(AssertUnwindSafe(|| run(|| panic!("no"))));
        assert!(panicked.is_err());
        assert_eq!(run(|| 7).expect("it lives on"), 7);
    }
}
