//! `--keep-announced`, with a real make and rustc.

use std::env;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world::place;
use rstest::rstest;
use tempfile::TempDir;

use crate::{run, said, seen, text};

/// The command under test, as a makefile calls it.
const FORKEXEC: &str = env!("CARGO_BIN_EXE_forkexec");

/// Returns true for make 4.4, which has a FIFO if it is not told to use a pipe, as the earlier ones do.
fn make_has_styles() -> bool {
    let help = Command::new("make").arg("--help").output().expect("make can be started");
    text(&help.stdout).contains("--jobserver-style")
}

/// Runs make with four jobs and a rule for each of these commands, and returns what was printed.
fn make(directory: &Path, rules: &str) -> String {
    fs::write(directory.join("Makefile"), format!("all: {rules}")).expect("the directory is new");
    let mut make = Command::new("sh");
    // The numbers of the pipe must be above those of the files that rustc itself opens before it looks for them.
    make.args(["-c", "exec 3<&0 4<&0 5<&0 6<&0 7<&0 8<&0 9<&0; exec make \"$@\"", "make", "-j4"]);
    make.current_dir(directory).env("FORKEXEC", FORKEXEC);
    if make_has_styles() {
        make.arg("--jobserver-style=pipe");
    }
    for name in ["MAKEFLAGS", "MFLAGS", "CARGO_MAKEFLAGS"] {
        make.env_remove(name);
    }
    let output = make.output().expect("make can be started");
    let all = text(&[output.stdout, output.stderr].concat());
    assert!(output.status.success(), "{all}");
    all
}

fn has(program: &str) -> bool {
    let has = Command::new(program).arg("--version").output().is_ok();
    if !has {
        skip(&format!("needs {program}"));
    }
    has
}

/// Faults: D22
#[rstest]
#[case::run("run --keep-announced", true)]
#[case::exec("exec --keep-announced", true)]
#[case::run_without("run", false)]
fn make_below_forkexec_shares_the_jobs_of_make(#[case] how: &str, #[case] shares: bool) {
    // Three jobs that meet only if all of them run at once, and wait for each other up to a number of tries.
    const SUB: &str = "
all: 1 2 3
1 2 3:
\t@touch here.$@; \\
\tfor try in $$(seq $(TRIES)); do test -e here.1 -a -e here.2 -a -e here.3 && touch met.$@ && break; sleep 0.05; done; true
";
    isolated(|| {
        if !has("make") {
            return;
        }
        let directory = TempDir::new().expect("a directory can be made");
        fs::write(directory.path().join("sub.mk"), SUB).expect("the directory is new");
        let tries = if shares { 1200 } else { 20 };
        let said =
            make(directory.path(), &format!("\n\t+$(FORKEXEC) {how} -- $(MAKE) -f sub.mk TRIES={tries}\n"));
        let have_met = ["met.1", "met.2", "met.3"].map(|name| directory.path().join(name).exists());
        assert_eq!(said.contains("jobserver unavailable"), !shares, "{said}");
        // Without tokens the jobs run one after the other. The last one sees all of them.
        assert_eq!(have_met, if shares { [true; 3] } else { [false, false, true] }, "{said}");
    });
}

/// rustc uses the crate `jobserver`, as cargo does.
#[rstest]
#[case::kept("--keep-announced", true)]
#[case::not_kept("", false)]
fn rustc_below_forkexec_finds_the_jobserver(#[case] option: &str, #[case] finds: bool) {
    isolated(|| {
        if !has("make") || !has("rustc") {
            return;
        }
        let directory = TempDir::new().expect("a directory can be made");
        fs::write(directory.path().join("lib.rs"), "").expect("the directory is new");
        let said = make(
            directory.path(),
            &format!("\n\t+$(FORKEXEC) run {option} -- rustc --crate-type lib --emit metadata lib.rs\n"),
        );
        assert!(directory.path().join("liblib.rmeta").exists(), "{said}");
        assert_eq!(said.contains("failed to connect to jobserver"), !finds, "{said}");
    });
}

/// GNU make 4.4 announces the path of a FIFO. The program opens it.
#[test]
fn rustc_below_forkexec_finds_a_named_jobserver() {
    isolated(|| {
        if !has("rustc") {
            return;
        }
        let directory = TempDir::new().expect("a directory can be made");
        let fifo = directory.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo can be started").success());
        let _open = File::options().read(true).write(true).open(&fifo).expect("both directions do not wait");
        fs::write(directory.path().join("lib.rs"), "").expect("the directory is new");
        for (path, finds) in [(fifo, true), (directory.path().join("missing"), false)] {
            let mut command = Command::new(FORKEXEC);
            command.args([
                "run",
                "--keep-announced",
                "rustc",
                "--crate-type",
                "lib",
                "--emit",
                "metadata",
                "lib.rs",
            ]);
            command.env("MAKEFLAGS", format!("-j4 --jobserver-auth=fifo:{}", path.display()));
            let output = command.env_remove("CARGO_MAKEFLAGS").current_dir(&directory).output();
            let (code, _, complaint) = said(&output.expect("forkexec can be started"));
            assert_eq!(
                (code, complaint.contains("failed to connect to jobserver")),
                (Some(0), !finds),
                "{complaint}"
            );
        }
    });
}

