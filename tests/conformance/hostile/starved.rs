//! Too few processes, too little address space, too little memory: a spawn succeeds, or names what is missing.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process;

use forkexec::{Command, Errno, Error, SpawnPolicy, Stage, Stdio};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::{probe, world};
use rstest::rstest;

use super::namespaces::{Namespaces, inside};
use crate::ground::{NOBODY, as_root, check, is_emulated, is_privileged};

/// The stage and the errno of a start that came to nothing.
fn told(error: &Error) -> Option<(Stage, Errno)> {
    error.as_spawn().map(|error| (error.stage(), error.errno()))
}

/// The user has as many processes as the limit allows, so that no child can start until one ends.
///
/// Faults: E16
#[rstest]
fn spawn_at_the_process_limit_of_the_user_fails_clearly(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    as_root(|| {
        let root = world::empty_chroot();
        let mut command = Command::new(root.path().join("probe"));
        command.arg("true").spawn_policy(launch).current_dir("/");
        let done = inside(Namespaces::NONE, || {
            let user = NOBODY - 23;
            // SAFETY: changes the calling process alone, which is the test's own.
            check(unsafe { libc::setresuid(user, user, user) });
            world::set_limit(libc::RLIMIT_NPROC, 1, 64).expect("a limit can be lowered");
            for _ in 0..2 {
                let error = command.spawn().expect_err("the limit is reached");
                assert_eq!(told(&error), Some((Stage::Start, Errno::AGAIN)), "{error}");
            }
            world::set_limit(libc::RLIMIT_NPROC, 64, 64).expect("a soft limit can be raised");
            assert!(command.status().expect("it starts").success(), "nothing was learned from it");
        });
        done.expect("no namespace is asked for");
    });
}

/// Pages of address space that this process has (proc(5), `statm`).
fn address_space() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("a process can be read");
    let pages: u64 =
        text.split(' ').next().and_then(|pages| pages.parse().ok()).expect("a number comes first");
    // SAFETY: the call reads about the calling process and changes nothing.
    pages * u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a page has a size")
}

/// Limits the address space to this many bytes above its present size, in a process that has not spawned yet: the stack
/// for children is not mapped yet.
fn start_with_room(launch: SpawnPolicy, room: u64) -> bool {
    let mut started = false;
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe can be made");
    let done = inside(Namespaces::NONE, || {
        let mut command = probe::command(&["true"]);
        command.spawn_policy(launch);
        let prepared = command.prepare().expect("it means something");
        let (_, hard) = world::limit(libc::RLIMIT_AS).expect("the limit is known");
        world::set_limit(libc::RLIMIT_AS, address_space() + room, hard).expect("a limit can be lowered");
        let spawned = prepared.spawn();
        world::set_limit(libc::RLIMIT_AS, hard, hard).expect("a soft limit can be raised");
        let answer = match spawned {
            Ok(mut child) => child.wait().expect("it ends").success(),
            Err(error) => {
                let told = told(&error);
                let lacks = [Stage::Setup, Stage::Start].map(|stage| Some((stage, Errno::NOMEM)));
                assert!(lacks.contains(&told), "{error}: {told:?}");
                false
            }
        };
        assert!(prepared.status().expect("there is room again").success());
        writer.write_all(&[u8::from(answer)]).expect("the parent reads it");
    });
    done.expect("no namespace is asked for");
    drop(writer);
    let mut answer = [0];
    std::io::Read::read_exact(&mut reader, &mut answer).expect("the child wrote it");
    started |= answer == [1];
    started
}

/// Faults: E16
#[rstest]
fn spawn_fails_only_without_enough_address_space(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if is_emulated("has its own address space") {
            return;
        }
        if address_space() > 1 << 40 {
            return skip("a sanitizer has reserved most of the address space");
        }
        let rooms = [0, 4, 8, 16, 64, 96, 124, 128, 132, 192, 256, 1024, 4096];
        let started = rooms.map(|kib| start_with_room(launch, kib << 10));
        println!("{launch:?}: {rooms:?} KiB of room: {started:?}");
        assert!(started.is_sorted(), "more room is no hindrance: {started:?}");
        assert_eq!((started[0], started[rooms.len() - 1]), (false, true));
    });
}

/// A control group for memory, of the first or the second version, which goes when it is dropped.
struct MemoryGroup {
    path: PathBuf,
    limit: &'static str,
}

impl MemoryGroup {
    fn new() -> Result<Self, String> {
        let name = format!("forkexec-{}", process::id());
        let second = fs::read_to_string("/sys/fs/cgroup/cgroup.subtree_control");
        let (root, limit) = match second {
            Ok(controllers) if controllers.contains("memory") => ("/sys/fs/cgroup", "memory.max"),
            _ => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        };
        let path = Path::new(root).join(name);
        fs::create_dir(&path).map_err(|error| format!("no control group for memory can be made: {error}"))?;
        Ok(Self { path, limit })
    }

    fn set(&self, bytes: u64) {
        fs::write(self.path.join(self.limit), bytes.to_string()).expect("nobody is in it");
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

/// The child of a big parent enters the group in a closure, and the kernel ends it when there is no more memory: before exec, in
/// it, or after it.
///
/// Faults: E9, E11
#[test]
fn child_out_of_memory_is_reported_by_error_or_status() {
    isolated(|| {
        if !is_privileged() || is_emulated("takes memory of its own") {
            return;
        }
        let group = match MemoryGroup::new() {
            Ok(group) => group,
            Err(reason) => return skip(&reason),
        };
        let ballast = vec![1_u8; 64 << 20];
        let (mut ran, mut refused) = (Vec::new(), Vec::new());
        for kib in [0_u64, 64, 128, 256, 512, 1024, 2048, 4096, 32_768] {
            group.set(kib << 10);
            let procs =
                fs::File::options().write(true).open(group.path.join("cgroup.procs")).expect("it is there");
            let mut command = Command::new(probe::path());
            command.args(["touch", "1"]).stderr(Stdio::null());
            // SAFETY: one write from valid memory.
            unsafe { command.pre_exec(move || (&procs).write_all(b"0")) };
            match command.spawn() {
                Ok(mut child) => ran.push((kib, child.wait().expect("it ends").success())),
                Err(error @ (Error::Spawn(_) | Error::Died { .. })) => refused.push((kib, error.to_string())),
                Err(other) => panic!("{kib} KiB: {other:?}"),
            }
        }
        std::hint::black_box(&ballast);
        println!("ran, and whether to the end: {ran:?}; did not start: {refused:?}");
        assert_eq!(ran.last(), Some(&(32_768, true)), "there is enough");
        let starved = refused.len() + ran.iter().filter(|(_, to_the_end)| !to_the_end).count();
        assert!(starved > 0, "there is nothing without memory: {ran:?}");
    });
}
