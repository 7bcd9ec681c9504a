//! The module `process`, which has the names of `std::process`: one source over both, with the same results.

use forkexec_tests::isolate::isolated;

use crate::ground::is_emulated;

/// The exit codes, outputs and error kinds that the source observed, in order.
type Observed = Vec<String>;

macro_rules! over {
    ($name:ident, $path:ident :: process) => {
        mod $name {
            use super::Observed;
            use std::io::{self, Read, Write};
            use std::os::unix::process::ExitStatusExt;
            use $path::process::{self, Child, Command, ExitStatus, Output, Stdio};

            fn started(mut command: Command) -> io::Result<Child> {
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
            }

            fn text(output: &Output) -> String {
                format!("{:?} {:?} {:?}", output.status.code(), output.stdout, output.stderr)
            }

            pub(super) fn observe() -> io::Result<Observed> {
                let mut seen = Observed::new();
                let status: ExitStatus = Command::new("sh").args(["-c", "exit 3"]).status()?;
                seen.push(format!("{:?}", status.code()));
                seen.push(text(&Command::new("sh").args(["-c", "echo out; echo err >&2"]).output()?));

                let mut child = started(Command::new("cat"))?;
                assert_ne!(child.id(), process::id());
                let mut shell = Command::new("sh");
                shell.args(["-c", "echo $$"]);
                let shell = started(shell)?;
                let id = format!("{}\n", shell.id());
                seen.push(format!("{}", shell.wait_with_output()?.stdout == id.as_bytes()));
                seen.push(format!("{:?}", child.try_wait()?));
                child.stdin.as_mut().expect("it is piped").write_all(b"one")?;
                drop(child.stdin.take());
                let mut read = String::new();
                child.stdout.take().expect("it is piped").read_to_string(&mut read)?;
                seen.push(read);
                seen.push(format!("{:?} {:?}", child.wait()?.code(), child.try_wait()?));

                // A wait closes the standard input that the child reads.
                seen.push(format!("{:?}", started(Command::new("cat"))?.wait()?.code()));
                seen.push(started(Command::new("cat"))?.wait_with_output().map(|output| text(&output))?);

                let mut killed = started(Command::new("cat"))?;
                killed.kill()?;
                seen.push(format!("{:?}", killed.wait()?.signal()));
                killed.kill()?;

                seen.push(format!(
                    "{:?}",
                    Command::new("/missing").spawn().map_err(|error| error.kind()).err()
                ));
                seen.push(format!("{:?}", Command::new("a\0b").output().map_err(|error| error.kind()).err()));
                Ok(seen)
            }
        }
    };
}

over!(of_std, std::process);
over!(of_ours, forkexec::process);

#[test]
fn one_source_observes_the_same_over_std_and_over_process() {
    isolated(|| {
        if is_emulated("does not tell std that an exec failed") {
            return;
        }
        let ours = of_ours::observe().expect("the programs start");
        assert_eq!(ours, of_std::observe().expect("the programs start"));
    });
}

#[test]
fn error_of_process_converts_back() {
    isolated(|| {
        let error = forkexec::process::Command::new("/missing").spawn().expect_err("it is missing");
        let original = error.downcast::<forkexec::Error>().expect("the library's error is inside");
        assert_eq!(original.raw_os_error(), Some(libc::ENOENT));
    });
}

#[test]
fn child_of_process_converts_with_its_pipes() {
    isolated(|| {
        let mut command = forkexec::process::Command::new("cat");
        let child = command.stdin(forkexec::Stdio::piped()).stdout(forkexec::Stdio::piped()).spawn();
        let output =
            forkexec::Child::from(child.expect("cat starts")).communicate(b"two").expect("cat answers");
        assert_eq!(output.stdout, b"two");
    });
}

#[test]
fn several_descriptors_are_passed_by_one_call() {
    isolated(|| {
        let file = || std::fs::File::open("/dev/null").expect("it is there");
        let (kept, gone) = (file(), file());
        let mut command = forkexec::BorrowingCommand::new("sh");
        command.args([
            "-c",
            "test -e /dev/fd/$0 && test -e /dev/fd/60 && test -e /dev/fd/61 && ! test -e /dev/fd/$1",
        ]);
        command.args([&kept, &gone].map(|file| std::os::fd::AsRawFd::as_raw_fd(file).to_string()));
        command.keep_fds([&kept]).fds([(60, &kept), (61, &gone)]);
        assert!(command.status().expect("sh starts").success());
    });
}
