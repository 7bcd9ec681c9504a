//! Help, completions, manual pages, colours.

use std::collections::BTreeSet;
use std::fs;

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use crate::answer;

const SUBCOMMANDS: [&str; 7] = ["run", "exec", "doctor", "fds", "leaks", "completions", "man"];
const ESCAPE: char = '\u{1b}';

/// Options of `run`, one of each group.
const OPTIONS: [&str; 10] = [
    "--keep",
    "--stdin",
    "--env",
    "--chroot",
    "--block-signals",
    "--user",
    "--unshare",
    "--ambient-capabilities",
    "--cpus",
    "--report",
];

#[test]
fn each_subcommand_has_help_with_examples_and_codes() {
    for subcommand in SUBCOMMANDS {
        let (code, help, complaint) = answer(&[subcommand, "--help"]);
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{subcommand}");
        for heading in ["Usage: forkexec ", "Examples:", "Exit status:", "125  "] {
            assert!(help.contains(heading), "{subcommand}: no {heading} in {help}");
        }
    }
}

/// Collects the names of all members of an object.
fn members(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(object) => {
            object.iter().flat_map(|(name, value)| members(value).into_iter().chain([name.clone()])).collect()
        }
        Value::Array(items) => items.iter().flat_map(members).collect(),
        _ => BTreeSet::new(),
    }
}

#[rstest]
#[case::doctor("doctor", &["--json"])]
#[case::fds("fds", &["--json"])]
#[case::run("run", &["--report=json", "true"])]
#[case::leaks("leaks", &["--json", "--", "true"])]
fn help_names_each_member_of_the_json_output(#[case] subcommand: &str, #[case] args: &[&str]) {
    let (_, out, err) = answer(&[&[subcommand], args].concat());
    let json: Value = serde_json::from_str(&(out + &err)).expect("it is JSON");
    let (_, help, _) = answer(&[subcommand, "--help"]);
    let words: BTreeSet<_> = help.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let members = members(&json);
    assert!(members.len() > 2, "{members:?}");
    for member in members {
        assert!(words.contains(member.as_str()), "{member} is not in:\n{help}");
    }
}

#[test]
fn missing_subcommand_prints_help_and_exits_125() {
    let (code, out, complaint) = answer(&[]);
    assert_eq!((code, out.as_str()), (Some(125), ""));
    assert!(SUBCOMMANDS.iter().all(|subcommand| complaint.contains(subcommand)), "{complaint}");
}

#[test]
fn unknown_subcommand_is_a_usage_error() {
    let (code, _, complaint) = answer(&["rn"]);
    assert_eq!(code, Some(125));
    assert!(complaint.contains("unrecognized subcommand 'rn'"), "{complaint}");
}

#[test]
fn version_is_that_of_the_package() {
    let version = concat!("forkexec ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(answer(&["--version"]), (Some(0), version.to_owned(), String::new()));
}

#[rstest]
fn completions_know_each_subcommand(#[values("bash", "zsh", "fish", "elvish", "powershell")] shell: &str) {
    let (code, script, complaint) = answer(&["completions", shell]);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    for word in SUBCOMMANDS.iter().chain(&OPTIONS) {
        assert!(script.contains(word.trim_start_matches('-')), "no {word}");
    }
}

/// `argparse` of fish 3.1 knows no option without a letter (argparse(1): "/" or "-" after the letter).
#[test]
fn each_global_option_has_a_letter_for_old_fish() {
    let (_, script, _) = answer(&["completions", "fish"]);
    let line = script.lines().find_map(|line| line.trim().strip_prefix(r"string join \n "));
    let options: Vec<_> = line.expect("clap_complete writes the options so").split(' ').collect();
    assert!(options.iter().all(|option| matches!(option.as_bytes(), [_, b'/' | b'-', ..])), "{options:?}");
    assert!(options.contains(&"c-color="), "{options:?}");
}

#[test]
fn manual_page_names_each_subcommand() {
    let (code, page, complaint) = answer(&["man"]);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    assert!(page.contains(".TH forkexec 1"), "{page}");
    assert!(SUBCOMMANDS.iter().all(|name| page.contains(&format!("forkexec\\-{name}(1)"))), "{page}");
}

#[test]
fn each_subcommand_has_a_manual_page_with_its_options() {
    let directory = TempDir::new().expect("a directory can be made");
    let path = directory.path().join("new/man1");
    assert_eq!(
        answer(&["man", "--dir", path.to_str().expect("it is text")]),
        (Some(0), String::new(), String::new())
    );
    let page = |name: &str| fs::read_to_string(path.join(name)).expect("it was written");
    assert!(page("forkexec.1").contains(".SH EXAMPLES"));
    for name in SUBCOMMANDS {
        assert!(page(&format!("forkexec-{name}.1")).contains(".SH \"EXIT STATUS\""), "{name}");
    }
    let run = page("forkexec-run.1");
    for option in OPTIONS {
        assert!(run.contains(&option.replace('-', "\\-")), "no {option} in {run}");
    }
}

#[rstest]
#[case::fds(&["fds"])]
#[case::doctor(&["doctor"])]
#[case::help(&["--help"])]
#[case::help_of_a_subcommand(&["run", "--help"])]
#[case::usage_error(&["run", "--keep", "x", "y"])]
fn colours_are_for_terminals_or_on_request(#[case] args: &[&str]) {
    let escapes = |args: &[&str]| {
        let (_, out, complaint) = answer(args);
        (out + &complaint).contains(ESCAPE)
    };
    assert!(!escapes(args));
    assert!(!escapes(&[&["--color", "never"], args].concat()));
    assert!(escapes(&[&["--color", "always"], args].concat()));
}

/// JSON, completion scripts and manual pages have no colours.
#[test]
fn json_and_scripts_have_no_colours() {
    for args in [&["fds", "--json"][..], &["doctor", "--json"], &["completions", "bash"], &["man"]] {
        let (_, out, _) = answer(&[&["--color", "always"], args].concat());
        assert!(!out.contains(ESCAPE), "{args:?}");
    }
}
