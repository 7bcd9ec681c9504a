//! A program in a sandbox: a root directory that contains only this program, the ids of `nobody`, no new
//! privileges, limits, a control group of its own, and no descriptor but its output. All of it is data: no
//! code of this program runs in the child.
//!
//! Run it as root with `cargo run --example sandbox`. It needs Linux. The program in the sandbox is the
//! example itself, which prints what it finds there. Without privileges the example prints what it leaves
//! out.

use forkexec::{Command, Resource, Stdio};
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::{env, io, process};

const NOBODY: u32 = 65_534;
const MIB: u64 = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("inside") { print_surroundings() } else { run_sandbox() }
}

fn run_sandbox() -> Result<(), Box<dyn Error>> {
    let root = env::temp_dir().join(format!("forkexec-sandbox-{}", process::id()));
    let program = env::current_exe()?;
    populate(&root)?;
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

/// Copies this program and its libraries, as the kernel has mapped them. The list includes the loader, whose
/// path in the program may differ.
fn populate(root: &Path) -> io::Result<()> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let files: BTreeSet<_> = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..])).collect();
    for file in files.into_iter().map(Path::new) {
        copy_to(file, file, root)?;
        let name = file.file_name().unwrap_or_default();
        for other in ["/lib", "/lib64"].map(|directory| Path::new(directory).join(name)) {
            if other.exists() {
                copy_to(file, &other, root)?;
            }
        }
    }
    Ok(())
}

/// Copies a file to a path below the new root.
fn copy_to(file: &Path, path: &Path, root: &Path) -> io::Result<()> {
    let copy = root.join(path.strip_prefix("/").unwrap_or(path));
    fs::create_dir_all(copy.parent().unwrap_or(root))?;
    fs::copy(file, copy).map(drop)
}

/// Creates a control group (version 2), limited to 16 processes if the pids controller is enabled.
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

/// Prints what the program finds in the sandbox. There is no /proc.
fn print_surroundings() -> Result<(), Box<dyn Error>> {
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
