//! The attributes that Linux alone has, as the program sees them: scheduling, capabilities, rulesets and filters.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;
use rstest::rstest;
use tempfile::NamedTempFile;

use crate::{forkexec, said};

/// Runs a program with these options, and returns its output.
fn printed(options: &[&str], program: &[&str]) -> String {
    let output = forkexec(&["run"]).args(options).arg("--").args(program).output().expect("it starts");
    let (code, out, complaint) = said(&output);
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "{options:?}");
    out
}

/// Returns a line of `/proc/self/status`, as the program with these options has it.
fn status(options: &[&str], name: &str) -> String {
    let text = printed(options, &["/bin/cat", "/proc/self/status"]);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

#[test]
fn cpus_are_those_of_the_program() {
    isolated(|| {
        let all = status(&[], "Cpus_allowed_list");
        let first = all.split(['-', ',']).next().expect("there is a processor");
        assert_eq!(status(&["--cpus", first], "Cpus_allowed_list"), first);
    });
}

/// Fields 40 and 41 of `/proc/self/stat` are the real-time priority and the policy (proc_pid_stat(5)).
#[rstest]
#[case::batch("batch", ["0", "3"])]
#[case::idle("idle", ["0", "5"])]
#[case::other("other", ["0", "0"])]
#[case::fifo("fifo:7", ["7", "1"])]
#[case::rr("rr:8", ["8", "2"])]
#[case::deadline("deadline:2ms:5ms:10ms", ["0", "6"])]
fn policy_is_that_of_the_program(#[case] policy: &str, #[case] expected: [&str; 2]) {
    isolated(|| {
        if !["other", "batch", "idle"].contains(&policy) && !world::is_root() {
            return skip("a real-time policy needs root");
        }
        let stat = printed(&["--scheduler", policy], &["/bin/cat", "/proc/self/stat"]);
        let (_, fields) = stat.rsplit_once(") ").expect("the name is in parentheses");
        let fields: Vec<_> = fields.split(' ').collect();
        assert_eq!([fields[40 - 3], fields[41 - 3]], expected);
    });
}

#[rstest]
#[case::idle("idle", "idle")]
#[case::best_effort("best-effort:6", "best-effort: prio 6")]
#[case::as_ionice("best-effort", "best-effort: prio 4")]
fn io_priority_is_that_of_the_program(#[case] priority: &str, #[case] expected: &str) {
    isolated(|| {
        if !fs::exists("/usr/bin/ionice").unwrap_or(false) {
            return skip("ionice(1) is missing");
        }
        assert_eq!(printed(&["--io-priority", priority], &["ionice"]).trim(), expected);
    });
}

#[rstest]
#[case::timer_slack(&["--timer-slack", "77us"], "timerslack_ns", "77000")]
#[case::oom_score(&["--oom-score-adj", "777"], "oom_score_adj", "777")]
#[case::fixed_addresses(&["--fixed-addresses"], "personality", "00040000")]
fn attribute_is_that_of_the_program(#[case] options: &[&str], #[case] file: &str, #[case] expected: &str) {
    isolated(|| assert_eq!(printed(options, &["/bin/cat", &format!("/proc/self/{file}")]).trim(), expected));
}

/// The file has more than the value.
#[rstest]
#[case::autogroup(&["--setsid", "--autogroup-nice", "3"], "autogroup", " nice 3\n")]
#[case::memory_policy(&["--memory-policy", "bind:0"], "numa_maps", " bind:0 ")]
fn file_of_the_program_has_the_attribute(
    #[case] options: &[&str],
    #[case] file: &str,
    #[case] expected: &str,
) {
    isolated(|| {
        let file = format!("/proc/self/{file}");
        if !fs::exists(&file).unwrap_or(false) {
            return skip("the kernel lacks it");
        }
        let text = printed(options, &["/bin/cat", &file]);
        assert!(text.contains(expected), "{text}");
    });
}

#[test]
fn namespaces_are_those_of_the_program() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root can create namespaces everywhere");
        }
        let link =
            |options: &[&str], kind: &str| printed(options, &["readlink", &format!("/proc/self/ns/{kind}")]);
        let own = link(&[], "uts");
        let new = link(&["--unshare", "user,uts", "--map-user", "7", "--map-group", "8"], "uts");
        assert_ne!(new, own);
        assert_eq!(printed(&["--unshare", "user", "--map-user", "7"], &["id", "-u"]), "7\n");
        assert_eq!(printed(&["--unshare", "pid"], &["sh", "-c", "echo $$"]), "1\n");
        if forkexec::supports(forkexec::Operation::TimeNamespace) {
            let clocks = ["--unshare", "time", "--monotonic-offset", "-1", "--boottime-offset", "864000"];
            let offsets = printed(&clocks, &["cat", "/proc/self/timens_offsets"]);
            let words: Vec<_> = offsets.split_whitespace().collect();
            assert_eq!(words, ["monotonic", "-1", "0", "boottime", "864000", "0"]);
        }
        assert_eq!(link(&["--unshare", "net", "--setns", "/proc/self/ns/uts"], "uts"), own);
        assert_eq!(link(&["--setns", "/proc/self/ns/pid"], "pid"), link(&[], "pid"));
    });
}

