//! The benchmark, on Linux.

mod check;
mod cli;
mod host;
mod job;
mod measure;
mod method;
mod peer;
mod pinning;
mod report;
mod scenario;
mod setup;
mod stats;
mod toolbox;
mod worker;

use clap::Parser as _;
use cli::{Cli, Inner, Options};
use std::error::Error;
use std::process::ExitCode;

/// The error of a step of the benchmark. It is only printed.
type Failure = Box<dyn Error + Send + Sync>;

/// Runs the command line.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.inner {
        Some(Inner::WithDescriptors(options)) => setup::become_program(&options),
        Some(Inner::Worker(worker)) => worker::serve(&worker),
        None => drive(&cli.options),
    };
    result.unwrap_or_else(|failure| {
        eprintln!("forkexec-bench: {failure}");
        ExitCode::from(2)
    })
}

/// Finds the peers, measures them and reports the results.
fn drive(options: &Options) -> Result<ExitCode, Failure> {
    let toolbox = toolbox::Toolbox::new()?;
    let peers = peer::find(&toolbox, options);
    let groups = scenario::groups(options);
    if options.list {
        report::list(&peers, &groups);
        return Ok(ExitCode::SUCCESS);
    }
    setup::prepare_process()?;
    let pinning = pinning::Pinning::new()?;
    report::print_caption(&peers, options, pinning.number());
    let setting = measure::Setting { toolbox: &toolbox, peers: &peers, pinning: &pinning, options };
    let results = measure::measure(&setting, &groups, |table| report::print(table, &peers))?;
    report::write(&results, &peers, options)?;
    Ok(if options.check { check::report(&results, &peers) } else { ExitCode::SUCCESS })
}
