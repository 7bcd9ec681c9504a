//! exec in the calling process, and the state that a failed one may have changed.

use crate::sys::system::{BACKEND, LAUNCHER};
use forkexec_core::{Backend, Fd, LaunchError, Limit, Pid, Plan, Resource, Stage, Sys};
use std::fs;
use std::ptr;

/// A thread has a descriptor table of its own here, so a plan that fails leaves the table of the process as it was.
pub(crate) const EXECS_IN_PLACE: bool = true;

/// Runs the plan in this process. Returns only if that failed: the error, and the stages whose effect on the process
/// stays.
///
/// # Safety
///
/// As [`launch`](crate::sys::backend::launch).
pub(crate) unsafe fn exec_in_place(plan: &Plan<'_>) -> (LaunchError, Vec<Stage>) {
    let before = State::of(plan);
    let error = LAUNCHER.exec_in_place(plan);
    let mut changed = before.restore(plan);
    let closures_ran = matches!(&error, LaunchError::Child(report) if report.stage >= Stage::PreExec);
    if plan.hook.is_some() && closures_ran {
        changed.push(Stage::PreExec);
    }
    (error, changed)
}

/// The state that the threads of a process share, as far as a plan changes it.
struct State {
    cgroup: Option<Vec<u8>>,
    session: Pid,
    group: Pid,
    terminal: Option<Pid>,
    foreground: Option<Pid>,
    limits: Vec<Limit>,
    oom_score: Option<Vec<u8>>,
}

const OOM_SCORE: &str = "/proc/self/oom_score_adj";

impl State {
    fn of(plan: &Plan<'_>) -> Self {
        Self {
            cgroup: plan.cgroup.and_then(|_| fs::read("/proc/self/cgroup").ok()),
            // SAFETY: asks about this process.
            session: unsafe { libc::getsid(0) },
            // SAFETY: as above.
            group: unsafe { libc::getpgrp() },
            terminal: plan.terminal.and_then(session_of),
            foreground: plan.foreground.and_then(foreground_of),
            limits: plan.limits.iter().filter_map(|limit| limit_of(limit.resource)).collect(),
            oom_score: sets_oom_score(plan).then(|| fs::read(OOM_SCORE).ok()).flatten(),
        }
    }

    /// Undoes what can be undone, and returns the stages whose effect stays.
    fn restore(&self, plan: &Plan<'_>) -> Vec<Stage> {
        // While this process is still in the foreground group, so that the terminal sends no SIGTTOU.
        let changed = plan.foreground.filter(|&terminal| foreground_of(terminal) != self.foreground);
        if let (Some(terminal), Some(group)) = (changed, self.foreground) {
            // SAFETY: the descriptor is the plan's.
            unsafe { libc::tcsetpgrp(terminal, group) };
        }
        // SAFETY: asks about this process.
        if unsafe { libc::getpgrp() } != self.group {
            // SAFETY: moves this process to the group that it was in.
            unsafe { libc::setpgid(0, self.group) };
        }
        for limit in self.limits.iter().rev() {
            // A hard limit that was lowered stays, unless the process is privileged. The soft one can go up to it.
            let refused = BACKEND.sys().set_limit(*limit).err();
            if let Some(now) = refused.and_then(|_| limit_of(limit.resource)) {
                let _ = BACKEND.sys().set_limit(Limit { soft: limit.soft.min(now.hard), ..now });
            }
        }
        if let Some(score) = &self.oom_score {
            // This needs no privilege, because the score was already so low.
            let _ = fs::write(OOM_SCORE, score);
        }
        let now = Self::of(plan);
        let stages = [
            (Stage::Cgroup, self.cgroup != now.cgroup),
            (Stage::Session, self.session != now.session),
            (Stage::ProcessGroup, self.group != now.group),
            (Stage::Terminal, self.terminal != now.terminal),
            (Stage::Foreground, self.foreground != now.foreground),
            (Stage::Limits, self.limits != now.limits),
            (Stage::OomScore, self.oom_score != now.oom_score),
        ];
        stages.into_iter().filter_map(|(stage, is_changed)| is_changed.then_some(stage)).collect()
    }
}

fn sets_oom_score(plan: &Plan<'_>) -> bool {
    plan.attributes.iter().any(|attribute| attribute.stage() == Stage::OomScore)
}

fn session_of(terminal: Fd) -> Option<Pid> {
    // SAFETY: asks about a descriptor of the plan.
    Some(unsafe { libc::tcgetsid(terminal) }).filter(|&session| session >= 0)
}

fn foreground_of(terminal: Fd) -> Option<Pid> {
    // SAFETY: asks about a descriptor of the plan.
    Some(unsafe { libc::tcgetpgrp(terminal) }).filter(|&group| group >= 0)
}

fn limit_of(resource: Resource) -> Option<Limit> {
    let new: *const u64 = ptr::null();
    let mut old = [0_u64; 2];
    // SAFETY: the kernel's `rlimit64` is two 64-bit numbers; no new limit is set. The type of the C library's function differs
    // by library.
    let answer = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource.0, new, &raw mut old) };
    let [soft, hard] = old;
    (answer == 0).then_some(Limit { resource, soft, hard })
}
