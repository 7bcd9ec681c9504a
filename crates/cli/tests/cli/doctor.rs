//! The results of `doctor`, also if system calls are denied.

use forkexec_tests::android;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use rstest::rstest;
use serde_json::{Value, json};

use crate::start_with::denied;
use crate::{answer, forkexec, reported, run, said, seen};

/// Returns the object that `doctor --json` prints.
fn found() -> Value {
    let (code, json, _) = answer(&["doctor", "--json"]);
    assert_eq!((code, json.lines().count()), (Some(0), 1), "{json}");
    serde_json::from_str(&json).expect("it is JSON")
}

/// Returns the trial with this name.
fn trial<'f>(found: &'f Value, name: &str) -> &'f Value {
    let trials = found["trials"].as_array().expect("it is a list");
    trials.iter().find(|trial| trial["name"] == name).unwrap_or_else(|| panic!("no {name} in {found}"))
}

#[test]
fn table_is_aligned_and_ends_with_a_verdict() {
    let (code, table, complaints) = answer(&["doctor"]);
    assert_eq!((code, complaints.as_str()), (Some(0), ""));
    let lines: Vec<&str> = table.lines().collect();
    let columns = ["TASK", "METHOD"].map(|title| lines[0].find(title).expect("it is a title"));
    // A reason may go on in the next line.
    let is_row = |line: &&&str| !line.starts_with(' ');
    for line in lines.iter().take_while(|line| !line.is_empty()).filter(is_row) {
        assert!(columns.iter().all(|&at| &line[at - 2..at] == "  " && &line[at..=at] != " "), "{table}");
    }
    let loops =
        |line: &&str| line.split_whitespace().take(5).eq(["works", "close", "every", "number", "loop"]);
    assert!(lines.iter().any(|line| loops(line) && line.ends_with(" µs")), "{table}");
    assert!(lines.iter().any(|line| line.starts_with("descriptor limit  ")), "{table}");
    assert!(lines.iter().any(|line| line.starts_with("limits  ") && line.contains(" nofile ")), "{table}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{table}");
    assert_eq!(lines.last(), Some(&"children get exactly the named descriptors"));
}

#[test]
fn json_has_all_members() {
    let found = found();
    assert_eq!((&found["exact"], &found["close_strategy"]), (&true.into(), &"bulk".into()));
    let members = ["kind", "strategy", "outcome"].map(|member| trial(&found, "loop")[member].clone());
    assert_eq!(members, ["close", "loop", "works"]);
    assert_eq!(trial(&found, "fork")["strategy"], Value::Null);
    let operations = found["operations"].as_array().expect("it is a list");
    let trials = found["trials"].as_array().expect("it is a list");
    for trial in trials.iter().filter(|trial| trial["kind"] == "operation") {
        assert!(operations.contains(&trial["name"]), "{trial}");
    }
    let starts = |trial: &Value| trial["kind"] == "spawn" && trial["outcome"] == "works";
    assert!(found["trials"].as_array().expect("it is a list").iter().any(starts), "{found}");
    assert!(found["resources"].as_array().expect("it is a list").contains(&"nofile".into()), "{found}");
    assert!(found["android"].is_null(), "{found}");
    for name in ["system", "descriptor_limit", "loop_numbers", "operations", "reserved_signals"] {
        assert!(found.get(name).is_some(), "{name} is missing");
    }
}

#[test]
fn results_are_green_or_red() {
    isolated(|| {
        Deny::new().errno(libc::SYS_close_range, libc::EPERM).install().expect("a filter is taken");
        let output = forkexec(&["doctor"]).env("CLICOLOR_FORCE", "1").output().expect("it starts");
        let (_, table, _) = said(&output);
        for (color, result) in [(32, "works"), (31, "refused")] {
            let colored = format!("\x1b[{color}m{result}");
            assert!(table.lines().any(|line| line.starts_with(&colored)), "{table:?}");
            let plain = |line: &str| line.contains(&format!("m{result}")) && !line.starts_with(&colored);
            assert!(!table.lines().any(plain), "{table:?}");
        }
    });
}

