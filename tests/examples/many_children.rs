//! Starts children by every method, many of them and from several threads, and prints the methods, for tools that check
//! memory.
//!
//! `ci/sanitize` runs it under Valgrind. The programs come from the search path. It ends at the first error.

use std::collections::BTreeSet;
use std::io::Read;
use std::thread;

use forkexec::{Command, Error, SpawnPolicy, Stage, Stdio};

const ROUNDS: usize = 10;
const THREADS: usize = 4;

fn main() -> Result<(), Error> {
    let mut methods = BTreeSet::new();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(many)).collect();
        for thread in threads {
            methods.extend(thread.join().expect("it does not panic")?);
        }
        Ok::<(), Error>(())
    })?;
    let refused =
        Command::new("true").spawn_policy(SpawnPolicy::NoFork).spawn().map(|mut child| child.wait());
    let methods: Vec<_> = methods.into_iter().collect();
    println!("{} children, started by {}", THREADS * ROUNDS * 4, methods.join(" and "));
    match refused {
        Ok(status) => println!("a fast start that is required: {}", status?),
        Err(error) => println!("a fast start that is required: {error}"),
    }
    Ok(())
}

/// Returns the methods by which the children were started.
fn many() -> Result<BTreeSet<&'static str>, Error> {
    let mut methods = BTreeSet::new();
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/").umask(0o027).setsid();
    let cat = cat.prepare()?;
    for _ in 0..ROUNDS {
        let mut child = Command::new("true").spawn()?;
        methods.insert(child.method().name());
        assert!(child.wait()?.success());

        assert_eq!(cat.spawn()?.communicate(b"there and back")?.stdout, b"there and back");

        let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
        let mut echo = Command::new("sh");
        echo.args(["-c", "echo said >&7"]).fd(7, writer);
        assert!(echo.status()?.success());
        drop(echo);
        let mut said = String::new();
        reader.read_to_string(&mut said).expect("it can be read");
        assert_eq!(said, "said\n");

        let missing = Command::new("/no/such/program").spawn().map(|child| child.id());
        let stage = missing.as_ref().err().and_then(Error::as_spawn).map(forkexec::SpawnError::stage);
        assert_eq!(stage, Some(Stage::Exec), "{missing:?}");
    }
    Ok(methods)
}
