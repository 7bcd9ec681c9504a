//! The example `supervisor`.

use std::fs;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use crate::screen::Screen;

const INTERRUPT: &str = "\u{3}";

/// Starts the supervisor with these services. The second value must outlive it.
fn supervising(config: &str) -> (Screen, NamedTempFile) {
    let mut file = NamedTempFile::new().expect("a file can be made");
    file.write_all(config.as_bytes()).expect("it can be written");
    let path = file.path().to_str().expect("it is text");
    (Screen::start("supervisor", &[path]), file)
}

/// Returns the state of a process, as proc_pid_stat(5) shows it after the name in brackets.
fn state(pid: &str) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn await_end(pid: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while !matches!(state(pid), None | Some('Z')) {
        assert!(Instant::now() < end, "{pid} runs");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn failing_service_is_restarted_after_a_growing_pause() {
    let began = Instant::now();
    let (mut screen, _file) = supervising("# a comment\nflaky: test $RESTARTS -eq 2\nquick: true\n");
    screen.until("next start in 100ms");
    screen.until("next start in 200ms");
    screen.until("flaky: done");
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    let (said, status) = screen.end_with_output();
    assert!(status.success(), "{said}");
    let count = |text| said.matches(text).count();
    assert_eq!((count("flaky: started"), count("quick: started"), count("quick: done")), (3, 1, 1), "{said}");
}

/// The services have process groups of their own, so that the terminal's signal does not reach them twice.
#[test]
fn interrupt_key_stops_each_service_once() {
    let service = "trap 'echo stopped; exit 0' INT; echo ready; while :; do sleep 0.05; done";
    let (mut screen, _file) = supervising(&format!("one: {service}\ntwo: {service}\n"));
    screen.until("ready");
    screen.until("ready");
    screen.press(INTERRUPT);
    let (said, status) = screen.end_with_output();
    assert_eq!(status.code(), Some(1), "{said}");
    let count = |text| said.matches(text).count();
    assert_eq!((count("stopped"), count(": done"), count("SIGINT")), (2, 2, 1), "{said}");
}

/// A service that ignores the signal is killed after the grace period, with a descendant that left its group.
#[test]
fn service_that_does_not_stop_is_killed_with_its_descendants() {
    let service =
        "stubborn: trap '' TERM; setsid sleep 600 & echo it: $$, descendant: $!; while :; do sleep 1; done\n";
    let (mut screen, _file) = supervising(service);
    screen.until("it: ");
    let pid = screen.until(", descendant: ");
    let descendant = screen.until("\r\n");
    screen.child.send_signal(libc::SIGTERM).expect("it is ours");
    screen.until("SIGTERM");
    let began = Instant::now();
    assert_eq!(screen.end().code(), Some(1));
    assert!(began.elapsed() >= Duration::from_secs(1), "it has a grace period");
    await_end(&pid);
    await_end(&descendant);
}

#[test]
fn supervisor_of_many_services_has_one_thread_and_sleeps() {
    let services: Vec<_> = (0..50).map(|number| format!("s{number}: exec sleep 600")).collect();
    let (mut screen, _file) = supervising(&services.join("\n"));
    screen.until("s49: started");
    let id = screen.child.id();
    // Not all systems have this list.
    if let Ok(tasks) = fs::read_dir(format!("/proc/{id}/task")) {
        assert_eq!(tasks.count(), 1);
    }
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let times = fields.split(' ').skip(11).take(2);
        times.map(|ticks| ticks.parse::<u64>().expect("it is a number")).sum::<u64>()
    };
    let before = ticks();
    thread::sleep(Duration::from_secs(1));
    assert!(ticks() - before <= 1, "it takes processor time");
    screen.press(INTERRUPT);
    assert_eq!(screen.end().code(), Some(1));
}
