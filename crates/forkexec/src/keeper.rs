//! A thread that lives as long as the process, and starts what is to die with it: Linux sends the signal for a dead parent
//! when the *thread* that started the child ends (`PR_SET_PDEATHSIG` of prctl(2)).
//!
//! Starts wait for each other. The desk at which they do takes no memory.

use crate::wait::start_thread;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What is to be done, for as long as its caller waits.
type Job = &'static (dyn Fn() + Sync);

enum Desk {
    /// Nobody is waited for.
    Free,
    Asked(Job),
    Done(Result<(), Box<dyn Any + Send>>),
}

static DESK: Mutex<Desk> = Mutex::new(Desk::Free);
static CHANGED: Condvar = Condvar::new();

/// Whose turn it is to ask, and in which process the thread is: one that was forked from this has none.
static TURN: Mutex<u32> = Mutex::new(0);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something on the thread, and waits for it.
///
/// # Errors
///
/// If the thread cannot be started.
pub(crate) fn run<T: Send>(work: impl Fn() -> T + Sync) -> io::Result<T> {
    let answer = Mutex::new(None);
    ask(&|| {
        let answered = work();
        *lock(&answer) = Some(answered);
    })?;
    Ok(answer.into_inner().unwrap_or_else(PoisonError::into_inner).expect("it was done"))
}

fn ask(work: &(dyn Fn() + Sync)) -> io::Result<()> {
    let mut turn = lock(&TURN);
    if *turn != process::id() {
        start_thread("forkexec-keeper", keep)?;
        *turn = process::id();
    }
    // SAFETY: only the lifetime is another. The thread has no more to do with it when it says so, and nothing here returns
    // or unwinds before that.
    let work = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), Job>(work) };
    let mut desk = lock(&DESK);
    *desk = Desk::Asked(work);
    CHANGED.notify_all();
    let done = loop {
        match std::mem::replace(&mut *desk, Desk::Free) {
            Desk::Done(done) => break done,
            before => *desk = before,
        }
        desk = CHANGED.wait(desk).unwrap_or_else(PoisonError::into_inner);
    };
    drop(desk);
    drop(turn);
    done.or_else(|panic| resume_unwind(panic))
}

fn keep() {
    let mut desk = lock(&DESK);
    loop {
        let Desk::Asked(work) = *desk else {
            desk = CHANGED.wait(desk).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        *desk = Desk::Free;
        drop(desk);
        let done = catch_unwind(AssertUnwindSafe(work));
        desk = lock(&DESK);
        *desk = Desk::Done(done);
        CHANGED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::run;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    #[test]
    fn all_is_done_by_one_thread_whoever_asks() {
        let who = || run(|| thread::current().id()).expect("it starts");
        let others: Vec<_> = (0..8).map(|_| thread::spawn(move || [who(), who()])).collect();
        let own = who();
        assert_ne!(own, thread::current().id());
        assert!(
            others.into_iter().flat_map(|other| other.join().expect("it does not panic")).all(|id| id == own)
        );
    }

    #[test]
    fn each_gets_its_own_answer() {
        let ask = |number: usize| run(|| number * 2).expect("it starts");
        thread::scope(|scope| {
            let threads: Vec<_> = (0..100).map(|number| scope.spawn(move || ask(number))).collect();
            for (number, thread) in threads.into_iter().enumerate() {
                assert_eq!(thread.join().expect("it does not panic"), number * 2);
            }
        });
    }

    #[test]
    fn a_panic_is_the_asker_s() {
        let panicked = catch_unwind(AssertUnwindSafe(|| run(|| panic!("no"))));
        assert!(panicked.is_err());
        assert_eq!(run(|| 7).expect("it lives on"), 7);
    }
}
