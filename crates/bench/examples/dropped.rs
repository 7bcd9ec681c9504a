//! Times starts while dropped children run, and a look at all of them: median times in µs, for up to COUNT children.
//!
//! `taskset -c 1 cargo run --release -p forkexec-bench --example dropped [COUNT]`
//!
//! Each dropped child is a `sleep`, and holds a pidfd. It needs a C compiler. The default is 1,000 children.

#[cfg(not(unix))]
fn main() {
    println!("this benchmark is for Unix");
}

#[cfg(unix)]
mod exits;

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use super::exits;
    use forkexec::{Command, reap_dropped};
    use std::error::Error;
    use std::time::Instant;

    const STARTS: usize = 300;

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let most = std::env::args().nth(1).map_or(Ok(1_000), |count| count.parse())?;
        let directory = tempfile::tempdir()?;
        let program = exits::program(directory.path())?;
        let mut sleep = Command::new("sleep");
        sleep.arg("3600").die_with_parent(libc::SIGKILL);
        println!("| dropped children that run | a start | `reap_dropped` |\n|---:|---:|---:|");
        let mut dropped = 0;
        for count in [0, 10, 100, 1_000, 10_000].into_iter().filter(|&count| count <= most) {
            while dropped < count {
                drop(sleep.spawn()?);
                dropped += 1;
            }
            let mut times = Vec::with_capacity(STARTS);
            for _ in 0..STARTS {
                let begin = Instant::now();
                Command::new(&program).status()?;
                times.push(begin.elapsed().as_secs_f64() * 1e6);
            }
            times.sort_by(f64::total_cmp);
            let begin = Instant::now();
            let left = reap_dropped();
            let reaping = begin.elapsed().as_secs_f64() * 1e6;
            println!("| {left} | {:.1} | {reaping:.1} |", times[STARTS / 2]);
        }
        Ok(())
    }
}
