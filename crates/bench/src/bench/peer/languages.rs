//! Peers in other languages. Each is a program that uses the protocol.

use super::Peers;
use crate::bench::Failure;
use crate::bench::toolbox::{Toolbox, run};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

type Found = Result<(String, Vec<OsString>), Failure>;

/// Builds the workers and adds them.
pub(super) fn find(toolbox: &Toolbox, peers: &mut Peers) {
    let pythons = pythons();
    for (id, program) in &pythons {
        peers.add(id, "CPython subprocess", || python(toolbox, program));
    }
    if pythons.is_empty() {
        peers.add("python", "CPython subprocess", || python(toolbox, Path::new("python3")));
    }
    peers.add("go", "Go os/exec", || go(toolbox));
    peers.add("node", "Node child_process.spawn", || node(toolbox));
    peers.add("java", "Java ProcessBuilder", || java(toolbox, None));
    peers.add("java-vfork", "Java ProcessBuilder, launchMechanism=VFORK", || java(toolbox, Some("VFORK")));
}

/// Returns the two newest versions that pyenv has, and the oldest.
fn pythons() -> Vec<(String, PathBuf)> {
    let Some(home) = std::env::home_dir() else { return Vec::new() };
    let versions = std::fs::read_dir(home.join(".pyenv/versions"));
    let mut found: Vec<(u32, PathBuf)> = versions
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let minor = name.strip_prefix("3.")?.split('.').next()?.parse().ok()?;
            Some((minor, entry.path().join("bin/python3")))
        })
        .collect();
    found.sort();
    if found.len() > 3 {
        found.drain(1..found.len() - 2);
    }
    found.into_iter().rev().map(|(minor, path)| (format!("python3.{minor}"), path)).collect()
}

fn python(toolbox: &Toolbox, program: &Path) -> Found {
    let version =
        run(Command::new(program).args(["-c", "import platform; print(platform.python_version())"]))?;
    let script = toolbox.file("worker.py", include_str!("../../../workers/worker.py"))?;
    Ok((version, vec![program.into(), script.into()]))
}

fn go(toolbox: &Toolbox) -> Found {
    let version = run(toolbox.command("go").arg("version"))?;
    let source = toolbox.file("worker.go", include_str!("../../../workers/worker.go"))?;
    let made = toolbox.path().join("go-worker");
    let mut build = toolbox.command("go");
    build.args(["build", "-o"]).arg(&made).arg(source);
    run(build.env("GO111MODULE", "off").env("GOCACHE", toolbox.path().join("go-cache")))?;
    let version = version.split_whitespace().nth(2).unwrap_or_default().trim_start_matches("go").to_owned();
    Ok((version, vec![made.into()]))
}

fn node(toolbox: &Toolbox) -> Found {
    let version = run(toolbox.command("node").arg("--version"))?;
    let script = toolbox.file("worker.js", include_str!("../../../workers/worker.js"))?;
    Ok((version.trim_start_matches('v').to_owned(), vec!["node".into(), script.into()]))
}

fn java(toolbox: &Toolbox, mechanism: Option<&str>) -> Found {
    let version = run(toolbox.command("javac").arg("--version"))?;
    let source = toolbox.file("Worker.java", include_str!("../../../workers/Worker.java"))?;
    run(toolbox.command("javac").arg("-d").arg(toolbox.path()).arg(source))?;
    let mut command: Vec<OsString> = vec!["java".into(), "-XX:MaxDirectMemorySize=64g".into()];
    command.extend(mechanism.map(|name| format!("-Djdk.lang.Process.launchMechanism={name}").into()));
    command.extend(["-cp".into(), toolbox.path().into(), "Worker".into()]);
    Ok((version.trim_start_matches("javac ").to_owned(), command))
}
