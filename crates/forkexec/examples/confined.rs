//! A sandbox without privileges: a program that sees no process, no network and no file but those of the system, cannot write, and
//! cannot trace. All of it is data, and costs no fork.
//!
//! Run it as any user with `cargo run --example confined`. It needs Linux. If the kernel or a container refuses a part, the error
//! names it.

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use forkexec::{Command, Namespace, Resource, SeccompFilter, Stdio};
    use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, path_beneath_rules};
    use seccompiler::{BpfProgram, SeccompAction};

    // Every file right is handled, and only reading below these directories is permitted.
    let directories = ["/bin", "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/proc"];
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(ABI::V1))?.create()?;
    let ruleset = ruleset.add_rules(path_beneath_rules(directories, AccessFs::from_read(ABI::V1)))?;
    let ruleset: Option<std::os::fd::OwnedFd> = ruleset.into();

    let forbidden = [libc::SYS_ptrace, libc::SYS_mount, libc::SYS_bpf].map(|call| (call, Vec::new()));
    let [allow, refuse] = [SeccompAction::Allow, SeccompAction::Errno(libc::EPERM.unsigned_abs())];
    let target = std::env::consts::ARCH.try_into()?;
    let rules = seccompiler::SeccompFilter::new(forbidden.into_iter().collect(), allow, refuse, target)?;
    let filter: BpfProgram = rules.try_into()?;

    let script =
        "id -u; echo $$; ls /root /home /tmp 2>&1; cat /proc/net/dev | wc -l; ulimit -n; echo > /tmp/x";
    let mut program = Command::new("sh");
    program
        .args(["-c", script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::null());
    program.unshare(Namespace::ALL).map_user(65_534).map_group(65_534);
    program.no_new_privs().seccomp(SeccompFilter::new(filter.iter().map(|it| (it.code, it.jt, it.jf, it.k))));
    program.landlock(ruleset.ok_or("this kernel has no Landlock")?);
    program.rlimit(Resource::NOFILE, Some(64), Some(64)).rlimit(Resource::CORE, Some(0), Some(0));
    program.setsid().die_with_parent(libc::SIGKILL);
    match program.status() {
        Ok(status) => println!("the program ended: {status}"),
        Err(error) => println!("the sandbox is refused here: {error}"),
    }
    Ok(())
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
)))]
fn main() {
    println!("this example is for Linux on x86_64, aarch64 and riscv64");
}
