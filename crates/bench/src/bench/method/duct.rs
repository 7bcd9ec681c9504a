//! The crate duct, on top of std.

use super::std_command::lead_session_with;
use super::{Refusal, SpawnMethod, succeeded};
use crate::bench::job::{ID, Job, Task};
use duct::Expression;
use std::os::unix::process::CommandExt as _;

pub(super) const METHOD: SpawnMethod = SpawnMethod::peer("duct", "duct", |job| {
    if matches!(job.task, Task::Kept | Task::Mapped) {
        return Err(Refusal::Unable("it has no such operation"));
    }
    let job = job.clone();
    Ok(Box::new(move || {
        let output = expression(&job).run()?;
        succeeded(output.status)
    }))
});

fn expression(job: &Job) -> Expression {
    let expression = duct::cmd(&job.program, &job.arguments);
    match job.task {
        Task::Plain | Task::Kept | Task::Mapped => expression,
        Task::Captured => expression.stdout_capture(),
        Task::Full => {
            let source = job.source;
            expression.dir("/").before_spawn(move |command| {
                command.uid(ID).gid(ID);
                // SAFETY: the closure only makes system calls.
                unsafe { command.pre_exec(move || lead_session_with(source)) };
                Ok(())
            })
        }
    }
}
