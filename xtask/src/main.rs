//! `cargo xtask`: the checks of this project under four names. The checks themselves are cargo's commands and the scripts in
//! `ci`, which also run by hand.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode};
use std::time::Instant;

/// A task of `cargo xtask`.
struct Task {
    name: &'static str,
    about: &'static str,
    /// The programs and rights that it needs, and its changes outside of the clone. Printed before the first step.
    needs: &'static str,
    steps: &'static [&'static [&'static str]],
}

const TASKS: &[Task] = &[
    Task {
        name: "check",
        about: "format, lints, the places of code, names, prose, links and generated pages",
        needs: "bash, Python 3.11 and shellcheck. It installs nothing and needs no root.",
        steps: &[
            &["cargo", "fmt", "--all", "--check"],
            &["cargo", "fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"],
            &[
                "cargo",
                "clippy",
                "--quiet",
                "--workspace",
                "--all-targets",
                "--all-features",
                "--locked",
                "--",
                "-Dwarnings",
            ],
            &["ci/check-rooms"],
            &["ci/check-sources"],
            &["ci/voice", "--check"],
            &["ci/check-scripts"],
            &["ci/check-named-tests"],
            &["ci/check-links"],
            &["ci/faults-table", "--check"],
            &["ci/errors-page", "--check"],
            &["ci/matrix.py", "check"],
            &["ci/workflow", "--check"],
            &["ci/platform-table", "--check"],
            &["ci/mutate", "--check"],
            &["ci/check-packages", "--manifests"],
        ],
    },
    Task {
        name: "test",
        about: "all suites on this system's kernel",
        needs: "a C compiler. It installs nothing. Tests that need root or a missing program are skipped and listed at the end.",
        steps: &[
            &["cargo", "test", "--workspace", "--quiet", "--locked"],
            &[
                "cargo",
                "test",
                "--quiet",
                "--locked",
                "--package",
                "forkexec-tests",
                "--features",
                "tokio",
                "--test",
                "tokio",
            ],
        ],
    },
    Task {
        name: "ci",
        about: "everything that a change must pass (.ci/run)",
        needs: "a Debian with root, and tens of minutes. It installs packages by apt-get, and keeps zig, actionlint and standard \
                libraries of other targets in ~/.cache/forkexec.",
        steps: &[&[".ci/run"]],
    },
    Task {
        name: "nightly",
        about: "the checks that take hours (.ci/nightly)",
        needs: "a Debian with root, and a night. Like ci it installs packages. It also boots kernels, makes roots of other Debian \
                releases, and builds cargo-fuzz, cargo-deny, cargo-deb, cargo-cyclonedx and mdbook.",
        steps: &[&[".ci/nightly"]],
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let name = arguments.first().map_or("", String::as_str);
    let Some(task) = TASKS.iter().find(|task| task.name == name && arguments.len() == 1) else {
        print!("{}", usage());
        return if name == "--help" { ExitCode::SUCCESS } else { ExitCode::from(2) };
    };
    match run(task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let tasks = TASKS.iter().map(|task| {
        let Task { name, about, needs, .. } = task;
        format!("\n  {name:8} {about}\n           Needs {needs}\n")
    });
    format!("usage: cargo xtask TASK\n{}", tasks.collect::<String>())
}

/// Runs the steps of a task, up to the first that fails.
fn run(task: &Task) -> io::Result<()> {
    println!("{}: needs {}", task.name, task.needs);
    let skipped = env::temp_dir().join(format!("xtask-skipped-{}", process::id()));
    fs::write(&skipped, "")?;
    let started = Instant::now();
    let result = task.steps.iter().try_for_each(|words| step(words, &skipped));
    if task.name == "test" {
        let lines = fs::read_to_string(&skipped)?;
        println!("skipped tests: {}\n{lines}", lines.lines().count());
    }
    fs::remove_file(&skipped)?;
    result?;
    println!("{}: passed after {:.1} s", task.name, started.elapsed().as_secs_f64());
    Ok(())
}

/// Runs a command in the root of the clone, and prints its time. Tests write the reason of each skip into the file `skipped`.
fn step(words: &[&str], skipped: &Path) -> io::Result<()> {
    let command = words.join(" ");
    let started = Instant::now();
    let status = Command::new(words[0])
        .args(&words[1..])
        .current_dir(root())
        .env("FORKEXEC_SKIPPED_LOG", skipped)
        .status()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot start {command}: {error}")))?;
    if !status.success() {
        return Err(io::Error::other(format!("{command}: {status}")));
    }
    println!("{:6.1} s  {command}", started.elapsed().as_secs_f64());
    Ok(())
}

/// The root of the clone, in which the scripts have their names.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_of_a_task_exists() {
        let scripts: Vec<_> =
            TASKS.iter().flat_map(|task| task.steps).filter(|words| words[0] != "cargo").collect();
        assert!(scripts.len() > 10, "{scripts:?}");
        for words in scripts {
            assert!(root().join(words[0]).is_file(), "{words:?}");
        }
    }

    #[test]
    fn usage_says_what_each_task_needs() {
        let usage = usage();
        for task in TASKS {
            assert!(usage.contains(task.needs), "{usage}");
        }
    }

    #[test]
    fn failing_step_is_named_with_its_status() {
        let none = Path::new("/dev/null");
        assert!(step(&["true"], none).is_ok());
        let error = step(&["false"], none).expect_err("it fails").to_string();
        assert_eq!(error, "false: exit status: 1");
    }
}
