//! Keeps signals by pid apart from the reaping of a child, if several threads have its handle.
//!
//! A pid is the child's until the child is reaped. So a thread that reaps and a thread that signals take the
//! same lock, and a signal is sent only if the child was not reaped. No thread holds the lock while it
//! blocks: a wait first waits until the child has ended and leaves its status in place (`WNOWAIT`).

use crate::error::Error;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The lock of one child.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// The process that created the gate. A copy of the lock in a forked process may be locked forever.
    process: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The child was not reaped, so the pid is its own.
    Unreaped,
    Reaped,
    /// Other code reaped the child, or will.
    Lost,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::Unreaped), process: process::id() }
    }

    /// Calls `reap`, which must not block, while no signal is sent. `is_end` tells whether its result is the
    /// end of the child.
    pub(crate) fn reap<T>(
        &self,
        reap: impl FnOnce() -> Result<Option<T>, Error>,
        is_end: impl FnOnce(&T) -> bool,
    ) -> Result<Option<T>, Error> {
        let Some(mut state) = self.lock() else { return reap() };
        let reaped = reap();
        match &reaped {
            Ok(Some(reaped)) if is_end(reaped) => *state = State::Reaped,
            Err(Error::StatusLost { .. }) => *state = State::Lost,
            Ok(_) | Err(_) => {}
        }
        reaped
    }

    /// Calls `send` if the child was not reaped. A signal to a reaped child is no error.
    pub(crate) fn signal(&self, pid: i32, send: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        let lost = Err(Error::StatusLost { pid: pid.unsigned_abs() });
        let Some(state) = self.lock() else { return lost };
        match *state {
            State::Unreaped => send(),
            State::Reaped => Ok(()),
            State::Lost => lost,
        }
    }

    /// Sends no more signals: other code has reaped the child, or may do so from now on.
    pub(crate) fn give_up(&self) {
        self.set(State::Lost);
    }

    /// Sends no more signals: the child was reaped.
    pub(crate) fn close(&self) {
        self.set(State::Reaped);
    }

    fn set(&self, to: State) {
        if let Some(mut state) = self.lock() {
            *state = to;
        }
    }

    /// Returns `None` in a forked process, which is not the parent of the child.
    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        let is_ours = process::id() == self.process;
        is_ours.then(|| self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;
    use crate::error::Error;
    use crate::sys::per_process::is_done_in_a_forked_process;
    use rstest::rstest;
    use std::cell::{Cell, RefCell};

    const PID: i32 = 7;

    /// A kernel with one number for processes. As soon as the child is reaped, another process has it.
    #[derive(Default)]
    struct Kernel {
        has_ended: Cell<bool>,
        is_reaped: Cell<bool>,
        /// Signals to the child, and to the other process.
        hit: [Cell<u32>; 2],
    }

    impl Kernel {
        fn kill(&self) {
            let whom = &self.hit[usize::from(self.is_reaped.get())];
            whom.set(whom.get() + 1);
            self.has_ended.set(true);
        }

        fn reap(&self) -> Option<i32> {
            (self.has_ended.get() && !self.is_reaped.replace(true)).then_some(9)
        }
    }

    /// The moments of a wait, in order.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Moment {
        BeforeTheWait,
        WhileItBlocks,
        BeforeTheLock,
        WithTheLock,
        AfterTheReaping,
        BeforeTheState,
        AfterTheWait,
    }

    /// Another thread signals in each moment of a wait. No signal hits the other process, and the status is
    /// not lost. The other thread sees a locked gate from before the reaping until the state is known.
    #[rstest]
    fn signal_in_any_moment_of_a_wait_hits_the_child_or_nothing(
        #[values(
            Moment::BeforeTheWait,
            Moment::WhileItBlocks,
            Moment::BeforeTheLock,
            Moment::WithTheLock,
            Moment::AfterTheReaping,
            Moment::BeforeTheState,
            Moment::AfterTheWait
        )]
        moment: Moment,
        #[values(false, true)] ends_by_itself: bool,
    ) {
        let (kernel, gate) = (Kernel::default(), Gate::new());
        let signal = || {
            kernel.kill();
            Ok(())
        };
        let seen = RefCell::new(Vec::new());
        let at = |now: Moment| {
            seen.borrow_mut().push(now);
            if now == moment {
                // A thread that finds the gate locked would wait and continue after the wait.
                let is_free = gate.state.try_lock().is_ok();
                assert_eq!(is_free, !(Moment::WithTheLock..=Moment::BeforeTheState).contains(&now));
                if is_free {
                    gate.signal(PID, signal).expect("it is ours");
                }
            }
        };

        at(Moment::BeforeTheWait);
        kernel.has_ended.set(kernel.has_ended.get() || ends_by_itself);
        at(Moment::WhileItBlocks);
        kernel.has_ended.set(true);
        at(Moment::BeforeTheLock);
        let reap = || {
            at(Moment::WithTheLock);
            let reaped = kernel.reap();
            at(Moment::AfterTheReaping);
            Ok(reaped)
        };
        let is_end = |_: &i32| {
            at(Moment::BeforeTheState);
            true
        };
        let status = gate.reap(reap, is_end).expect("it is ours");
        at(Moment::AfterTheWait);
        gate.signal(PID, signal).expect("a signal to a reaped child is no error");

        assert_eq!(status, Some(9));
        assert_eq!(kernel.hit[1].get(), 0, "another process was hit");
        assert_eq!(seen.borrow().len(), 7);
    }

    #[test]
    fn stop_of_a_child_does_not_close_the_gate() {
        let gate = Gate::new();
        assert_eq!(gate.reap(|| Ok(Some(19)), |_| false).expect("it is ours"), Some(19));
        let kernel = Kernel::default();
        let signal = || {
            kernel.kill();
            Ok(())
        };
        gate.signal(PID, signal).expect("it is ours");
        assert_eq!(kernel.hit[0].get(), 1);
    }

    #[test]
    fn no_signal_follows_a_status_that_other_code_took() {
        let gate = Gate::new();
        let lost = || Err(Error::StatusLost { pid: 7 });
        gate.reap(lost, |(): &()| true).expect_err("it is lost");
        let sent = gate.signal(PID, || panic!("the pid may be another's"));
        assert!(matches!(sent, Err(Error::StatusLost { pid: 7 })));
    }

    #[test]
    fn signal_after_the_end_is_no_error_and_is_not_sent() {
        let gate = Gate::new();
        gate.close();
        gate.signal(PID, || panic!("the pid may be another's")).expect("it has ended");
    }

    /// Faults: M13
    #[test]
    fn forked_process_does_not_wait_for_a_gate_of_its_parent() {
        let gate = Gate::new();
        let work = || {
            gate.signal(PID, || panic!("the child is not its own")).expect_err("it is refused");
            assert_eq!(gate.reap(|| Ok(Some(())), |()| true).expect("the kernel decides"), Some(()));
        };
        assert!(is_done_in_a_forked_process(gate.state.lock(), work));
    }
}
