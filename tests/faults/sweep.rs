//! Each call of many plans failing with each errno of its manual page; pairs of failures; children that are killed,
//! stopped and interrupted at each call.
//!
//! A spawn without failures records its calls. It is then repeated for each call and each errno. After each run, the
//! report has the stage, the operand and the errno of that call, or the spawn succeeds by an alternative. A program
//! that runs has exactly the planned descriptors and settings. The parent's descriptors with their flags, its mask and
//! its handlers are unchanged. No child and no stack is left.
//!
//! A *triple* is one call, one errno and one plan with its method and strategy. The tests assert and print their
//! number: `FORKEXEC_ISOLATED=1 cargo test -p forkexec-tests --test faults sweep::NAME -- --exact --nocapture`.
//!
//! `FORKEXEC_PAIR_ROUNDS` in the environment sets the number of pairs per method (default 1,500), and `FORKEXEC_SEED`
//! the seed.

mod draw;
mod ground;
mod oracle;
mod pairs;
mod plans;
mod signals;

use std::time::{Duration, Instant};

use rstest::rstest;

use forkexec_core::{CloseStrategy, Errno, LaunchError, Stage};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::{isolated_for, skip};
use forkexec_tests::probe::Seen;
use forkexec_tests::world;

use crate::errnos;
use crate::failing::Side;
use crate::script::{Call, Incident, What};
use crate::traceable::{is_dumpable, make_dumpable};
use ground::{Ended, Ground, REPORT, World};
use plans::Row;

const LIMIT: Duration = Duration::from_mins(10);

/// No start takes as long, on however busy a machine.
const BOUND: Duration = Duration::from_secs(20);

/// The least number of triples for each method, without the plan that needs the superuser. A machine with few handlers has
/// a few more.
const AT_LEAST: [(World, usize); 4] =
    [(World::Clone3, 4_800), (World::Clone, 4_000), (World::Contained, 5_400), (World::Fork, 9_000)];

const _: () = assert!(AT_LEAST[0].1 + AT_LEAST[1].1 + AT_LEAST[2].1 + AT_LEAST[3].1 >= 20_000);

/// A plan with one method, its result without failures, and its calls.
struct Clean<'g> {
    ground: &'g Ground,
    world: World,
    row: Row,
    calls: [Vec<Call>; 2],
    seen: Option<Seen>,
    told: Option<LaunchError>,
    before: Snapshot,
    dumpable: bool,
}

impl<'g> Clean<'g> {
    fn of(ground: &'g Ground, world: World, row: Row) -> Self {
        let before = Snapshot::take();
        // The library has done all that it does once per process.
        let Ended { launched, text } = ground.start(world, &row.plan, &[]);
        let seen = launched.is_ok().then(|| Seen::parse(&text));
        if let Some(seen) = &seen {
            assert_eq!(seen.fds, row.granted, "{}", row.name);
            assert!((row.is_as_asked)(seen), "{}: {seen:?}", row.name);
        }
        let calls = [Side::Parent, Side::Child].map(|side| ground.script.calls(side));
        let dumpable = is_dumpable();
        Self { ground, world, row, calls, seen, told: launched.err(), before, dumpable }
    }

    fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().flatten()
    }

    /// Spawns with these incidents, and checks all except the error.
    fn start(&self, incidents: &[Incident]) -> Ended {
        let began = Instant::now();
        let ended = self.ground.start(self.world, &self.row.plan, incidents);
        let took = began.elapsed();
        let context =
            || format!("{} by {:?}: {incidents:?}, {:?}", self.row.name, self.world, ended.launched);
        assert!(took < BOUND, "{}: {took:?}", context());
        self.look_at_the_parent(&context);
        self.look_at_the_program(&ended, &context);
        ended
    }

    fn look_at_the_parent(&self, context: &dyn Fn() -> String) {
        assert_eq!(self.before.differences(&Snapshot::take()), [""; 0], "{}", context());
        let asks = |call: &Call| matches!(call.name, "is_dumpable" | "make_dumpable");
        let failed = self
            .ground
            .script
            .calls(Side::Parent)
            .into_iter()
            .any(|call| asks(&call) && call.failed.is_some());
        if failed {
            // The parent cannot know then, and the memory stays closed.
            make_dumpable(self.dumpable);
        }
        assert_eq!(is_dumpable(), self.dumpable, "{}", context());
    }

    /// A program that ran had exactly the planned state, in spite of any failure.
    fn look_at_the_program(&self, ended: &Ended, context: &dyn Fn() -> String) {
        if ended.launched.is_err() && !self.may_have_run() {
            assert_eq!(ended.text, "", "{}", context());
        }
        // A program that was killed while it wrote has printed a part.
        if ended.text.is_empty() || (ended.launched.is_err() && !ended.text.contains("\nargv ")) {
            assert!(ended.launched.is_err(), "{}", context());
            return;
        }
        let (seen, clean) =
            (Seen::parse(&ended.text), self.seen.as_ref().expect("one ran without failures, too"));
        assert_eq!(alike(&seen), alike(clean), "{}", context());
    }

    /// True if the parent could not read the report of the child, and killed it at an unknown point.
    fn may_have_run(&self) -> bool {
        let calls = self.ground.script.calls(Side::Parent);
        calls.iter().any(|call| call.failed.is_some_and(|errno| oracle::is_unreadable(call, errno)))
    }

    /// An incident at a call that is made without failures, too. The parent of a forked child asks again for as long as
    /// the child runs, so its calls are counted by name.
    fn at(&self, call: &Call, what: What) -> Incident {
        let earlier = &self.calls[call.side as usize][..call.index];
        let nth = earlier.iter().filter(|it| it.name == call.name).count();
        Incident { side: call.side, name: Some(call.name), index: nth, what }
    }

    /// Makes one call fail. Returns false if the call was not made: the parent may have had no reason to ask so often.
    fn fails(&self, call: &Call, errno: Errno) -> bool {
        let ended = self.start(&[self.at(call, What::Fails(errno))]);
        let told = ended.launched.err();
        let is_made = self.ground.script.calls(call.side).iter().any(|it| it.failed.is_some());
        if !is_made {
            // The parent checks a slow child more often, and the checks can show that it executes before its pipe ends.
            let may_be_missing =
                call.side == Side::Parent && matches!(call.name, "readable" | "read" | "join_no_group");
            assert!(may_be_missing && told == self.told, "{} by {:?}: {call:?}", self.row.name, self.world);
            return false;
        }
        self.judge(call, errno, told);
        true
    }

    fn judge(&self, call: &Call, errno: Errno, told: Option<LaunchError>) {
        if oracle::is_unreadable(call, errno) {
            let is_told =
                matches!(told, Some(LaunchError::Died { .. })) || (told.is_some() && told == self.told);
            return assert!(is_told, "{}: {call:?} {errno}: {told:?}", self.row.name);
        }
        let calls = &self.calls[call.side as usize];
        let expected = oracle::told(&self.row, calls, call, errno).or(self.told);
        assert_eq!(told, expected, "{} by {:?}: {call:?} {errno}", self.row.name, self.world);
    }
}

/// The parts of a report that two runs have in common: all but the PID and the number of the report pipe.
fn alike(seen: &Seen) -> Seen {
    let mut seen = seen.clone();
    let relative = |number: i32| if number == seen.pid { 0 } else { number };
    (seen.pgid, seen.sid, seen.pid) = (relative(seen.pgid), relative(seen.sid), 0);
    if let Some(facts) = seen.facts.get_mut(&1) {
        facts.ino = 0;
    }
    if let Some(facts) = seen.facts.get_mut(&REPORT) {
        facts.ino = 0;
    }
    seen
}

/// Each plan with each strategy. Few plans close by number, because that takes 65,536 calls each. In a container the
/// first strategy is refused, so that it equals the second, and by clone(2) it is the same as by clone3(2).
fn cleans(ground: &Ground, world: World) -> Vec<Clean<'_>> {
    let rows = plans::rows(ground);
    let closing = |link| rows.iter().filter_map(move |row| plans::closing(row, link));
    let by_loop = closing(CloseStrategy::Loop).filter(|row| matches!(row.name, "kept" | "group"));
    let listed = closing(CloseStrategy::Enumerate).filter(|_| matches!(world, World::Clone3 | World::Fork));
    let all = closing(CloseStrategy::Bulk).chain(listed).chain(by_loop);
    all.map(|row| Clean::of(ground, world, row)).collect()
}

/// Of a plan that closes by every number the closing is looked at, and of its calls the first: the others are the same.
fn is_swept(row: &Row, call: &Call) -> bool {
    const FIRST: i32 = 12;
    let loops = row.plan.close == Some(CloseStrategy::Loop);
    !loops || (matches!(call.stage, Some(Stage::Limits | Stage::Close)) && call.numbers[0] < FIRST)
}

/// Faults: E15
#[rstest]
#[case::by_clone3(AT_LEAST[0])]
#[case::by_clone(AT_LEAST[1])]
#[case::in_a_container(AT_LEAST[2])]
#[case::by_fork(AT_LEAST[3])]
fn any_failing_call_of_any_plan_is_reported_or_handled(#[case] (world, at_least): (World, usize)) {
    isolated_for(LIMIT, || {
        let ground = Ground::new();
        let mut triples = 0;
        for clean in cleans(&ground, world) {
            let of_others = triples;
            for call in clean.calls().filter(|call| is_swept(&clean.row, call)) {
                let errnos = errnos::of(call.side, call.name);
                triples += errnos.iter().filter(|errno| clean.fails(call, **errno)).count();
            }
            println!(
                "{world:?}, {} from {:?}: {}",
                clean.row.name,
                clean.row.plan.close,
                triples - of_others
            );
        }
        println!("{world:?}: {triples} triples of a call, an errno and a plan");
        if !world::is_root() {
            skip("the plan that changes ids needs the superuser");
        }
        assert!(triples >= at_least, "{triples}");
    });
}
