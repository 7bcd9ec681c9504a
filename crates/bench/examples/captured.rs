//! Times starts with standard output and standard error captured, with kept sockets and with a mapped file, among 10 to
//! 100,000 open descriptors. Nothing is reserved. The table has medians in µs, and the quotient of the most to ten.
//!
//! `taskset -c 1 cargo run --release -p forkexec-bench --example captured [ROUNDS]`
//!
//! The descriptors are opened up to the hard limit. In each round every start has a turn of ten. It needs a C compiler.

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this benchmark is for Linux");
}

#[cfg(target_os = "linux")]
mod exits;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use super::exits;
    use forkexec::{Command, Prepared};
    use std::error::Error;
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::process;
    use std::sync::Arc;
    use std::time::Instant;

    const COUNTS: [usize; 4] = [10, 1_000, 19_000, 100_000];
    /// The starts of one kind in a row. The first half is not counted.
    const TURN: usize = 10;
    /// The descriptors of this program itself.
    const OWN: usize = 100;

    type Start<'a> = (&'static str, Box<dyn Fn() -> Result<bool, Box<dyn Error>> + 'a>);

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let rounds = std::env::args().nth(1).map_or(Ok(100), |rounds| rounds.parse())?;
        let directory = tempfile::tempdir()?;
        let program = exits::program(directory.path())?;
        let most = raised_limit()?.saturating_sub(OWN);
        let counts = COUNTS.iter().copied().filter(|&count| count <= most).collect::<Vec<_>>();

        let mut open = Vec::new();
        let mut columns = Vec::new();
        for &count in &counts {
            while open.len() < count {
                open.push(File::open("/dev/null")?);
            }
            columns.push(medians(rounds, &program)?);
        }
        let titles = counts.iter().map(|count| format!("{count} open")).collect::<Vec<_>>().join(" | ");
        println!("| | {titles} | most to ten |\n|---|{}---:|", "---:|".repeat(counts.len()));
        let (first, last) = (&columns[0], &columns[columns.len() - 1]);
        for (row, (name, ten)) in first.iter().enumerate() {
            let times = columns.iter().map(|column| format!("{:.1}", column[row].1)).collect::<Vec<_>>();
            println!("| {name} | {} | {:.2} |", times.join(" | "), last[row].1 / ten);
        }
        Ok(())
    }

    /// Returns the median time of each start. Its sockets and its file have the highest numbers.
    fn medians(rounds: usize, program: &Path) -> Result<Vec<(&'static str, f64)>, Box<dyn Error>> {
        let (one, other) = UnixStream::pair()?;
        let sockets = [one, other].map(|socket| Arc::new(OwnedFd::from(socket)));
        let file = Arc::new(OwnedFd::from(tempfile::tempfile()?));
        let plain = || Command::new(program);
        let kept = || {
            let mut command = plain();
            command.keep_fd(sockets[0].clone()).keep_fd(sockets[1].clone());
            command
        };
        let mapped = || {
            let mut command = plain();
            command.fd(3, file.clone());
            command
        };
        let [captured, keeping, mapping] = [plain(), kept(), mapped()].map(Command::into_prepared);
        let [captured, keeping, mapping] = [captured?, keeping?, mapping?];
        let ends = |prepared: &Prepared<'_>| Ok(prepared.status()?.success());
        let starts: [Start<'_>; 7] = [
            ("both captured: `Prepared::output`", Box::new(|| Ok(captured.output()?.status.success()))),
            ("both captured: a new `Command`", Box::new(|| Ok(plain().output()?.status.success()))),
            (
                "both captured: std, which leaks",
                Box::new(|| Ok(process::Command::new(program).output()?.status.success())),
            ),
            ("two sockets kept: `Prepared`", Box::new(|| ends(&keeping))),
            ("two sockets kept: a new `Command`", Box::new(|| Ok(kept().status()?.success()))),
            ("a file mapped to 3: `Prepared`", Box::new(|| ends(&mapping))),
            ("a file mapped to 3: a new `Command`", Box::new(|| Ok(mapped().status()?.success()))),
        ];
        let mut times = starts.each_ref().map(|_| Vec::new());
        for turn in (0..rounds).flat_map(|_| 0..starts.len()) {
            let (name, start) = &starts[turn];
            for index in 0..TURN {
                let begin = Instant::now();
                if !start()? {
                    return Err(format!("{name}: the program failed").into());
                }
                // The kernel still frees tables of the start before the first ones.
                if index >= TURN / 2 {
                    times[turn].push(begin.elapsed().as_secs_f64() * 1e6);
                }
            }
        }
        let median = |mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        Ok(starts.iter().map(|(name, _)| *name).zip(times.map(median)).collect())
    }

    /// Raises the soft limit of descriptors to the hard limit, and returns it.
    fn raised_limit() -> io::Result<usize> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the call writes an `rlimit`.
        if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: the call reads an `rlimit`.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(usize::try_from(limit.rlim_max).unwrap_or(usize::MAX))
    }
}
