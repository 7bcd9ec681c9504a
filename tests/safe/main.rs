//! Programs of safe code that try to use resources of others: the compiler refuses each.
//!
//! `programs` has one file for each attempt, with the fault that it tries and the errors that it must get. Without
//! `unsafe` there is no other access to a descriptor, a process or a child's code, so that an accepted program is a
//! hole.

#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use rstest::rstest;

/// The crates that a program may use, by their directories.
const CRATES: [(&str, &str); 10] = [
    ("forkexec", "crates/forkexec"),
    ("forkexec-apple", "platforms/apple"),
    ("forkexec-core", "crates/core"),
    ("forkexec-freebsd", "platforms/freebsd"),
    ("forkexec-linux", "platforms/linux"),
    ("forkexec-netbsd", "platforms/netbsd"),
    ("forkexec-openbsd", "platforms/openbsd"),
    ("forkexec-posix", "platforms/posix"),
    ("forkexec-solaris", "platforms/solaris"),
    ("forkexec-unix", "crates/unix"),
];

/// A program, and the keys in its head.
struct Program {
    name: String,
    path: PathBuf,
    text: String,
}

impl Program {
    fn all() -> Vec<Self> {
        let directory = repository().join("tests/safe/programs");
        let entries = fs::read_dir(directory).expect("the programs are there");
        let program = |path: PathBuf| Self {
            name: path.file_stem().expect("it has a name").to_string_lossy().into_owned(),
            text: fs::read_to_string(&path).expect("it can be read"),
            path,
        };
        entries.map(|entry| program(entry.expect("it is listed").path())).collect()
    }

    /// Returns the values of a key in its head.
    fn says(&self, key: &str) -> BTreeSet<&str> {
        let key = format!("//! {key}: ");
        self.text.lines().filter_map(|line| line.strip_prefix(&key)).collect()
    }

    fn needs_raw(&self) -> bool {
        self.says("Features").contains("raw")
    }
}

/// The compiler's errors for a program: how often each occurs.
type Errors = BTreeMap<String, usize>;

/// The errors of all programs, by their names.
static FOUND: LazyLock<BTreeMap<String, Errors>> = LazyLock::new(|| {
    let mut found = check(false);
    found.extend(check(true));
    found
});

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the repository")
}

/// Compiles the programs that need the feature `raw`, or the others.
fn check(raw: bool) -> BTreeMap<String, Errors> {
    let programs: Vec<Program> =
        Program::all().into_iter().filter(|program| program.needs_raw() == raw).collect();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(if raw { "safe-raw" } else { "safe" });
    fs::create_dir_all(&directory).expect("it can be made");
    fs::write(directory.join("Cargo.toml"), manifest(&programs, raw)).expect("it can be written");
    fs::copy(repository().join("Cargo.lock"), directory.join("Cargo.lock")).expect("it can be copied");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["check", "--offline", "--bins", "--keep-going", "--message-format=short"]);
    cargo.current_dir(&directory).env("CARGO_TARGET_DIR", directory.with_file_name("safe-target"));
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER"] {
        cargo.env_remove(name);
    }
    let output = cargo.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    // If a crate that they use fails, no program is compiled.
    assert!(said.contains("Checking forkexec-safe"), "{said}");
    let mut found: BTreeMap<String, Errors> = BTreeMap::new();
    for program in &programs {
        let file = format!("{}.rs:", program.name);
        let errors = said.lines().filter(|line| line.contains(&file)).filter_map(code);
        let counted = found.entry(program.name.clone()).or_default();
        errors.for_each(|code| *counted.entry(code.to_owned()).or_default() += 1);
    }
    found
}

/// The code in a line such as `a.rs:1:2: error[E0133]: call to unsafe function`.
fn code(line: &str) -> Option<&str> {
    line.split_once("error[")?.1.split_once(']').map(|(code, _)| code)
}

fn manifest(programs: &[Program], raw: bool) -> String {
    let mut text = "[package]\nname = \"forkexec-safe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
        [workspace]\n[dependencies]\n"
        .to_owned();
    for (name, place) in CRATES {
        let features = if raw && name == "forkexec" { ", features = [\"raw\"]" } else { "" };
        let path = repository().join(place);
        writeln!(text, "{name} = {{ path = {path:?}{features} }}").expect("a string takes all");
    }
    for Program { name, path, .. } in programs {
        writeln!(text, "[[bin]]\nname = {name:?}\npath = {path:?}").expect("a string takes all");
    }
    text
}

/// Faults: U1, U2, U4, U5, U6, U7
#[rstest]
fn safe_program_is_refused(#[values("U1", "U2", "U4", "U5", "U6", "U7")] fault: &str) {
    let programs: Vec<Program> =
        Program::all().into_iter().filter(|program| program.says("Fault").contains(fault)).collect();
    assert!(!programs.is_empty());
    for program in programs {
        let found = &FOUND[&program.name];
        let codes: BTreeSet<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(codes, program.says("Error"), "{}", program.name);
        if let Some(traits) = program.says("Unsafe traits").first() {
            assert_eq!(found["E0200"].to_string(), **traits, "{}", program.name);
        }
    }
}

#[test]
fn each_program_forbids_unsafe_code() {
    for program in Program::all() {
        assert!(program.text.contains("#![forbid(unsafe_code)]"), "{}", program.name);
        assert!(!program.text.contains("unsafe {"), "{}", program.name);
    }
}

/// The other programs are refused for their code, not for the way they are compiled.
#[test]
fn program_that_owns_its_fds_compiles() {
    assert_eq!(FOUND["control"], Errors::new());
}
