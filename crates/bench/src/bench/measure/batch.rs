//! Batches of workers that run at the same time.

use crate::bench::Failure;
use crate::bench::peer::Peers;
use std::fs;

/// The part of the available memory that workers can touch, in percent.
const SHARE: u64 = 70;

/// Groups the workers that have rows, so that each group fits in memory. The worker of the floor is first in each group.
pub(super) fn batches(peers: &Peers, memory: u64) -> Result<Vec<Vec<usize>>, Failure> {
    let wanted: Vec<usize> = (0..peers.workers.len())
        .filter(|worker| peers.rows.iter().any(|row| row.worker == *worker))
        .collect();
    let (&floor, others) = wanted.split_first().ok_or("nothing to be measured")?;
    let fitting = match memory {
        0 => usize::MAX,
        _ => usize::try_from(available()? / 100 * SHARE / memory)?,
    };
    if fitting == 0 {
        return Err("not enough memory; give less with --memory".into());
    }
    if others.is_empty() {
        return Ok(vec![vec![floor]]);
    }
    let beside = fitting.saturating_sub(1).max(1);
    Ok(others.chunks(beside).map(|chunk| [&[floor], chunk].concat()).collect())
}

/// Returns the available memory in bytes.
fn available() -> Result<u64, Failure> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).ok_or("no MemAvailable")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