/// The program writes nothing before it is continued.
#[test]
fn program_starts_suspended() {
    isolated(|| {
        let mut command = forkexec(&["run", "--start-suspended", "--", "/bin/echo", "ran"]);
        let mut run = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let children = format!("/proc/{0}/task/{0}/children", run.id());
        let stopped = || {
            let children = fs::read_to_string(&children).expect("the kernel lists children");
            let child = children.split_whitespace().next()?.parse::<i32>().ok()?;
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
            stat.contains("(echo) T ").then_some(child)
        };
        let child = (0..20_000).find_map(|_| {
            thread::sleep(Duration::from_millis(1));
            stopped()
        });
        let child = child.expect("the program stops");
        // SAFETY: signals the child of a running child.
        assert_eq!(unsafe { libc::kill(child, libc::SIGCONT) }, 0);
        let mut out = String::new();
        run.stdout.take().expect("it is a pipe").read_to_string(&mut out).expect("it can be read");
        assert_eq!((out.as_str(), run.wait().expect("it ends").code()), ("ran\n", Some(0)));
    });
}

/// The program gets the name, and not the descriptor.
#[test]
fn open_file_is_the_program() {
    isolated(|| {
        let inner = "echo $0; (exec 3<&7) 2>/dev/null || echo closed";
        let script =
            format!("exec 7</bin/sh; exec \"$0\" run --executable 7 -- 'any name' -c '{inner}' 'any name'");
        let output = Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_forkexec")]).output();
        let (code, out, complaint) = said(&output.expect("it starts"));
        assert_eq!((code, out.as_str(), complaint.as_str()), (Some(0), "any name\nclosed\n", ""));
    });
}

const ORDINARY: &[&str] = &["--user", "4321", "--group", "1234", "--groups", "none"];

#[rstest]
#[case::ambient(
    &["--ambient-capabilities", "net_bind_service,chown"], ["CapAmb", "CapEff", "CapPrm", "CapInh"], [0x401; 4]
)]
#[case::inheritable(&["--inheritable-capabilities", "CAP_CHOWN"], ["CapAmb", "CapEff", "CapPrm", "CapInh"], [0, 0, 0, 1])]
#[case::neither(
    &["--inheritable-capabilities", "none", "--ambient-capabilities", "none"],
    ["CapAmb", "CapEff", "CapPrm", "CapInh"], [0; 4]
)]
#[case::bounding(&["--bounding-capabilities", "kill"], ["CapBnd", "CapAmb", "CapEff", "CapPrm"], [0x20, 0, 0, 0])]
fn capabilities_are_those_of_the_program(
    #[case] options: &[&str],
    #[case] names: [&str; 4],
    #[case] expected: [u64; 4],
) {
    isolated(|| {
        if !world::is_root() {
            return skip("only root can give capabilities away");
        }
        let options = [ORDINARY, options].concat();
        let mask = |name| u64::from_str_radix(&status(&options, name), 16).expect("it is hexadecimal");
        assert_eq!(names.map(mask), expected);
    });
}

#[test]
fn bounding_set_can_be_all_but_some() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root can reduce the bounding set");
        }
        let set = |options: &[&str]| {
            u64::from_str_radix(&status(options, "CapBnd"), 16).expect("it is hexadecimal")
        };
        let whole = set(&[]);
        assert_eq!(set(&["--bounding-capabilities", "all"]), whole);
        assert_eq!(set(&["--bounding-capabilities", "all,-chown,-kill"]), whole & !0x21);
    });
}

#[test]
fn root_loses_its_privileges_by_securebits() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root can set securebits");
        }
        let options = ["--securebits", "noroot,noroot_locked"];
        assert_eq!(status(&options, "CapEff"), "0000000000000000");
    });
}

