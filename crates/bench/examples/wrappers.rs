//! Times `forkexec run -- true` beside other commands that run a command: medians in µs from the start of the wrapper to its
//! end, and the median of the quotients to `env true` within rounds.
//!
//! `taskset -c 1 cargo run --release -p forkexec-bench --example wrappers FORKEXEC [ROUNDS]`
//!
//! FORKEXEC is the path of the command. In each round every wrapper has one turn, in a new order. The output is a table in
//! Markdown. A wrapper that is not installed has a row without figures. New namespaces and another user need root.

#[cfg(not(unix))]
fn main() {
    println!("this benchmark is for Unix");
}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use std::error::Error;
    use std::io;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    /// The quotients are to the time of this one.
    const REFERENCE: &str = "env true";

    const OTHERS: [&str; 10] = [
        "true",
        REFERENCE,
        "nice true",
        "setsid --wait true",
        "setpriv --pdeathsig TERM true",
        "timeout 9 true",
        "tini -s -- true",
        "unshare --net --ipc --uts true",
        "bwrap --unshare-net --unshare-ipc --unshare-uts --dev-bind / / true",
        "setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps +net_bind_service --ambient-caps +net_bind_service true",
    ];

    /// The options of `forkexec` that do the same as those of others.
    const OURS: [&str; 5] = [
        "run --",
        "run --timeout 9 --",
        "exec --",
        "exec --unshare net,ipc,uts --",
        "exec --user nobody --ambient-capabilities net_bind_service --",
    ];

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let mut arguments = std::env::args().skip(1);
        let forkexec = arguments.next().ok_or("which forkexec?")?;
        let rounds = arguments.next().map_or(Ok(1_000), |rounds| rounds.parse())?;
        let ours = OURS.iter().map(|options| {
            let words = [&[forkexec.as_str()], &*options.split(' ').collect::<Vec<_>>(), &["true"]].concat();
            (format!("forkexec {options} true"), words.iter().map(ToString::to_string).collect())
        });
        let others = OTHERS
            .iter()
            .map(|line| (line.to_string(), line.split(' ').map(str::to_owned).collect::<Vec<_>>()));
        let (present, absent): (Vec<_>, Vec<_>) =
            others.chain(ours).partition(|(_, words)| time(words).is_ok());

        let mut times = vec![Vec::new(); present.len()];
        for round in 0..rounds {
            for turn in 0..present.len() {
                let index = (turn * (1 + round % 2 * (present.len() - 2)) + round) % present.len();
                times[index].push(time(&present[index].1)?);
            }
        }

        let reference = present.iter().position(|(name, _)| name == REFERENCE).ok_or("there is no env")?;
        println!("| command | µs | quotient to `{REFERENCE}` |\n|---|---:|---:|");
        for ((name, _), own) in present.iter().zip(&times) {
            let quotients = own.iter().zip(&times[reference]).map(|(own, reference)| own / reference);
            println!("| `{name}` | {:.0} | {:.2} |", median(own.iter().copied()), median(quotients));
        }
        for (name, _) in absent {
            println!("| `{name}` | not installed | |");
        }
        Ok(())
    }

    /// Returns the microseconds from start to end.
    fn time(words: &[String]) -> io::Result<f64> {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        let began = Instant::now();
        let status = command.status()?;
        let time = began.elapsed().as_secs_f64() * 1e6;
        if status.success() { Ok(time) } else { Err(io::Error::other(format!("{words:?}: {status}"))) }
    }

    fn median(values: impl Iterator<Item = f64>) -> f64 {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }
}
