//! The example `multiplexer`.

use forkexec::WindowSize;

use crate::screen::Screen;

/// Starts the multiplexer with two shells, and waits until the first one has the screen.
fn start() -> Screen {
    let mut screen = Screen::start("multiplexer", &["sh"]);
    screen.until("[shell 0]\r\n");
    screen
}

/// Types a command into the shell that has the screen, and waits for its output, which the command must not contain.
fn ask(screen: &mut Screen, command: &str, output: &str) {
    screen.press(&format!("{command}\r"));
    screen.until(&format!("{output}\r\n"));
}

#[test]
fn key_switches_between_shells() {
    let mut screen = start();
    ask(&mut screen, "echo pane=$PANE; tty; X=zero", "pane=0");
    let first = screen.until("\r\n");
    screen.press("\u{1}n");
    screen.until("[shell 1]\r\n");
    ask(&mut screen, "echo pane=$PANE; tty", "pane=1");
    assert_ne!(screen.until("\r\n"), first, "each has a terminal of its own");
    screen.press("\u{1}n");
    screen.until("[shell 0]\r\n");
    // Its last output is shown again, and its state is as it was.
    screen.until(&first);
    ask(&mut screen, "echo $X", "zero");
    screen.press("\u{1}c");
    screen.until("[shell 2]\r\n");
    ask(&mut screen, "echo pane=$PANE", "pane=2");
    screen.press("\u{1}q");
    assert!(screen.end().success());
}

#[test]
fn output_of_a_hidden_shell_is_kept() {
    let mut screen = start();
    ask(&mut screen, "(sleep 0.5; echo hid''den) & echo star''ted", "started");
    screen.press("\u{1}n");
    screen.until("[shell 1]\r\n");
    ask(&mut screen, "sleep 1; echo wai''ted", "waited");
    screen.press("\u{1}n");
    screen.until("[shell 0]\r\n");
    screen.until("hidden\r\n");
    screen.press("\u{1}q");
    assert!(screen.end().success());
}

#[test]
fn size_of_the_window_reaches_every_shell() {
    let mut screen = start();
    ask(&mut screen, "stty size", "30 100");
    screen.pty.resize(WindowSize::new(40, 120)).expect("it takes it");
    for shell in ["[shell 1]\r\n", "[shell 0]\r\n"] {
        ask(
            &mut screen,
            "while [ \"$(stty size)\" != '40 120' ]; do sleep 0.05; done; echo res''ized",
            "resized",
        );
        screen.press("\u{1}n");
        screen.until(shell);
    }
    screen.press("\u{1}q");
    assert!(screen.end().success());
}

#[test]
fn ended_shell_gives_the_screen_to_the_next() {
    let mut screen = start();
    screen.press("exit 5\r");
    screen.until("[shell 0 ended with exit status: 5]\r\n");
    ask(&mut screen, "echo pane=$PANE", "pane=1");
    // The keys of the terminal act in the shell that has the screen.
    ask(&mut screen, "sh -c 'echo run\"\"ning; exec sleep 600'", "running");
    screen.press("\u{3}");
    screen.until("^C");
    screen.ask_for_prompt();
    ask(&mut screen, "echo sti''ll", "still");
    screen.press("exit\r");
    assert!(screen.end().success());
}

#[test]
fn modes_are_restored_at_each_end() {
    for is_signalled in [false, true] {
        let mut screen = Screen::start("multiplexer", &["sh"]);
        screen.until("[shell 0]\r\n");
        let raw = screen.modes();
        if is_signalled {
            screen.child.send_signal(libc::SIGTERM).expect("it runs");
        } else {
            screen.press("\u{1}q");
        }
        let pty = screen.pty.clone();
        let user = pty.open_user().expect("it can be opened");
        assert!(screen.end().success());
        let after = nix::sys::termios::tcgetattr(&user).expect("it is a terminal");
        assert_ne!(after, raw);
        assert!(after.local_flags.contains(nix::sys::termios::LocalFlags::ECHO));
    }
}
