//! The library on the real kernel: what a child is given, and what the caller is told.
//!
//! What belongs where:
//!
//! - `activation`: sockets that are handed over with an announcement
//! - `calls`: how many system calls a start makes
//! - `causes`: what an exec that fails is said to fail by
//! - `child`: waiting, signalling, talking, and a child that never came to exec
//! - `closing`: everything that is not handed over is closed, by each link of the chain
//! - `exec`: exec in the calling process
//! - `hostile`: namespaces, mounts, limits, filters and parents that nobody would wish for
//! - `one_process`: how many processes a start makes
//! - `pipelines`: commands whose output is the next one's input
//! - `placing`: descriptors under chosen numbers, and the report that none of them can hit
//! - `pre_exec`: closures that fail or panic
//! - `prepared`: one command, started many times
//! - `refused`: commands that mean nothing, of which nothing starts
//! - `slots`: parents with many descriptors, and low numbers that are lent for high ones
//! - `stages`: each stage as the child sees it, and as it fails
//! - `strace`: which system calls a start consists of
//!
//! What they stand on:
//!
//! - `ground`: the backend under test, and what this process may do
//! - `held`: signals blocked, ignored or handled for a while
//! - `random`: property tests with a seed that is told
//! - `start`: commands that start the probe, and what came of it

#![cfg(any(target_os = "linux", target_os = "android"))]

mod activation;
mod calls;
mod causes;
mod child;
mod closing;
mod exec;
mod hostile;
mod one_process;
mod pipelines;
mod placing;
mod pre_exec;
mod prepared;
mod refused;
mod slots;
mod stages;
mod strace;

mod ground;
mod held;
mod random;
mod start;
