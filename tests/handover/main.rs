//! The report from child to parent in every interleaving: the result of the spawn is always right, and the parent never
//! waits in vain.
//!
//! The code of both sides is that of the crates, over a kernel with two processes:
//!
//! - `kernel`: lets the child make a chosen number of steps between the parent's calls
//! - `choices`: all sequences of choices
//! - `script`: the steps of a child, also of one that is killed after any of them
//!
//! A forked child is combined with other events: a process of another thread with a copy of the pipe, a thread that
//! takes all statuses, a closure that closes, replaces or forges the pipe, signals, refused calls. A child that shares
//! memory runs while its parent is suspended. It is killed at each of its calls, and there are no other choices. The first
//! child of vfork(2) is both: it reports as a forked child does, and may have a copy of the memory or share it.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod autoreap;
mod choices;
mod kernel;
mod script;

use std::panic::{AssertUnwindSafe, catch_unwind};

use forkexec_core::{
    Backend, CStrArray, Errno, Exec, FallbackReason, ForkLauncher, Hook, HookError, LaunchError, Launched,
    Launcher, ParentSys, Plan, Report, SpawnMethod, Stage, Sys, ThinCStr, VforkLauncher, WorkingDirectory,
};
use forkexec_linux::{Linux, LinuxLauncher};
use forkexec_posix::Posix;

use kernel::{CHILD, Kernel, Sibling, State, Tells, WRITER, World};
use script::{Event, Script, Step, all_killed, execs, orders};

/// A child: the action of its closure, its failing calls, and the expected result in the parent.
struct Case {
    name: &'static str,
    hook: Option<Closure>,
    fails: &'static [(&'static str, Errno)],
    told: Told,
}

type Closure = fn(&Kernel) -> Result<(), HookError>;

/// The result if the child is not killed.
#[derive(Clone, Copy)]
enum Told {
    Runs,
    Reported(Report),
    Died(Stage, i32),
}