#[rstest]
#[case::as_an_old_kernel_does(libc::ENOSYS, "ENOSYS", "ENOSYS: Function not implemented")]
#[case::as_a_container_does(libc::EPERM, "EPERM", "EPERM: Operation not permitted")]
fn refused_call_is_reported_with_its_reason(#[case] errno: i32, #[case] name: &str, #[case] reason: &str) {
    isolated(|| {
        Deny::new().errno(libc::SYS_close_range, errno).install().expect("a filter is taken");
        let found = found();
        let refused = trial(&found, "close_range");
        assert_eq!((&refused["outcome"], &refused["errno"]), (&"refused".into(), &name.into()));
        assert_eq!((&found["exact"], &found["close_strategy"]), (&true.into(), &"bulk".into()));
        let (_, table, _) = answer(&["doctor"]);
        let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("refused close ranges close_range {reason} ")), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        let reasons = table.find("REASON").expect("it is a title");
        let rows = table.lines().take_while(|line| !line.is_empty());
        let continued: Vec<_> = rows.filter(|line| line.starts_with(' ')).collect();
        let is_aligned = |line: &&str| line.len() - line.trim_start().len() == reasons;
        assert!(!continued.is_empty() && continued.iter().all(is_aligned), "{table}");
    });
}

/// Faults: F16
#[test]
fn refused_and_trapped_operations_are_reported() {
    isolated(|| {
        let deny = Deny::new().errno(libc::SYS_sched_setscheduler, libc::EPERM).trap(libc::SYS_ioprio_set);
        deny.install().expect("a filter is taken");
        let found = found();
        let result = |name| {
            let trial = trial(&found, name);
            ["kind", "outcome", "errno", "signal"]
                .map(|member| trial[member].as_str().unwrap_or("-").to_owned())
        };
        assert_eq!(result("scheduler"), ["operation", "refused", "EPERM", "-"]);
        assert_eq!(result("io-priority"), ["operation", "died", "-", "SIGSYS"]);
        for name in
            ["cpu-affinity", "timer-slack", "no-new-privs", "die-with-parent", "seccomp", "capabilities"]
        {
            assert_eq!(result(name)[..2], ["operation", "works"], "{name}");
        }
        assert_eq!(found["exact"], true);
        let (_, table, _) = answer(&["doctor"]);
        let is_refused =
            |line: &str| line.starts_with("refused  set an attribute ") && line.contains(" scheduler ");
        assert!(table.lines().any(is_refused), "{table}");
    });
}

/// Only children make the call: the first child dies, and the next one starts.
///
/// Faults: F16
#[rstest]
#[case::trap(Deny::trap)]
#[case::kill(Deny::kill)]
fn trapped_call_is_reported_and_costs_one_child(#[case] deny: fn(Deny, libc::c_long) -> Deny) {
    isolated(|| {
        deny(Deny::new(), libc::SYS_close_range).install().expect("a filter is taken");
        let found = found();
        let trapped = trial(&found, "close_range");
        assert_eq!((&trapped["outcome"], &trapped["signal"]), (&"trapped".into(), &"SIGSYS".into()));
        assert_eq!((&found["exact"], &found["close_strategy"]), (&true.into(), &"bulk".into()));
        assert_eq!(found["android"], Value::Null);
        let (_, table, _) = answer(&["doctor"]);
        assert!(table.contains("trapped  close ranges"), "{table}");
        assert!(table.ends_with("children get exactly the named descriptors\n"), "{table}");
        assert_eq!(seen(&[]).fds, [0, 1, 2]);
    });
}

/// The trap kills the process that starts the child, which is that of the trial.
///
/// Faults: F16
#[test]
fn spawn_that_kills_its_caller_is_reported() {
    isolated(|| {
        let deny = || Deny::new().trap(libc::SYS_clone3);
        let (code, json, _) =
            said(&denied(&mut forkexec(&["doctor", "--json"]), deny).output().expect("it starts"));
        let found: Value = serde_json::from_str(&json).expect("it is JSON");
        let shared = trial(&found, "shared");
        assert_eq!((&shared["outcome"], &shared["signal"]), (&"died".into(), &"SIGSYS".into()));
        assert_eq!(
            (trial(&found, "fork")["outcome"].as_str(), &found["exact"]),
            (Some("works"), &false.into())
        );
        assert_eq!(code, Some(125));
        let (_, table, _) = said(&denied(&mut forkexec(&["doctor"]), deny).output().expect("it starts"));
        assert!(
            table.ends_with("the spawn method shared kills the program that uses it: choose fork\n"),
            "{table}"
        );
    });
}

/// A filter can let a call return 0 without effect.
#[test]
fn call_without_effect_is_detected() {
    isolated(|| {
        Deny::new().errno(libc::SYS_close_range, 0).install().expect("a filter is taken");
        let found = found();
        assert_eq!(trial(&found, "close_range")["outcome"], "leaks");
        assert_eq!(found["close_strategy"], "enumerate");
    });
}

