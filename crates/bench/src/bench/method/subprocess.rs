//! The crate subprocess.

use super::{Refusal, SpawnMethod};
use crate::bench::job::Task;
use std::io::Read as _;
use subprocess::{Exec, Redirection};

pub(super) const METHOD: SpawnMethod = SpawnMethod::peer("subprocess", "subprocess crate", |job| {
    let job = job.clone();
    let exec = move || Exec::cmd(&job.program).args(&job.arguments);
    match job.task {
        Task::Plain => Ok(Box::new(move || succeeded(exec().join()?))),
        Task::Captured => Ok(Box::new(move || {
            let mut running = exec().stdout(Redirection::Pipe).start()?;
            let stdout = running.stdout.take();
            stdout.ok_or_else(|| Refusal::Failed("no stdout".to_owned()))?.read_to_end(&mut Vec::new())?;
            succeeded(running.wait()?)
        })),
        Task::Kept | Task::Mapped | Task::Full => Err(Refusal::Unable("it has no such operation")),
    }
});

fn succeeded(status: subprocess::ExitStatus) -> Result<(), Refusal> {
    if status.success() { Ok(()) } else { Err(Refusal::Failed(format!("the child ended with {status:?}"))) }
}