#[test]
fn session_keyring_is_a_new_one() {
    isolated(|| {
        let keyring = |options: &[&str]| {
            let output = forkexec(&["run"])
                .args(options)
                .args(["--", "/bin/cat", "/proc/keys"])
                .output()
                .expect("it starts");
            said(&output)
        };
        let (code, _, complaint) = keyring(&["--session-keyring"]);
        if code != Some(0) {
            // A container refuses keyctl(2). The error names the operation.
            assert!(complaint.contains("cannot create a session keyring"), "{complaint}");
            return skip("keyctl(2) is refused");
        }
        assert_ne!(keyring(&["--session-keyring"]).1, keyring(&["--session-keyring"]).1);
    });
}

const EXECUTE: u64 = 1;

/// Without a rule, a ruleset permits nothing of what it handles.
#[test]
fn ruleset_of_a_descriptor_is_enforced() {
    isolated(|| {
        let handled = EXECUTE;
        // SAFETY: the kernel reads 8 bytes.
        let fd = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, 8_usize, 0) };
        #[expect(clippy::allow_attributes, reason = "the width of the answer differs by architecture")]
        #[allow(clippy::useless_conversion)]
        let Some(fd) = i32::try_from(fd).ok().filter(|&fd| fd >= 0) else {
            return skip("there is no Landlock");
        };
        // SAFETY: the descriptor is new and has no other owner.
        let ruleset = unsafe { OwnedFd::from_raw_fd(fd) };
        let ruleset = world::place(ruleset, 9);
        let options = ["run", "--no-new-privs", "--landlock", &ruleset.as_raw_fd().to_string(), "/bin/true"];
        let (code, _, complaint) = said(&forkexec(&options).output().expect("it starts"));
        assert_eq!(code, Some(126));
        assert!(complaint.contains("Permission denied"), "{complaint}");
    });
}

/// Instructions as seccomp_export_bpf(3) writes them: `code`, `jt`, `jf`, `k`.
fn filter(program: &[(u16, u8, u8, u32)]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file can be made");
    for &(code, jt, jf, k) in program {
        let instruction = [&code.to_ne_bytes()[..], &[jt, jf], &k.to_ne_bytes()].concat();
        file.write_all(&instruction).expect("it can be written");
    }
    file
}

#[rstest]
fn filter_of_a_file_is_installed(#[values(&[][..], &["--seccomp-log"])] more: &[&str]) {
    isolated(|| {
        let uname = u32::try_from(libc::SYS_uname).expect("a number of a call");
        let filter = filter(&[
            (0x20, 0, 0, 0),
            (0x15, 0, 1, uname),
            (6, 0, 0, 0x0005_0000 | 5),
            (6, 0, 0, 0x7fff_0000),
        ]);
        let path = filter.path().to_str().expect("its name is text");
        let options = [&["run", "--no-new-privs", "--seccomp", path], more].concat();
        let output = forkexec(&options).args(["--", "/bin/uname"]).output().expect("it starts");
        let (code, out, complaint) = said(&output);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert!(complaint.contains("Input/output error"), "{complaint}");
    });
}

#[test]
fn filter_that_ends_within_an_instruction_is_refused() {
    isolated(|| {
        let mut filter = filter(&[(6, 0, 0, 0x7fff_0000)]);
        filter.write_all(b"x").expect("it can be written");
        let path = filter.path().to_str().expect("its name is text");
        let (code, _, complaint) =
            said(&forkexec(&["run", "--seccomp", path, "/no/such"]).output().expect("it starts"));
        assert_eq!(code, Some(125));
        let text =
            format!("--seccomp {path}: cannot install the seccomp filter: 9 bytes are not a multiple of 8");
        assert!(complaint.contains(&text), "{complaint}");
    });
}

/// A file is opened after all descriptors are borrowed, so it cannot be mistaken for one.
#[test]
fn file_of_the_filter_is_no_descriptor_of_the_program() {
    isolated(|| {
        let filter = filter(&[(6, 0, 0, 0x7fff_0000)]);
        let path = filter.path().to_str().expect("its name is text");
        let seen = crate::seen(&["--no-new-privs", "--seccomp", path]);
        assert_eq!(seen.fds, [0, 1, 2]);
    });
}

/// `exec` has the same options.
#[test]
fn exec_sets_attributes_in_place() {
    isolated(|| {
        let options = [
            "exec",
            "--oom-score-adj",
            "555",
            "--scheduler",
            "batch",
            "--",
            "/bin/cat",
            "/proc/self/oom_score_adj",
        ];
        assert_eq!(
            said(&forkexec(&options).output().expect("it starts")),
            (Some(0), "555\n".to_owned(), String::new())
        );
    });
}
