//! The cost of a child for the parent: medians of a spawn and of what follows, in microseconds.
//!
//! `cargo run --release -p forkexec-tests --example parent_side`

use std::fmt::Display;
use std::time::{Duration, Instant};
use std::{hint, thread};

use forkexec::{Child, Command, Containment, Error, OnDrop, Prepared};

const ROUNDS: usize = 500;

/// A program that ends at once, and one that does not.
fn short() -> Command {
    Command::new("true")
}

fn long() -> Command {
    let mut command = Command::new("sleep");
    command.arg("600");
    command
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// Spawns, and then ends the child. Returns the times of both.
fn measure(
    what: impl Display,
    command: &Prepared<'_>,
    end: fn(Child) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let child = command.spawn()?;
        let started = began.elapsed();
        let began = Instant::now();
        end(child)?;
        times.0.push(started);
        times.1.push(began.elapsed());
    }
    println!("{what:58} {:8.1} {:8.1}", median(times.0), median(times.1));
    Ok(())
}

fn main() -> Result<(), Error> {
    println!("{:58} {:>8} {:>8}", "", "start", "end");
    let wait = |mut child: Child| child.wait().map(drop);
    let drop_it = |child: Child| {
        hint::black_box(child);
        Ok(())
    };
    let kill_tree = |mut child: Child| child.kill_tree().and_then(|_| child.wait()).map(drop);

    let plain = short().into_prepared()?;
    measure("wait", &plain, wait)?;
    measure("wait_usage", &plain, |mut child| child.wait_usage().map(drop))?;

    for (what, policy, by_thread) in [
        ("dropped: killed and waited for", OnDrop::KillAndWait, false),
        ("dropped: killed, reaped by the next calls", OnDrop::Kill, false),
        ("dropped: killed, reaped by the thread", OnDrop::Kill, true),
    ] {
        let mut command = long();
        command.on_drop(policy).reaper_thread(by_thread);
        measure(what, &command.into_prepared()?, drop_it)?;
    }
    measure("dropped: left", &plain, drop_it)?;
    measure("wait, while no dropped child is left", &plain, wait)?;
    let left = |_| long().die_with_parent(libc::SIGKILL).spawn().map(drop);
    (0..1_000).try_for_each(left)?;
    measure("wait, while 1,000 dropped children run", &plain, wait)?;
    let mut by_thread = short();
    let by_thread = by_thread.reaper_thread(true).prepare()?;
    let mut kept = long();
    // The thread lives as long as this child.
    drop(kept.die_with_parent(libc::SIGKILL).reaper_thread(true).spawn()?);
    measure("dropped: left, the thread runs", &by_thread, drop_it)?;

    for tree in [Containment::Group, Containment::Session, Containment::Auto] {
        let mut command = long();
        command.containment(tree);
        measure(format!("kill_tree: {tree:?}"), &command.into_prepared()?, kill_tree)?;
    }

    let mut dying = short();
    let dying = dying.die_with_parent(libc::SIGKILL).prepare()?;
    measure("die_with_parent, by the first thread", &dying, wait)?;
    thread::scope(|scope| {
        let plainly = || measure("by another thread", &plain, wait);
        scope.spawn(plainly).join().expect("it does not panic")?;
        let kept = || measure("die_with_parent, by another thread: the spawner thread", &dying, wait);
        scope.spawn(kept).join().expect("it does not panic")
    })?;

    // Last: each leaves a zombie.
    let mut abandoned = short();
    abandoned.on_drop(OnDrop::Abandon);
    measure("dropped: abandoned", &abandoned.into_prepared()?, drop_it)
}
