//! One batch of one column: starts the workers, warms up the methods, and gives each a turn in every round.

use super::{Cell, Measured, Round};
use crate::bench::Failure;
use crate::bench::host::{Answer, Host};
use crate::bench::peer::Peers;
use crate::bench::scenario::{Pace, Scenario};
use crate::bench::toolbox::Toolbox;
use std::collections::{BTreeMap, BTreeSet};

/// The length of a turn, in microseconds.
const TURN: f64 = 15_000.0;
/// The length of a turn with threads, in microseconds.
const TURN_TOGETHER: f64 = 50_000.0;
/// A method whose spawn takes longer, in microseconds, has a turn in each fourth round.
const SLOW: f64 = 5_000.0;
/// The number of spawns of a turn that are not counted. They fill the caches again after other methods.
const UNCOUNTED: usize = 1;

/// The settings of all batches of a column.
pub(super) struct Run<'a> {
    pub(super) toolbox: &'a Toolbox,
    pub(super) peers: &'a Peers,
    pub(super) scenario: Scenario,
    pub(super) rounds: usize,
    pub(super) cold: bool,
}

/// A method that takes part.
struct Player {
    row: usize,
    cell: Cell,
    /// The number of spawns of a turn, for each thread.
    count: usize,
    /// It has a turn in each round whose number this divides.
    every: usize,
}

type Hosts = BTreeMap<usize, Host>;

impl Run<'_> {
    /// Measures these rows. Errors are in their cells.
    pub(super) fn rows(&self, rows: &[usize]) -> Vec<(usize, Cell)> {
        let mut hosts = self.hosts(rows);
        let mut players: Vec<Player> =
            rows.iter().map(|&row| Player { row, cell: Cell::Absent, count: 1, every: 1 }).collect();
        self.warm_up(&mut hosts, &players);
        for player in &mut players {
            player.cell = self.inspect(&mut hosts, player.row);
            self.calibrate(&mut hosts, player);
        }
        let mut order = Order(0x9e37_79b9_7f4a_7c15);
        for round in 0..self.rounds {
            order.shuffle(&mut players);
            for player in players.iter_mut().filter(|player| round % player.every == 0) {
                self.turn(&mut hosts, player, round);
            }
        }
        players.into_iter().map(|player| (player.row, player.cell)).collect()
    }

    /// Returns the workers of these rows, without those that do not start.
    fn hosts(&self, rows: &[usize]) -> Hosts {
        let workers: BTreeSet<usize> = rows.iter().map(|&row| self.peers.rows[row].worker).collect();
        let start = |index| {
            let worker = &self.peers.workers[index];
            let mut host = Host::start(worker, self.scenario.world, self.toolbox)?;
            host.spawn_exits(self.toolbox)?;
            Ok((index, host))
        };
        workers.into_iter().map(start).filter_map(|started| started.map_err(complain).ok()).collect()
    }

    /// Makes each method spawn a few children before the descriptors are opened, as a server does, unless the run is cold.
    fn warm_up(&self, hosts: &mut Hosts, players: &[Player]) {
        if !self.cold {
            for player in players {
                // An error is reported when the method is measured.
                let _ = self.ask(hosts, player.row, 3);
            }
        }
        hosts.retain(|_, host| host.open(self.scenario.world).map_err(complain).is_ok());
    }

    /// Checks a child of this method. If the child does not have the attributes of the task, the method is not measured.
    fn inspect(&self, hosts: &mut Hosts, row: usize) -> Cell {
        let task = self.scenario.task;
        match self.request(hosts, row, |host, method| host.sight(method, task, self.toolbox)) {
            Ok(Ok(sight)) if sight.as_requested => Cell::Measured(Measured {
                rounds: Vec::new(),
                sees: sight.descriptors,
                exact: sight.descriptors == task.descriptors(),
                ratio: f64::NAN,
            }),
            Ok(Ok(_)) => Cell::Failed("the child does not have the requested attributes".to_owned()),
            Ok(Err(Answer::Unable(reason))) => Cell::Unable(reason),
            Ok(Err(Answer::Failed(reason))) => Cell::Failed(reason),
            Ok(Err(Answer::Times(_))) => Cell::Failed("times instead of an error".to_owned()),
            Err(reason) => Cell::Failed(reason.to_string()),
        }
    }

    /// Sets the number of spawns that fill a turn.
    fn calibrate(&self, hosts: &mut Hosts, player: &mut Player) {
        if player.cell.measured().is_none() {
            return;
        }
        let Ok(Answer::Times(times)) = self.ask(hosts, player.row, 5) else { return };
        let one = Round { number: 0, times, counts: true }.median();
        let (turn, threads) = match self.scenario.pace {
            Pace::Alone => (TURN, 1),
            Pace::Threads(threads) => (TURN_TOGETHER, threads),
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
        let fitting = (turn / one) as usize / threads;
        player.count = fitting.clamp(2, 400);
        player.every = if one > SLOW { 4 } else { 1 };
    }

    fn turn(&self, hosts: &mut Hosts, player: &mut Player, round: usize) {
        let Cell::Measured(measured) = &mut player.cell else { return };
        let answer = match self.scenario.pace {
            Pace::Alone => self.ask(hosts, player.row, player.count + UNCOUNTED).map(without_uncounted),
            Pace::Threads(threads) => self.ask_together(hosts, player.row, threads, player.count),
        };
        match answer {
            Ok(Answer::Times(times)) => measured.rounds.push(Round { number: round, times, counts: true }),
            Ok(Answer::Unable(reason)) => player.cell = Cell::Unable(reason),
            Ok(Answer::Failed(reason)) => player.cell = Cell::Failed(reason),
            Err(reason) => player.cell = Cell::Failed(reason.to_string()),
        }
    }

    fn ask(&self, hosts: &mut Hosts, row: usize, count: usize) -> Result<Answer, Failure> {
        let task = self.scenario.task;
        self.request(hosts, row, |host, method| host.run(method, task, count))
    }

    /// Returns one number: the time of all threads, divided by the number of spawns.
    fn ask_together(
        &self,
        hosts: &mut Hosts,
        row: usize,
        threads: usize,
        count: usize,
    ) -> Result<Answer, Failure> {
        let task = self.scenario.task;
        let spawns = u64::try_from(threads * count)?;
        Ok(match self.request(hosts, row, |host, method| host.together(method, task, threads, count))? {
            Answer::Times(times) => Answer::Times(times.into_iter().map(|time| time / spawns).collect()),
            other => other,
        })
    }

    /// Sends a request to the worker of a row. Removes a worker that does not answer.
    fn request<T>(
        &self,
        hosts: &mut Hosts,
        row: usize,
        send: impl FnOnce(&mut Host, &str) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let row = &self.peers.rows[row];
        let host = hosts.get_mut(&row.worker).ok_or("its worker has ended")?;
        let answer = send(host, &row.method);
        if answer.is_err() {
            hosts.remove(&row.worker);
        }
        answer
    }
}

/// Prints the reason for a missing worker, which is a gap in the table.
#[expect(clippy::needless_pass_by_value, reason = "it maps an error")]
fn complain(reason: Failure) {
    eprintln!("worker failed: {reason}");
}

fn without_uncounted(answer: Answer) -> Answer {
    match answer {
        Answer::Times(times) => Answer::Times(times.into_iter().skip(UNCOUNTED).collect()),
        other => other,
    }
}

/// A random order, which differs between rounds but not between runs (xorshift).
struct Order(u64);

impl Order {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.next() % (last as u64 + 1);
            items.swap(last, usize::try_from(other).unwrap_or(last));
        }
    }
}