const fn case(name: &'static str, fails: &'static [(&'static str, Errno)], told: Told) -> Case {
    Case { name, hook: None, fails, told }
}

const fn closure(name: &'static str, hook: Closure, told: Told) -> Case {
    Case { name, hook: Some(hook), fails: &[], told }
}

const fn reported_at(stage: Stage, errno: Errno, operand: i32) -> Told {
    Told::Reported(Report { stage, errno, operand })
}

const REPLACED: i32 = forkexec_core::CHANNEL_REPLACED;

fn forge(kernel: &Kernel) {
    kernel.write(WRITER, &[1]).expect("the pipe is open");
}

const CASES: [Case; 15] = [
    case("runs", &[], Told::Runs),
    case("missing program", &[("execve", Errno::NOENT)], reported_at(Stage::Exec, Errno::NOENT, 0)),
    case("directory", &[("chdir", Errno::ACCES)], reported_at(Stage::Chdir, Errno::ACCES, 0)),
    case("signal mask", &[("set_mask", Errno::PERM)], reported_at(Stage::Mask, Errno::PERM, 0)),
    case("no byte", &[("write", Errno::PIPE)], reported_at(Stage::Exec, Errno::PIPE, 0)),
    closure("closure", |_| Ok(()), Told::Runs),
    closure(
        "closure that fails",
        |_| Err(HookError::Errno(Errno::IO)),
        reported_at(Stage::PreExec, Errno::IO, 0),
    ),
    closure("pipe closed", close, reported_at(Stage::PreExec, Errno::BADF, REPLACED)),
    closure("pipe replaced", replace, reported_at(Stage::PreExec, Errno::BADF, REPLACED)),
    closure(
        "success forged",
        |kernel| {
            forge(kernel);
            Ok(())
        },
        Told::Runs,
    ),
    closure(
        "success forged, pipe closed",
        |kernel| {
            forge(kernel);
            close(kernel)
        },
        reported_at(Stage::PreExec, Errno::BADF, REPLACED),
    ),
    closure(
        "success forged, and an end",
        |kernel| {
            forge(kernel);
            kernel.exit(0)
        },
        Told::Died(Stage::PreExec, 0),
    ),
    closure("an end", |kernel| kernel.exit(0), Told::Died(Stage::PreExec, 0)),
    closure(
        "pipe closed, and an end",
        |kernel| {
            close(kernel)?;
            kernel.exit(3)
        },
        Told::Died(Stage::PreExec, 3 << 8),
    ),
    Case {
        name: "success forged, missing program",
        hook: Some(|kernel| {
            forge(kernel);
            Ok(())
        }),
        fails: &[("execve", Errno::ACCES)],
        told: reported_at(Stage::Exec, Errno::ACCES, 0),
    },
];

fn close(kernel: &Kernel) -> Result<(), HookError> {
    kernel.close(WRITER).map_err(HookError::Errno)
}

fn replace(kernel: &Kernel) -> Result<(), HookError> {
    kernel.dup2(0, WRITER).map_err(HookError::Errno)
}

fn plan() -> Plan<'static> {
    let argv = Box::leak(Box::new([Some(ThinCStr::from(c"program")), None]));
    let argv = CStrArray::new(argv).expect("it ends with a null");
    let exec = Exec { candidates: &[c"/program"], argv, env: None, shell: None };
    Plan { directory: Some(WorkingDirectory::Path(c"/")), ..Plan::new(exec) }
}

const CALM: World = World {
    tells: Tells::ByGroup,
    sibling: Sibling::Absent,
    thief: false,
    interrupted: false,
    no_poll: false,
    unreadable: false,
    copies: None,
    autoreap: None,
};

/// Returns the steps of a forked child that its parent can observe.
fn script_of(case: &Case) -> Script {
    let backend = Linux::new(Kernel::new(CALM));
    let kernel = backend.sys();
    kernel.record();
    kernel.state().fails = case.fails.to_vec();
    let hook = || case.hook.map_or(Ok(()), |hook| hook(kernel));
    // SAFETY: the kernel is simulated, and makes no child.
    let hook = unsafe { Hook::new(&hook) };
    let plan = Plan { hook: case.hook.is_some().then_some(hook), ..plan() };
    let ended = catch_unwind(AssertUnwindSafe(|| ForkLauncher::new(&backend).launch(&plan)));
    assert!(ended.is_err(), "the child's side never comes back");
    std::mem::take(&mut kernel.state().recorded)
}

/// Counts the interleavings, and those in which a death in execve(2) counts as a success because no call can show it.
#[derive(Default)]
struct Counted {
    all: usize,
    started: usize,
    untold: usize,
}

/// Plays all interleavings of a child with its parent.
fn play(
    kernel: &Kernel,
    launch: &dyn Fn() -> Result<Launched, LaunchError>,
    script: &Script,
    told: Told,
    counted: &mut Counted,
) {
    loop {
        kernel.state().reset(script);
        let launched = launch();
        let mut state = kernel.state();
        counted.all += 1;
        judge(&state, &launched, told, counted);
        if !state.choices.go_on() {
            return;
        }
    }
}

fn play_forked(script: &Script, told: Told, world: World, counted: &mut Counted) {
    let backend = Linux::new(Kernel::new(world));
    let plan = plan();
    play(backend.sys(), &|| ForkLauncher::new(&backend).launch(&plan), script, told, counted);
}

fn judge(state: &State, launched: &Result<Launched, LaunchError>, told: Told, counted: &mut Counted) {
    let world = state.world;
    let context = || format!("{launched:?} of {:?} after {} steps in {world:?}", state.script, state.done);
    assert_eq!(state.leftovers(), [""; 0], "{}", context());
    match launched {
        Ok(launched) => {
            assert_eq!((launched.pid, launched.method), (CHILD, SpawnMethod::Fork));
            assert!(world.thief || !state.reaped, "its status is the caller's: {}", context());
            counted.started += 1;
            if !state.has(Event::Exec) {
                // The mark was written, and no call shows what followed. At most the status shows it.
                let nobody_tells = world.tells == Tells::Never || world.thief;
                let ended_in_exec = state.stage() == Stage::Exec && state.has(Event::Write);
                assert!(nobody_tells && ended_in_exec && !reported(state), "{}", context());
                counted.untold += 1;
            }
        }
        Err(error) => {
            assert!(state.reaped, "nothing is left: {}", context());
            assert!(world.unreadable || !execs(&state.script), "a program runs: {}", context());
            match (error, told) {
                (LaunchError::Child(report), Told::Reported(expected)) => {
                    assert_eq!(*report, expected, "{}", context());
                }
                (LaunchError::Died { stage, status }, _) if !reported(state) => {
                    let ended = state.script.iter().find_map(|step| match step.event {
                        Event::End(status) => Some(status),
                        _ => None,
                    });
                    let ended = ended.or(Some(libc::SIGKILL)).filter(|_| !world.thief);
                    assert_eq!((*stage, *status), (state.stage(), ended), "{}", context());
                }
                _ => panic!("{}", context()),
            }
        }
    }
}

/// Returns true if the child's report is complete: the word that says so is written last.
fn reported(state: &State) -> bool {
    state.has(Event::Store(0, 1))
}

/// All conditions. If poll(2) is refused, the parent waits for the end of the pipe, whichever process has it.
fn worlds() -> impl Iterator<Item = World> {
    let tells = [Tells::ByGroup, Tells::ByProc, Tells::Never];
    let siblings = [Sibling::Absent, Sibling::Hanging];
    let all =
        tells.into_iter().flat_map(move |tells| siblings.map(|sibling| World { tells, sibling, ..CALM }));
    let all = all.flat_map(|world| [false, true].map(|thief| World { thief, ..world }));
    let more = [
        World { sibling: Sibling::Passing, ..CALM },
        World { interrupted: true, ..CALM },
        World { interrupted: true, sibling: Sibling::Hanging, ..CALM },
        World { no_poll: true, ..CALM },
        World { no_poll: true, interrupted: true, ..CALM },
        World { unreadable: true, ..CALM },
        World { unreadable: true, sibling: Sibling::Passing, ..CALM },
        World { unreadable: true, thief: true, ..CALM },
    ];
    all.chain(more)
}

/// Returns true if the parent learns nothing of this child while it runs.
fn is_silent(script: &[Step], world: World) -> bool {
    world.sibling == Sibling::Hanging && world.tells == Tells::Never && execs(script)
}

/// The program ends at some time.
fn ending(script: &Script) -> Script {
    let end = execs(script).then_some(Step { event: Event::End(0), stage: Stage::Exec });
    script.iter().copied().chain(end).collect()
}

/// More steps than these have more interleavings than there is time for.
const LONG: usize = 12;

/// Plays this child, as long as its parent learns of it, and the same one killed at each step.
fn play_variants(script: &Script, world: World, play: &mut dyn FnMut(&Script)) {
    if !is_silent(script, world) {
        play(script);
    }
    play(&ending(script));
    // Killed children of a long script are not combined with other processes.
    if script.len() <= LONG || world.sibling == Sibling::Absent && !world.thief {
        all_killed(script).for_each(|script| play(&script));
    }
}

/// Faults: E8, E9, E12, E13, E29
#[test]
fn any_interleaving_of_parent_and_child_is_reported_right() {
    let mut counted = Counted::default();
    for case in &CASES {
        let script = script_of(case);
        assert_eq!(execs(&script), matches!(case.told, Told::Runs), "{}", case.name);
        if let Told::Died(stage, status) = case.told {
            let last = script.last().map(|step| (step.stage, step.event));
            assert_eq!(last, Some((stage, Event::End(status))), "{}", case.name);
        }
        let before = counted.all;
        for world in worlds() {
            for script in orders(&script) {
                play_variants(&script, world, &mut |script| {
                    play_forked(script, case.told, world, &mut counted);
                });
            }
        }
        println!("{}: {} steps, {} interleavings", case.name, script.len(), counted.all - before);
    }
    let Counted { all, started, untold } = counted;
    println!(
        "{all} interleavings, {started} starts; {untold} of them ended in exec and cannot be told from a success"
    );
    assert!(started > 0 && untold > 0 && all > started);
}

/// The floor, which has no call that shows an exec. The parent gets `SIGCHLD` also for a child of vfork(2) that shares no memory.
fn on_the_floor(world: World, copies: bool) -> World {
    World { tells: Tells::Never, copies: copies.then_some(true), ..world }
}

/// Starts the first child of a launcher by vfork(2). It has a copy of the memory, which it shows unless it dies at once.
fn launch_copied_by_vfork(backend: &Posix<Kernel>) -> Result<Launched, LaunchError> {
    let vfork = VforkLauncher::new(backend);
    let launched = vfork.launch(&plan());
    let shows_nothing = matches!(launched, Err(LaunchError::Died { stage: Stage::Start, .. }));
    let reason = (!shows_nothing).then_some(FallbackReason::NotShared);
    assert_eq!(vfork.fallback_reason(), reason, "{launched:?}");
    launched
}

/// Faults: E9, E12, E13, F15, M1
#[test]
fn first_child_of_vfork_with_copied_memory_is_reported_right() {
    let mut counted = Counted::default();
    for case in CASES.iter().filter(|case| case.hook.is_none()) {
        let recorder = Posix::new(Kernel::new(on_the_floor(CALM, true)));
        recorder.sys().record();
        recorder.sys().state().fails = case.fails.to_vec();
        let ended = catch_unwind(AssertUnwindSafe(|| VforkLauncher::new(&recorder).launch(&plan())));
        assert!(ended.is_err(), "the child's side never comes back");
        let script = std::mem::take(&mut recorder.sys().state().recorded);
        assert_eq!(execs(&script), matches!(case.told, Told::Runs), "{}", case.name);
        for world in worlds().filter(|world| world.tells == Tells::ByGroup) {
            let world = on_the_floor(world, true);
            let backend = Posix::new(Kernel::new(world));
            let launch = || launch_copied_by_vfork(&backend);
            play_variants(&script, world, &mut |script| {
                play(backend.sys(), &launch, script, case.told, &mut counted);
            });
        }
    }
    let Counted { all, started, untold } = counted;
    println!(
        "{all} interleavings, {started} starts; {untold} of them ended in exec and cannot be told from a success"
    );
    assert!(started > 0 && untold > 0 && all > started);
}

/// Starts a child by vfork(2) that shares memory, and kills it at one of its calls. Returns false if it makes fewer calls.
fn launch_by_vfork(case: &Case, world: World, is_first: bool, killed_at: Option<usize>) -> bool {
    let backend = Posix::new(Kernel::new(CALM));
    let kernel = backend.sys();
    loop {
        let vfork = VforkLauncher::new(&backend);
        if !is_first {
            reset_for(kernel, CALM, &[], None);
            assert!(vfork.launch(&plan()).is_ok());
        }
        reset_for(kernel, on_the_floor(world, false), case.fails, killed_at);
        let launched = vfork.launch(&plan());
        assert_eq!((vfork.method(), vfork.fallback_reason()), (SpawnMethod::Vfork, None));
        let mut state = kernel.state();
        judge_by_vfork(&state, &launched, case.told);
        if !state.choices.go_on() {
            return killed_at.is_some_and(|index| index < state.calls.len());
        }
    }
}

/// Resets the kernel for a child that shares memory.
fn reset_for(kernel: &Kernel, world: World, fails: &[(&'static str, Errno)], killed_at: Option<usize>) {
    let mut state = kernel.state();
    state.reset(&Vec::new());
    (state.world, state.fails, state.killed_at) = (world, fails.to_vec(), killed_at);
}

fn judge_by_vfork(state: &State, launched: &Result<Launched, LaunchError>, told: Told) {
    let context = || format!("{launched:?} after {:?} in {:?}", state.calls, state.world);
    assert_eq!(state.leftovers(), [""; 0], "{}", context());
    let killed = state.killed_at.and_then(|index| state.calls.get(index));
    match (launched, killed, told) {
        // The floor has nothing that tells a death in execve(2) from a success. The status of the child does.
        (Ok(launched), _, _) => {
            assert!(state.has(Event::Exec) || killed == Some(&"execve"), "{}", context());
            assert_eq!((launched.pid, launched.method), (CHILD, SpawnMethod::Vfork), "{}", context());
        }
        (Err(LaunchError::Child(report)), None, Told::Reported(expected)) => {
            assert_eq!(*report, expected, "{}", context());
        }
        (Err(LaunchError::Died { stage, status }), _, _) => {
            let is_right = match killed {
                Some(&"execve") => state.world.unreadable,
                Some(_) => true,
                // The parent cannot read the pipe, and kills the child.
                None => state.world.unreadable && matches!(told, Told::Runs),
            };
            assert!(is_right, "{}", context());
            let died_at = killed.map_or(Stage::Exec, |call| stage_of(call));
            let killing = Some(libc::SIGKILL).filter(|_| !state.world.thief);
            assert_eq!((*stage, *status), (died_at, killing), "{}", context());
        }
        _ => panic!("{}", context()),
    }
    assert!(launched.is_err() == state.reaped || state.world.thief, "{}", context());
}

/// Faults: E9, E10
#[test]
fn child_of_vfork_killed_anywhere_is_reported_right() {
    let mut launches = 0;
    for case in CASES.iter().filter(|case| case.hook.is_none()) {
        for world in worlds().filter(|world| world.tells == Tells::ByGroup) {
            for is_first in [true, false] {
                launch_by_vfork(case, world, is_first, None);
                let killed = (0..).take_while(|index| launch_by_vfork(case, world, is_first, Some(*index)));
                launches += 1 + killed.count();
            }
        }
    }
    println!("{launches} launches of children of vfork(2) that share memory");
}

/// The stage of each call that these children make.
fn stage_of(call: &str) -> Stage {
    match call {
        "close_range_unshare" | "unshare_files" => Stage::UnshareFiles,
        "chdir" => Stage::Chdir,
        "set_disposition" => Stage::Signals,
        "set_mask" => Stage::Mask,
        "close_range" => Stage::Close,
        "write" | "execve" => Stage::Exec,
        other => panic!("no child makes the call {other}"),
    }
}

/// Launches a child that shares memory, and kills it at one of its calls. Returns false if it makes fewer calls.
fn launch_shared(
    fails: &[(&'static str, Errno)],
    tells: Tells,
    killed_at: Option<usize>,
    told: Told,
) -> bool {
    let backend = Linux::new(Kernel::new(World { tells, ..CALM }));
    let kernel = backend.sys();
    kernel.state().fails = fails.to_vec();
    kernel.state().killed_at = killed_at;
    let launched = LinuxLauncher::new(&backend).launch(&plan());
    if let Ok(launched) = &launched {
        let _ = launched.pidfd.map(|pidfd| kernel.close(pidfd));
    }
    let state = kernel.state();
    let context = || format!("{launched:?} after {:?}, {tells:?}", state.calls);
    assert_eq!(state.leftovers(), [""; 0], "{}", context());
    let killed = killed_at.and_then(|index| state.calls.get(index));
    match (&launched, killed, told) {
        (Ok(_), None, Told::Runs) => assert!(state.has(Event::Exec) && !state.reaped, "{}", context()),
        (Err(LaunchError::Child(report)), None, Told::Reported(expected)) => {
            assert_eq!(*report, expected, "{}", context());
        }
        (Err(LaunchError::Died { stage, status }), Some(call), _) => {
            assert_eq!((*stage, *status), (stage_of(call), Some(libc::SIGKILL)), "{}", context());
        }
        _ => panic!("{}", context()),
    }
    assert!(launched.is_ok() || state.reaped, "{}", context());
    killed.is_some()
}

/// Faults: E9, E10
#[test]
fn shared_memory_child_killed_anywhere_is_reported_right() {
    const NO_TABLE: [(&str, Errno); 2] =
        [("close_range_unshare", Errno::PERM), ("unshare_files", Errno::PERM)];
    let mut launches = 0;
    for case in CASES.iter().filter(|case| case.hook.is_none() && case.name != "no byte") {
        for tells in [Tells::ByGroup, Tells::ByProc] {
            for refused in [&[][..], &NO_TABLE] {
                let fails = [case.fails, refused].concat();
                launch_shared(&fails, tells, None, case.told);
                let killed = (0..).take_while(|index| launch_shared(&fails, tells, Some(*index), case.told));
                launches += 2 + killed.count();
            }
        }
    }
    println!("{launches} launches of children that share memory");
}

/// Plays all interleavings of the first child with its parent where an emulator copies the memory.
fn play_copied(script: &Script, told: Told, world: World) -> usize {
    let backend = Linux::new(Kernel::new(world));
    let (kernel, plan) = (backend.sys(), plan());
    let mut played = 0;
    loop {
        kernel.state().reset(script);
        let launched = LinuxLauncher::new(&backend).launch(&plan);
        if let Ok(Launched { pidfd: Some(pidfd), .. }) = launched {
            kernel.close(pidfd).expect("it is open");
        }
        let mut state = kernel.state();
        judge_copied(&state, &launched, told);
        played += 1;
        if !state.choices.go_on() {
            return played;
        }
    }
}

fn judge_copied(state: &State, launched: &Result<Launched, LaunchError>, told: Told) {
    let world = state.world;
    let context = || format!("{launched:?} of {:?} after {} steps in {world:?}", state.script, state.done);
    assert_eq!(state.leftovers(), [""; 0], "{}", context());
    match (launched, told) {
        (Ok(launched), _) => {
            assert_eq!(launched.method, SpawnMethod::Fork);
            assert!(world.thief || !state.reaped, "its status is the caller's: {}", context());
            let nobody_tells = world.tells == Tells::Never || world.thief;
            let is_open = nobody_tells && state.stage() == Stage::Exec && !reported(state);
            assert!(state.has(Event::Exec) || is_open, "{}", context());
        }
        (Err(error), _) => {
            assert!(state.reaped && !execs(&state.script), "{}", context());
            match (error, told) {
                (LaunchError::Child(report), Told::Reported(expected)) => assert_eq!(*report, expected),
                (LaunchError::Died { stage, .. }, _) if !reported(state) => {
                    assert_eq!(*stage, state.stage(), "{}", context());
                }
                _ => panic!("{}", context()),
            }
        }
    }
}

/// Faults: E29, F15, M1
#[test]
fn first_child_with_copied_memory_is_reported_right() {
    let mut played = 0;
    for case in CASES.iter().filter(|case| case.hook.is_none() && case.name != "no byte") {
        for announced in [false, true] {
            let copies = World { copies: Some(announced), ..CALM };
            let recorder = Linux::new(Kernel::new(copies));
            recorder.sys().record();
            recorder.sys().state().fails = case.fails.to_vec();
            let launcher = LinuxLauncher::new(&recorder);
            let ended = catch_unwind(AssertUnwindSafe(|| launcher.launch(&plan())));
            assert!(ended.is_err(), "the child's side never comes back");
            let script = std::mem::take(&mut recorder.sys().state().recorded);
            assert_eq!(execs(&script), matches!(case.told, Told::Runs), "{}", case.name);
            for tells in [Tells::ByGroup, Tells::ByProc, Tells::Never] {
                // A thread that waits for any child finds one that is announced.
                for thief in [false, true].into_iter().filter(|thief| announced || !thief) {
                    let world = World { tells, thief, ..copies };
                    for script in &orders(&script).collect::<Vec<_>>() {
                        played += play_copied(script, case.told, world);
                        played += play_copied(&ending(script), case.told, world);
                        played +=
                            all_killed(script).map(|it| play_copied(&it, case.told, world)).sum::<usize>();
                    }
                }
            }
        }
    }
    println!("{played} interleavings of a first child with a copy of the memory");
}
