//! Times a start with all attributes of Linux together, beside C code that makes the same calls: the median time of each, and
//! the median of the quotients within rounds, with 0 and 1 GiB of touched memory in the parent, without and with new namespaces. A new
//! user namespace is not among them: its child may not set supplementary groups.
//!
//! `taskset -c 1 cargo run --release -p forkexec-bench --example attributes [ROUNDS]`
//!
//! It needs root, a C compiler and Landlock. The exit code is 1 if a quotient with namespaces, which is with everything,
//! is above 1.10, or if a start forked.

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this benchmark is for Linux");
}

#[cfg(target_os = "linux")]
mod exits;

#[cfg(target_os = "linux")]
fn main() -> Result<std::process::ExitCode, Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use super::exits;
    use forkexec::{
        Capability, CapabilitySet, Command, IoPriority, MemoryPolicy, Namespace, Prepared, Scheduler,
        SeccompFilter, SpawnMethod,
    };
    use std::error::Error;
    use std::ffi::{CStr, CString, c_char, c_int, c_ulong};
    use std::fs::{self, Permissions};
    use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::time::{Duration, Instant};

    const NOBODY: u32 = 65_534;
    const GIB: usize = 1 << 30;
    const PAGE: usize = 4096;
    const HIGHEST: f64 = 1.10;
    /// The first processor that may run this process.
    const PROCESSORS: usize = c_ulong::BITS as usize;

    const NAMESPACES: [Namespace; 6] =
        [Namespace::Mount, Namespace::Pid, Namespace::Net, Namespace::Ipc, Namespace::Uts, Namespace::Cgroup];
    const NAMESPACE_FLAGS: c_int = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;

    type Spawn = unsafe extern "C" fn(*const c_char, c_ulong, c_int, c_int) -> c_int;

    pub(super) fn main() -> Result<ExitCode, Box<dyn Error>> {
        let rounds = std::env::args().nth(1).map_or(Ok(2_000), |rounds| rounds.parse())?;
        let directory = tempfile::tempdir()?;
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        let (program, spawn) = compiled(directory.path())?;
        let ruleset = ruleset()?;
        let cpu = processor().ok_or("no processor")?;
        println!("| memory | namespaces | forkexec (µs) | C (µs) | quotient |\n|---|---|---:|---:|---:|");
        let mut highest: f64 = 0.0;
        for (gib, kinds, flags) in [
            (0, &[][..], 0),
            (1, &[], 0),
            (0, &NAMESPACES, NAMESPACE_FLAGS),
            (1, &NAMESPACES, NAMESPACE_FLAGS),
        ] {
            let prepared = prepared(&program, &ruleset, cpu, kinds)?;
            let mut memory = vec![0_u8; gib * GIB];
            memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
            let [ours, bare, quotient] = measured(rounds, &prepared, || {
                let path = CString::new(program.as_os_str().as_bytes())?;
                // SAFETY: the path is a C string, and the descriptor of the ruleset is open.
                match unsafe { spawn(path.as_ptr(), 1 << cpu, ruleset.as_raw_fd(), flags) } {
                    0 => Ok(()),
                    errno => Err(std::io::Error::from_raw_os_error(errno).into()),
                }
            })?;
            println!("| {gib} GiB | {} | {ours:.1} | {bare:.1} | {quotient:.3} |", kinds.len());
            if !kinds.is_empty() {
                highest = highest.max(quotient);
            }
            drop(memory);
        }
        Ok(if highest <= HIGHEST { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn prepared(
        program: &Path,
        ruleset: &OwnedFd,
        cpu: usize,
        namespaces: &[Namespace],
    ) -> Result<Prepared<'static>, Box<dyn Error>> {
        const ALLOW: (u16, u8, u8, u32) = (0x06, 0, 0, 0x7fff_0000);
        let mut command = Command::new(program);
        command
            .unshare(namespaces.iter().copied())
            .setsid()
            .autogroup_nice(5)
            .memory_policy(MemoryPolicy::Preferred, [0]);
        command.cpu_affinity([cpu]).scheduler(Scheduler::Batch).io_priority(IoPriority::Idle);
        command.timer_slack(Duration::from_millis(1)).oom_score_adj(500).fixed_addresses();
        command.bounding_capabilities(CapabilitySet::ALL.without(Capability::CHOWN)).securebits(0);
        command.uid(NOBODY).gid(NOBODY).groups([]).ambient_capabilities([Capability::NET_BIND_SERVICE]);
        // SAFETY: the ruleset is open until this process ends.
        let ruleset = unsafe { BorrowedFd::borrow_raw(ruleset.as_raw_fd()) };
        command.session_keyring().no_new_privs().landlock(ruleset).seccomp(SeccompFilter::new([ALLOW]));
        Ok(command.into_prepared()?)
    }

    /// Returns both medians and that of the quotients.
    fn measured(
        rounds: usize,
        prepared: &Prepared<'_>,
        bare: impl Fn() -> Result<(), Box<dyn Error>>,
    ) -> Result<[f64; 3], Box<dyn Error>> {
        let ours = || -> Result<(), Box<dyn Error>> {
            let mut child = prepared.spawn()?;
            let is_fast = child.method() == SpawnMethod::Shared;
            if child.wait()?.success() && is_fast { Ok(()) } else { Err("it failed, or forked".into()) }
        };
        let time = |spawn: &dyn Fn() -> Result<(), Box<dyn Error>>| -> Result<f64, Box<dyn Error>> {
            let start = Instant::now();
            spawn()?;
            Ok(start.elapsed().as_secs_f64() * 1e6)
        };
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..rounds + 100 {
            let (one, other) = if round % 2 == 0 {
                let one = time(&ours)?;
                (one, time(&bare)?)
            } else {
                let other = time(&bare)?;
                (time(&ours)?, other)
            };
            if round >= 100 {
                times.iter_mut().zip([one, other, one / other]).for_each(|(times, time)| times.push(time));
            }
        }
        Ok(times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        }))
    }

    /// Compiles the program that exits at once, and the C code.
    fn compiled(directory: &Path) -> Result<(PathBuf, Spawn), Box<dyn Error>> {
        let program = exits::program(directory)?;
        let library = exits::compile(directory, "attributes", &["-shared", "-fPIC"])?;
        let name = CString::new(library.as_os_str().as_bytes())?;
        // SAFETY: the name is a C string, and the object has no initializers.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        let symbol: &CStr = c"attributes_spawn";
        // SAFETY: the handle is that of an open object or null, for which no symbol is found.
        let address = unsafe { libc::dlsym(handle, symbol.as_ptr()) };
        if address.is_null() {
            return Err("the C code cannot be loaded".into());
        }
        // SAFETY: `attributes.c` declares the function with this signature.
        Ok((program, unsafe { std::mem::transmute::<*mut libc::c_void, Spawn>(address) }))
    }

    /// A ruleset that forbids to make block devices.
    fn ruleset() -> Result<OwnedFd, Box<dyn Error>> {
        const MAKE_BLOCK: u64 = 1 << 11;
        let handled = MAKE_BLOCK;
        // SAFETY: the kernel reads 8 bytes.
        let fd = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, 8_usize, 0) };
        let fd = i32::try_from(fd).ok().filter(|&fd| fd >= 0).ok_or("there is no Landlock")?;
        // SAFETY: the descriptor is new and has no other owner.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    fn processor() -> Option<usize> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        list.trim().split(['-', ',']).next()?.parse().ok().filter(|&cpu| cpu < PROCESSORS)
    }
}
