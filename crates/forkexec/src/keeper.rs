//! A thread that lives as long as the process, and starts what is to die with it: Linux sends the signal for a dead parent
//! when the *thread* that started the child ends (`PR_SET_PDEATHSIG` of prctl(2)).
//!
//! Starts wait for each other.

use crate::per_process::PerProcess;
use crate::wait::start_thread;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What is to be done, for as long as its caller waits.
type Job = &'static (dyn Fn() + Sync);

enum Desk {
    /// Nobody is waited for.
    Free,
    Asked(Job),
    Done(Result<(), Box<dyn Any + Send>>),
}

/// The thread of a process, and what goes on with it.
struct Keeper {
    /// Held by the caller whose turn it is to ask: whether the thread was started.
    turn: Mutex<bool>,
    desk: Mutex<Desk>,
    changed: Condvar,
}

static KEEPER: PerProcess<Keeper> = PerProcess::new(|| Keeper {
    turn: Mutex::new(false),
    desk: Mutex::new(Desk::Free),
    changed: Condvar::new(),
});

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
    let keeper = KEEPER.get();
    let mut is_started = lock(&keeper.turn);
    if !*is_started {
        start_thread("forkexec-keeper", || keep(keeper))?;
        *is_started = true;
    }
    // SAFETY: only the lifetime is another. The thread has no more to do with it when it says so, and nothing here returns
    // or unwinds before that.
    let work = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), Job>(work) };
    let mut desk = lock(&keeper.desk);
    *desk = Desk::Asked(work);
    keeper.changed.notify_all();
    let done = loop {
        match std::mem::replace(&mut *desk, Desk::Free) {
            Desk::Done(done) => break done,
            before => *desk = before,
        }
        desk = keeper.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
    };
    drop(desk);
    drop(is_started);
    done.or_else(|panic| resume_unwind(panic))
}

fn keep(keeper: &Keeper) {
    let mut desk = lock(&keeper.desk);
    loop {
        let Desk::Asked(work) = *desk else {
            desk = keeper.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        *desk = Desk::Free;
        drop(desk);
        let done = catch_unwind(AssertUnwindSafe(work));
        desk = lock(&keeper.desk);
        *desk = Desk::Done(done);
        keeper.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{KEEPER, lock, run};
    use crate::per_process::is_done_in_a_forked_process;
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

    /// Faults: M13
    #[test]
    fn forked_process_has_a_thread_of_its_own() {
        let work = || assert_eq!(run(|| 7).expect("it starts"), 7);
        work();
        assert!(is_done_in_a_forked_process((), work));
        assert!(is_done_in_a_forked_process(lock(&KEEPER.get().turn), work));
        assert!(is_done_in_a_forked_process(lock(&KEEPER.get().desk), work));
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
