//! Two calls of a start failing.

use std::env;

use rstest::rstest;

use forkexec_core::{Errno, LaunchError, Stage};
use forkexec_tests::isolate::isolated_for;

use super::draw::{Draw, seed};
use super::ground::{Ground, World};
use super::{Clean, LIMIT, cleans, oracle};
use crate::errnos;
use crate::failing::Side;
use crate::script::{Call, Incident, What};

fn rounds() -> usize {
    env::var("FORKEXEC_PAIR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1_500)
}

impl Clean<'_> {
    /// The failures that a start survives: after any other nothing is left that could fail.
    fn survived(&self) -> Vec<Incident> {
        let swept = self.calls.iter().flat_map(|calls| calls.iter().take(SWEPT));
        let each = |call: &Call| {
            let (call, calls) = (*call, &self.calls[call.side as usize]);
            let survives = move |errno: &&Errno| {
                let ends = oracle::is_unreadable(&call, **errno);
                !ends && oracle::told(&self.row, calls, &call, **errno).is_none()
            };
            let errnos = errnos::of(call.side, call.name).iter().filter(survives);
            errnos.map(|errno| self.at(&call, What::Fails(*errno))).collect::<Vec<_>>()
        };
        swept.flat_map(each).collect()
    }

    /// Two failures, of which the second may be of a call that there is only because of the first.
    fn fails_twice(&self, survived: &[Incident], draw: &mut Draw) -> bool {
        const BEYOND: usize = 8;
        let first = survived[draw.below(survived.len())];
        let side = if draw.below(3) == 0 { Side::Parent } else { Side::Child };
        let index = draw.below(self.calls[side as usize].len().min(SWEPT) + BEYOND);
        let second = Incident { side, name: None, index, what: What::FailsSomehow(draw.below(64)) };
        let incidents = [first, second];
        let ended = self.start(&incidents);
        let failed: Vec<Call> = [Side::Parent, Side::Child]
            .into_iter()
            .flat_map(|side| self.ground.script.calls(side))
            .filter(|call| call.failed.is_some())
            .collect();
        let told = ended.launched.err();
        assert!(self.explains(&failed, told), "{} by {:?}: {failed:?}: {told:?}", self.row.name, self.world);
        failed.len() == 2
    }

    /// Returns true if the error belongs to one of the calls that failed, or also occurs without failures.
    fn explains(&self, failed: &[Call], told: Option<LaunchError>) -> bool {
        let has_errno = |call: &Call, errno| {
            // A call that shows whether the kernel answers itself fails with one errno only.
            let is_control = call.stage == Some(Stage::Capabilities) && errno == Errno::PERM;
            call.failed == Some(errno)
                || (call.failed == Some(Errno::INVAL) && errno == Errno::MFILE)
                || is_control
        };
        match told {
            told if told == self.told => true,
            Some(LaunchError::Child(report)) if report.stage == Stage::Exec => {
                let natural = self.row.answers.contains(&Some(report.errno));
                let of_exec = |call: &Call| call.stage == Some(Stage::Exec);
                failed.iter().any(|call| of_exec(call) && (natural || has_errno(call, report.errno)))
            }
            Some(LaunchError::Child(report)) => {
                failed.iter().any(|call| call.stage == Some(report.stage) && has_errno(call, report.errno))
            }
            Some(LaunchError::Parent { stage: Stage::Setup | Stage::Start, errno }) => {
                failed.iter().any(|call| call.side == Side::Parent && has_errno(call, errno))
            }
            Some(LaunchError::Died { .. }) => {
                failed.iter().any(|call| call.failed.is_some_and(|errno| oracle::is_unreadable(call, errno)))
            }
            _ => false,
        }
    }
}

/// As many calls of a side are enough: the loop's are all the same.
const SWEPT: usize = 200;

/// Faults: E15
#[rstest]
fn any_two_failing_calls_leak_nothing_to_parent_or_child(
    #[values(World::Clone3, World::Clone, World::Contained, World::Fork)] world: World,
) {
    isolated_for(LIMIT, || {
        let ground = Ground::new();
        let (cleans, mut draw) = (cleans(&ground, world), Draw::of(seed()));
        let survived: Vec<_> = cleans.iter().map(Clean::survived).collect();
        let which = |round: usize| round % cleans.len();
        let fails_twice =
            |round: &usize| cleans[which(*round)].fails_twice(&survived[which(*round)], &mut draw);
        let pairs = (0..rounds()).filter(fails_twice).count();
        println!("{world:?}: {pairs} pairs in {} rounds with FORKEXEC_SEED={}", rounds(), seed());
        assert!(pairs * 4 >= rounds(), "{pairs} of {}", rounds());
    });
}
