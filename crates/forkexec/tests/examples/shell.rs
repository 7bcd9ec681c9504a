//! The example `shell`.

use std::time::Duration;

use tempfile::TempDir;

use crate::screen::{END, INTERRUPT, SUSPEND, Screen};

/// Starts the shell, and waits for its prompt.
fn start() -> Screen {
    let mut shell = Screen::start("shell", &[]);
    shell.until("0 $ ");
    shell
}

/// Types a line, and returns what is printed before the next prompt, which shows this status.
fn answer(shell: &mut Screen, line: &str, status: i32) -> String {
    shell.press(&format!("{line}\n"));
    shell.until(&format!("{line}\r\n"));
    shell.until(&format!("{status} $ ")).replace("\r\n", "\n")
}

/// Types a line that prints "ready" when it runs, and waits for that.
fn run(shell: &mut Screen, line: &str) {
    shell.press(&format!("{line}\n"));
    shell.until("ready\r\n");
}

#[test]
fn shell_connects_commands_by_pipes() {
    let mut shell = start();
    assert_eq!(answer(&mut shell, "echo 'a  b' \"c;d\" | tr a-z A-Z | cat", 0), "A  B C;D\n");
    assert_eq!(answer(&mut shell, "echo one; echo two", 0), "one\ntwo\n");
    // The writer gets SIGPIPE, and the status is that of the last command.
    assert_eq!(answer(&mut shell, "yes | head -n 1", 0), "y\n");
    assert_eq!(answer(&mut shell, "true | false", 1), "");
}

#[test]
fn shell_redirects_streams() {
    let directory = TempDir::new().expect("a directory can be made");
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (both, errors) = (path("both"), path("errors"));
    let mut shell = start();
    let program = "sh -c 'echo out; echo err >&2'";
    assert_eq!(answer(&mut shell, &format!("{program} >{both} 2>&1"), 0), "");
    assert_eq!(answer(&mut shell, &format!("echo more >> {both}; cat < {both}"), 0), "out\nerr\nmore\n");
    assert_eq!(answer(&mut shell, &format!("{program} 2> {errors} | tr a-z A-Z"), 0), "OUT\n");
    assert_eq!(answer(&mut shell, &format!("cat <{errors}"), 0), "err\n");
    assert_eq!(answer(&mut shell, &format!("echo new > {both}; cat {both} 2>&1 | cat"), 0), "new\n");
    assert_eq!(
        answer(&mut shell, &format!("cd {}; ls | cat", directory.path().display()), 0),
        "both\nerrors\n"
    );
    assert!(answer(&mut shell, "cat < /no/such", 127).contains("cannot open \"/no/such\""));
}

#[test]
fn shell_knows_the_exit_status() {
    let mut shell = start();
    answer(&mut shell, "sh -c 'exit 7'", 7);
    assert_eq!(answer(&mut shell, "echo was=$?", 0), "was=7\n");
    answer(&mut shell, "sh -c 'kill -TERM $$'", 143);
    assert!(answer(&mut shell, "/no/such", 127).contains("does not exist"));
    shell.press("exit 3\n");
    assert_eq!(shell.end().code(), Some(3));

    let mut shell = start();
    answer(&mut shell, "false", 1);
    shell.press(END);
    assert_eq!(shell.end().code(), Some(1));
}

#[test]
fn interrupt_key_ends_the_job_and_not_the_shell() {
    let mut shell = start();
    run(&mut shell, "sh -c 'echo ready; exec sleep 600' | cat");
    shell.press(INTERRUPT);
    shell.until("130 $ ");
    shell.press(INTERRUPT);
    assert_eq!(answer(&mut shell, "echo here", 0), "here\n");
}

#[test]
fn suspended_job_continues_in_either_ground() {
    let mut shell = start();
    run(&mut shell, "sh -c 'echo ready; read x; echo got=$x'");
    shell.press(SUSPEND);
    shell.until("[1] stopped sh");
    shell.until("148 $ ");
    assert!(answer(&mut shell, "jobs", 0).contains("[1] stopped sh"));
    assert_eq!(answer(&mut shell, "echo shell", 0), "shell\n");
    shell.press("fg\n");
    shell.press("one\n");
    shell.until("got=one\r\n");
    shell.until("0 $ ");

    run(&mut shell, "sh -c 'echo ready; sleep 1; echo late; exec sleep 600'");
    // dash starts a program by vfork(2), and does not stop until the program runs.
    std::thread::sleep(Duration::from_millis(200));
    shell.press(SUSPEND);
    shell.until("148 $ ");
    shell.press("bg\n");
    shell.until("[1] running sh");
    shell.until("late\r\n");
    shell.press("fg 1\n");
    // The job has the terminal when it gets the key: the shell has printed no prompt since.
    shell.until("fg 1\r\n");
    while u32::try_from(shell.foreground()) == Ok(shell.child.id()) {
        std::thread::yield_now();
    }
    shell.press(INTERRUPT);
    shell.until("130 $ ");
    assert_eq!(answer(&mut shell, "jobs", 0), "");
}

#[test]
fn background_job_leaves_the_terminal_to_the_shell() {
    let mut shell = start();
    shell.press("sh -c 'sleep 0.5; echo late; sleep 600' &\n");
    shell.until("[1] running sh");
    shell.until("late\r\n");
    assert_eq!(answer(&mut shell, "echo here | cat", 0), "here\n");
    // It has no terminal to read, and stops.
    shell.press("cat &\n");
    shell.until("[2] running cat");
    shell.until("0 $ ");
    assert!(answer(&mut shell, "jobs", 0).contains("[1] running sh"));
    shell.press("fg 2\n");
    shell.until("fg 2\r\n");
    shell.press("typed\n");
    shell.until("typed\r\ntyped\r\n");
    shell.press(END);
    shell.until("0 $ ");
}

#[test]
fn shell_takes_the_terminal_back_from_what_a_job_left() {
    let mut shell = start();
    assert_eq!(answer(&mut shell, "sh -c 'sleep 600 & exit 4'", 4), "");
    assert_eq!(answer(&mut shell, "echo here | cat", 0), "here\n");
}
