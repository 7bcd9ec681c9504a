//! A program shut in: a root directory with nothing else in it, an id of nobody's, no new privileges, limits, a control group
//! of its own, and no descriptor but its output. All of it is data; no code of this program runs in the child.
//!
//! Run it with `cargo run --example sandbox`, as root: it is the program that it shuts in, which says what it finds there.
//! Without privileges it says what is left out. It needs Linux.

use forkexec::{Command, Resource, Stdio};
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::{env, io, process};

const NOBODY: u32 = 65_534;
const MIB: u64 = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("inside") { look_around() } else { shut_in() }
}

fn shut_in() -> Result<(), Box<dyn Error>> {
    let root = env::temp_dir().join(format!("forkexec-sandbox-{}", process::id()));
    let program = env::current_exe()?;
    furnish(&root)?;
    let group = control_group();

    let mut command = Command::new(&program);
    command
        .arg("inside")
        .env_clear()
        .stdin(Stdio::null())
        .setsid()
        .umask(0o077)
        .no_new_privs()
        .rlimit(Resource::NOFILE, Some(16), Some(16))
        .rlimit(Resource::CPU, Some(10), Some(10))
        .rlimit(Resource::FSIZE, Some(MIB), Some(MIB))
        .rlimit(Resource::CORE, Some(0), Some(0));
    if is_root()? {
        command.chroot(&root).uid(NOBODY).gid(NOBODY).groups([]);
    } else {
        println!("not root: no change of root directory and ids");
    }
    match &group {
        Ok(group) => drop(command.cgroup(group)),
        Err(error) => println!("no control group: {error}"),
    }
    let status = command.status();

    if let Ok(group) = &group {
        fs::remove_dir(group)?;
    }
    fs::remove_dir_all(&root)?;
    if status?.success() { Ok(()) } else { Err("the program failed in the sandbox".into()) }
}

/// This program and the libraries that it is made of, as the kernel has them in memory. The loader is among them, which the
/// program names by a path of its own.
fn furnish(root: &Path) -> io::Result<()> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let files: BTreeSet<_> = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..])).collect();
    for file in files.into_iter().map(Path::new) {
        put(file, file, root)?;
        let name = file.file_name().unwrap_or_default();
        for other in ["/lib", "/lib64"].map(|directory| Path::new(directory).join(name)) {
            if other.exists() {
                put(file, &other, root)?;
            }
        }
    }
    Ok(())
}

/// Copies a file to a path below the new root.
fn put(file: &Path, path: &Path, root: &Path) -> io::Result<()> {
    let copy = root.join(path.strip_prefix("/").unwrap_or(path));
    fs::create_dir_all(copy.parent().unwrap_or(root))?;
    fs::copy(file, copy).map(drop)
}

/// A new leaf in the hierarchy of control groups, version 2, with at most 16 processes where that controller is on.
fn control_group() -> io::Result<PathBuf> {
    let group = Path::new("/sys/fs/cgroup").join(format!("forkexec-sandbox-{}", process::id()));
    fs::metadata("/sys/fs/cgroup/cgroup.procs")?;
    fs::create_dir(&group)?;
    let _ = fs::write(group.join("pids.max"), "16");
    Ok(group)
}

fn is_root() -> io::Result<bool> {
    Ok(fs::read_to_string("/proc/self/status")?.lines().any(|line| line.starts_with("Uid:\t0\t0")))
}

/// What the shut-in program finds. It has no /proc any more.
fn look_around() -> Result<(), Box<dyn Error>> {
    let entries: Result<Vec<_>, _> =
        fs::read_dir("/")?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    println!("the root directory holds {:?}", entries?);
    println!("the environment holds {} variables", env::vars_os().count());
    let written = fs::write("/tmp-file", "anything").map_err(|error| error.kind());
    println!("a file in the root directory: {written:?}");
    let opened: Vec<_> = (0..20).map_while(|_| fs::File::open("/").ok()).collect();
    println!("{} files can be open beside 0, 1 and 2", opened.len());
    Ok(())
}