#[test]
fn jobserver_that_make_does_not_share_is_refused() {
    isolated(|| {
        if !has("make") {
            return;
        }
        let directory = TempDir::new().expect("a directory can be made");
        let said = make(directory.path(), "\n\t-$(FORKEXEC) run --keep-announced true\n");
        if make_has_styles() {
            // It announces that it shares none, by negative numbers.
            assert_eq!(said.lines().count(), 1, "{said}");
            return;
        }
        let expected = "it is not open; begin the rule with + or call $(MAKE)";
        assert!(
            said.contains("--keep-announced: cannot use make's jobserver (fd ") && said.contains(expected),
            "{said}"
        );
        assert!(said.contains("Error 125"), "{said}");
    });
}

fn variable<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    seen.env.iter().find_map(|entry| entry.to_str()?.strip_prefix(name)?.strip_prefix('='))
}

/// Starts forkexec with two sockets and a watchdog, as systemd would.
#[rstest]
fn sockets_and_watchdog_reach_the_program(
    #[values("run", "exec")] subcommand: &str,
    #[values(true, false)] keeps: bool,
) {
    isolated(|| {
        let files = [(); 2].map(|()| tempfile::tempfile().expect("a file can be made"));
        let expected: Vec<_> =
            (3..).zip(files.iter().map(|file| file.metadata().expect("it is open").ino())).collect();
        let mut command = forkexec::Command::new(FORKEXEC);
        command
            .arg(subcommand)
            .args(keeps.then_some("--keep-announced"))
            .arg("--")
            .arg(probe::path())
            .arg("report");
        for (file, name) in files.into_iter().zip(["http", "admin"]) {
            command.listen_fd(file, name);
        }
        command.watchdog(std::time::Duration::from_secs(5)).env("NOTIFY_SOCKET", "/run/notify");
        let output = command.output().expect("forkexec can be started");
        let seen = Seen::of(&output.stdout);
        let pid = seen.pid.to_string();
        let is_own = |name| variable(&seen, name) == Some(pid.as_str());
        let found: Vec<_> = seen.facts.iter().map(|(&fd, facts)| (fd, facts.ino)).skip(3).collect();
        assert_eq!(found, if keeps { expected } else { vec![] });
        assert_eq!(is_own("LISTEN_PID"), keeps || subcommand == "exec");
        assert_eq!(is_own("WATCHDOG_PID"), keeps || subcommand == "exec");
        assert_eq!(
            (variable(&seen, "LISTEN_FDS"), variable(&seen, "LISTEN_FDNAMES")),
            (Some("2"), Some("http:admin"))
        );
        assert_eq!(
            (variable(&seen, "WATCHDOG_USEC"), variable(&seen, "NOTIFY_SOCKET")),
            (Some("5000000"), Some("/run/notify"))
        );
    });
}

#[test]
fn nothing_is_kept_if_nothing_is_announced() {
    isolated(|| {
        let null = File::open("/dev/null").expect("every system has it");
        let _held = [place(&null, 20), place(&null, 21)];
        assert_eq!(seen(&["--keep-announced"]).fds, [0, 1, 2]);
    });
}

#[rstest]
#[case::invalid(&[], "MAKEFLAGS", "--jobserver-auth=x", "cannot use MAKEFLAGS: its value \"--jobserver-auth=x\" is invalid")]
#[case::other_file(&[], "MAKEFLAGS", "--jobserver-auth=8,9", "cannot use make's jobserver (fd 8): it is not an inherited end of a pipe")]
#[case::claimed_by_map(&["--map", "0:7"], "MAKEFLAGS", "--jobserver-auth=7,9", "claimed twice, by --map 0:7 and --keep-announced")]
#[case::claimed_by_keep(&["--keep", "9"], "MAKEFLAGS", "--jobserver-auth=7,9", "claimed twice, by --keep 9 and --keep-announced")]
#[case::watchdog(&[], "WATCHDOG_USEC", "0", "cannot use WATCHDOG_USEC: its value \"0\" is invalid")]
fn invalid_announcement_is_refused(
    #[case] options: &[&str],
    #[case] name: &str,
    #[case] value: &str,
    #[case] part: &str,
) {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe can be made");
        let null = File::open("/dev/null").expect("every system has it");
        let held = [place(&reader, 7), place(&null, 8), place(&writer, 9)];
        drop((reader, writer, null));
        let mut command = run(&[options, &["--keep-announced"]].concat(), &["true"]);
        let (code, _, complaint) = said(&command.env(name, value).output().expect("forkexec can be started"));
        assert_eq!(code, Some(125), "{complaint}");
        assert!(complaint.contains(part), "{complaint}");
        assert_eq!(held.map(|fd| fd.as_raw_fd()), [7, 8, 9]);
    });
}
