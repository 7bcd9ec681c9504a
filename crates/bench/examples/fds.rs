//! Times `forkexec::fds` beside the crate `close_fds`: medians in µs, and the median of the quotients within rounds.
//!
//! `cargo run --release -p forkexec-bench --example fds [ROUNDS]`
//!
//! Each call runs in a forked child of its own, which measures it and reports through a pipe. Before that, the child makes the
//! same call for numbers that are not open, so that the code of both is in memory. In each round both libraries have a turn,
//! in alternating order. Needs a hard limit of 19,100 descriptors.

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this benchmark is for Linux");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use forkexec::fds::{self, AllFds};
    use std::error::Error;
    use std::fs::File;
    use std::hint::black_box;
    use std::io::{self, Read, Write};
    use std::time::Instant;

    const AMOUNTS: [usize; 3] = [10, 1_000, 19_000];
    /// Kept descriptors in no order.
    const KEEP: [i32; 3] = [9, 5, 7];
    const SORTED: [i32; 3] = [5, 7, 9];

    struct Task {
        name: &'static str,
        /// The calls that fail with `EPERM`.
        refused: &'static [libc::c_long],
        keep: &'static [i32],
        ours: fn(&AllFds),
        /// The first number, and the kept ones.
        theirs: fn(i32, &[i32]),
    }

    const BULK: libc::c_long = libc::SYS_close_range;
    const LIST: libc::c_long = libc::SYS_openat;

    const CLOSE: Task = Task {
        name: "close all from 3 up",
        refused: &[],
        keep: &[],
        // SAFETY: a forked child runs this, and exits.
        ours: |fds| assert!(unsafe { fds.close() }.is_ok()),
        // SAFETY: as above.
        theirs: |first, keep| unsafe { close_fds::close_open_fds(first, keep) },
    };

    const MARK: Task = Task {
        name: "mark all from 3 up close-on-exec",
        // SAFETY: as above.
        ours: |fds| assert!(unsafe { fds.set_cloexec(true) }.is_ok()),
        theirs: close_fds::set_fds_cloexec,
        ..CLOSE
    };

    const TASKS: [Task; 9] = [
        CLOSE,
        Task { name: "close all but three, in order", keep: &SORTED, ..CLOSE },
        Task { name: "close all but three, in any order", keep: &KEEP, ..CLOSE },
        MARK,
        Task { name: "mark all but three, in order", keep: &SORTED, ..MARK },
        Task { name: "mark all but three, in any order", keep: &KEEP, ..MARK },
        Task { name: "close all but three, close_range refused", keep: &SORTED, refused: &[BULK], ..CLOSE },
        Task {
            name: "close all but three, /proc refused, too",
            keep: &SORTED,
            refused: &[BULK, LIST],
            ..CLOSE
        },
        Task {
            name: "list, ours with kind, path and flags",
            ours: |_| drop(black_box(fds::list().expect("they can be listed"))),
            theirs: |first, _| drop(black_box(close_fds::iter_open_fds(first).collect::<Vec<_>>())),
            ..CLOSE
        },
    ];

    /// No descriptor has so high a number, and no loop goes so far.
    const FAR: i32 = 1 << 20;

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let rounds = std::env::args().nth(1).map_or(Ok(100), |rounds| rounds.parse())?;
        raise_limit()?;
        println!("{:<48}{:>8} {:>12} {:>12} {:>10}", "", "open", "forkexec", "close_fds", "quotient");
        for task in TASKS {
            for amount in AMOUNTS {
                let open: Vec<File> =
                    (0..amount).map(|_| File::open("/dev/null")).collect::<Result<_, _>>()?;
                let [ours, theirs, quotient] = measure(&task, rounds)?;
                println!("{:<48}{amount:>8} {ours:>12.1} {theirs:>12.1} {quotient:>10.2}", task.name);
                drop(open);
            }
        }
        Ok(())
    }

    fn measure(task: &Task, rounds: usize) -> io::Result<[f64; 3]> {
        let mut all = [Vec::new(), Vec::new(), Vec::new()];
        let [near, far] = [3, FAR].map(|first| AllFds::starting_at(first).except(task.keep.iter().copied()));
        let ours = |is_warm: bool| (task.ours)(if is_warm { &near } else { &far });
        let theirs = |is_warm: bool| (task.theirs)(if is_warm { 3 } else { FAR }, task.keep);
        for round in 0..rounds {
            let (ours, theirs) = if round % 2 == 0 {
                let ours = timed(task.refused, &ours)?;
                (ours, timed(task.refused, &theirs)?)
            } else {
                let theirs = timed(task.refused, &theirs)?;
                (timed(task.refused, &ours)?, theirs)
            };
            for (values, value) in all.iter_mut().zip([ours, theirs, ours / theirs]) {
                values.push(value);
            }
        }
        Ok(all.map(|mut values| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        }))
    }

    /// Runs a call in a child, and returns its time in µs. The first call warms the code up.
    fn timed(refused: &[libc::c_long], call: &dyn Fn(bool)) -> io::Result<f64> {
        let (mut reader, mut writer) = io::pipe()?;
        // A number that closing does not reach: the report goes there.
        let report = 1;
        // SAFETY: this program has one thread.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: standard output of this child becomes the pipe.
            unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&writer), report) };
            refuse(refused);
            call(false);
            let began = Instant::now();
            call(true);
            let time = began.elapsed().as_nanos().to_ne_bytes();
            // SAFETY: the buffer is borrowed for the call.
            let written = unsafe { libc::write(report, time.as_ptr().cast(), time.len()) };
            // SAFETY: ends the child, without destructors.
            unsafe { libc::_exit(i32::from(written < 0)) }
        }
        writer.flush()?;
        drop(writer);
        let mut time = [0; 16];
        reader.read_exact(&mut time)?;
        // SAFETY: the child is this program's.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        #[expect(clippy::cast_precision_loss, reason = "it is far below 2^53")]
        Ok(u128::from_ne_bytes(time) as f64 / 1e3)
    }

    /// Lets calls fail with `EPERM` in this process.
    fn refuse(calls: &[libc::c_long]) {
        if calls.is_empty() {
            return;
        }
        let instruction = |code: u32, k: u32, jf| libc::sock_filter {
            code: u16::try_from(code).expect("a code has 16 bits"),
            jt: 0,
            jf,
            k,
        };
        let mut program = vec![instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
        for &call in calls {
            let number = u32::try_from(call).expect("the number of a call");
            program.push(instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number, 1));
            let eperm = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();
            program.push(instruction(libc::BPF_RET | libc::BPF_K, eperm, 0));
        }
        program.push(instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0));
        let length = u16::try_from(program.len()).expect("it is short");
        let filter = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
        // SAFETY: the call changes this child alone.
        let given_up = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        assert_eq!(given_up, 0, "privileges cannot be given up");
        // SAFETY: the kernel reads the program, which is borrowed for the call.
        let done =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) };
        assert_eq!(done, 0, "no filter can be installed");
    }

    fn raise_limit() -> io::Result<()> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is written.
        let told = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
        assert_eq!(told, 0, "the limit is known");
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: the structure is read.
        let done = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