/// Faults: F16
#[test]
fn closing_works_with_traps_before_the_loop() {
    isolated(|| {
        let deny = || Deny::new().trap(libc::SYS_close_range).trap(libc::SYS_getdents64);
        let (_, json, _) =
            said(&denied(&mut forkexec(&["doctor", "--json"]), deny).output().expect("it starts"));
        let found: Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!((&found["close_strategy"], &found["exact"]), (&"bulk".into(), &true.into()));
        for options in [&[][..], &["--close-strategy", "loop"]] {
            assert_eq!(reported(denied(&mut run(options, &["report"]), deny)).fds, [0, 1, 2]);
        }
    });
}

/// As Yama refuses it, and a filter of a container.
#[test]
fn refused_and_trapped_ways_to_take_a_descriptor_are_reported() {
    isolated(|| {
        let deny = || Deny::new().errno(libc::SYS_pidfd_getfd, libc::EPERM);
        let (code, json, _) =
            said(&denied(&mut forkexec(&["doctor", "--json"]), deny).output().expect("it starts"));
        let found: Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!((code, trial(&found, "/proc/PID/fd")["outcome"].as_str()), (Some(0), Some("works")));
        let getfd = trial(&found, "pidfd_getfd");
        let words = ["kind", "outcome", "errno"].map(|key| getfd[key].as_str());
        assert_eq!(words, [Some("take"), Some("refused"), Some("EPERM")]);

        let deny = || Deny::new().trap(libc::SYS_pidfd_getfd);
        let (_, table, _) = said(&denied(&mut forkexec(&["doctor"]), deny).output().expect("it starts"));
        let row = table.lines().find(|line| line.contains("pidfd_getfd")).expect("there is a row");
        assert!(row.starts_with("trapped") && row.contains("take a descriptor"), "{table}");
    });
}

#[test]
fn doctor_fails_if_no_child_starts() {
    isolated(|| {
        let mut command = forkexec(&["doctor"]);
        let deny = || Deny::new().errno(libc::SYS_clone, libc::EAGAIN).errno(libc::SYS_clone3, libc::EAGAIN);
        let (code, table, _) = said(&denied(&mut command, deny).output().expect("it starts"));
        assert_eq!(code, Some(125));
        assert!(table.contains("not-run") && table.ends_with("no child can be started here\n"), "{table}");
    });
}

/// `ci/android` builds the command so that it reads the release from the environment.
///
/// Faults: F16, Q-android
#[rstest]
#[case::android_8_0("26", 26, "close_range clone3 pidfd_open pidfd_send_signal")]
#[case::android_11("30", 30, "close_range clone3 pidfd_send_signal chroot setgroups setresgid")]
#[case::android_14("34", 34, "clone3 chroot setgroups setresgid")]
#[case::android_15("35", 35, "chroot setgroups setresgid")]
#[case::unknown("S", 26, "close_range clone3 pidfd_open pidfd_send_signal chroot setgroups setresgid")]
fn android_release_is_reported(#[case] property: &str, #[case] level: u32, #[case] not_called: &str) {
    isolated(|| {
        if !cfg!(forkexec_release = "environment") {
            return skip("the command was not built to take an Android release from the environment");
        }
        android::install(level).expect("a filter is taken");
        let output_of = |args| {
            let output =
                forkexec(args).env("FORKEXEC_ANDROID_API", property).output().expect("it can be started");
            let (code, text, complaints) = said(&output);
            assert_eq!((code, complaints.as_str()), (Some(0), ""));
            text
        };
        let not_called = format!("{not_called} set_mempolicy keyctl landlock_restrict_self");
        let known: Option<u32> = property.parse().ok();
        let table = output_of(&["doctor"]);
        let shown = known.map_or_else(|| "unknown".to_owned(), |level| level.to_string());
        let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
        let facts = format!("Android API level {shown} not called {not_called} descriptor limit ");
        assert!(words.contains(&facts), "{facts} is not in:\n{table}");
        let found: Value = serde_json::from_str(&output_of(&["doctor", "--json"])).expect("it is JSON");
        let names: Vec<&str> = not_called.split(' ').collect();
        assert_eq!(found["android"], json!({ "api_level": known, "not_called": names }));
        let is_tried = !names.contains(&"close_range");
        assert_eq!(trial(&found, "close_range")["outcome"], if is_tried { "works" } else { "not-called" });
        assert_eq!(found["exact"], true);
    });
}
