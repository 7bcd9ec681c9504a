//! Restricted places: without `/proc`, with a false `/proc`, in a bare chroot.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world::{self, false_proc, open_many, without_proc};
use serde_json::Value;
use tempfile::TempDir;

use crate::{answer, forkexec, reported, said, seen, text};

#[test]
fn commands_work_without_proc() {
    isolated(|| {
        if let Err(reason) = without_proc() {
            return skip(&reason);
        }
        let _held = open_many(20);
        for link in ["bulk", "enumerate", "loop"] {
            assert_eq!(seen(&["--close-strategy", link, "--keep", "5"]).fds, [0, 1, 2, 5]);
        }
        let (_, _, report) = answer(&["run", "--close-strategy", "enumerate", "--report", "/bin/true"]);
        assert!(report.contains(", close method loop\n"), "{report}");

        let (code, table, note) = answer(&["fds"]);
        assert_eq!((code, table.lines().count()), (Some(0), 1 + 3 + 20), "{table}");
        assert!(note.contains("fds: note: /proc/self/fd is missing: targets are unknown"), "{note}");
        let (code, _, complaint) = answer(&["fds", "1"]);
        assert_eq!(code, Some(125));
        assert!(complaint.contains("cannot list the descriptors of process 1: /proc/1/fd: "), "{complaint}");

        let (code, table, _) = answer(&["doctor"]);
        assert_eq!(code, Some(0));
        let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("ENOENT: No such file or directory"), "{table}");
        assert!(table.ends_with("children get exactly the named descriptors\n"), "{table}");
    });
}

#[test]
fn false_proc_is_not_trusted() {
    isolated(|| {
        let directory = TempDir::new().expect("a directory can be made");
        if let Err(reason) = false_proc(directory.path()) {
            return skip(&reason);
        }
        let _held = open_many(20);
        assert_eq!(seen(&["--close-strategy", "enumerate"]).fds, [0, 1, 2]);
        let (code, json, _) = answer(&["doctor", "--json"]);
        let found: Value = serde_json::from_str(&json).expect("it is JSON");
        let trials = found["trials"].as_array().expect("it is a list");
        assert!(trials.iter().any(|trial| trial["outcome"] == "untrusted"), "{found}");
        assert_eq!((code, &found["close_strategy"]), (Some(0), &"bulk".into()));
        let (_, table, _) = answer(&["fds"]);
        assert_eq!(table.lines().count(), 1 + 3 + 20, "{table}");
    });
}

#[test]
fn commands_work_in_a_bare_chroot() {
    isolated(|| {
        if !world::is_root() {
            return skip("only root may change the root");
        }
        let root = world::empty_chroot();
        if let Err(error) = furnish(root.path()) {
            return skip(&format!("the command cannot be copied with its libraries: {error}"));
        }
        let inside = |args: &[&str]| {
            let mut command = forkexec(&["run", "--inherit-all", "--chroot"]);
            command.arg(root.path()).arg("/forkexec").args(args);
            command
        };
        let say = |args: &[&str]| said(&inside(args).output().expect("it starts"));
        let _held = open_many(20);

        let seen = reported(&mut inside(&["run", "--keep", "5", "--", "/probe", "report"]));
        assert_eq!(seen.fds, [0, 1, 2, 5]);
        assert_eq!(say(&["run", "--stdin", "closed", "/probe", "exit", "9"]).0, Some(9));
        assert_eq!(say(&["run", "nosuch"]).0, Some(127));
        let (code, _, complaint) = say(&["run", "--stdin", "null", "/probe", "true"]);
        assert_eq!(code, Some(125));
        assert!(complaint.contains("cannot open /dev/null: No such file or directory"), "{complaint}");

        let (code, table, _) = say(&["fds"]);
        assert_eq!((code, table.lines().count()), (Some(0), 1 + 3 + 20), "{table}");
        let (code, table, _) = say(&["doctor"]);
        assert_eq!(code, Some(0));
        assert!(table.ends_with("children get exactly the named descriptors\n"), "{table}");
    });
}

/// Copies the command and its shared libraries to the same paths below `root`.
fn furnish(root: &Path) -> io::Result<()> {
    let command = Path::new(env!("CARGO_BIN_EXE_forkexec"));
    fs::copy(command, root.join("forkexec"))?;
    let listed = Command::new("ldd").arg(command).output()?;
    for library in text(&listed.stdout).split_whitespace().filter(|word| word.starts_with('/')) {
        let copy = root.join(&library[1..]);
        fs::create_dir_all(copy.parent().unwrap_or(root))?;
        fs::copy(library, copy)?;
    }
    Ok(())
}
