//! The library on the real kernel: what a child gets, and what the caller gets back.
//!
//! - `activation`: inherited sockets and their variables
//! - `attributes`: the attributes that only some systems have
//! - `calls`: the number of system calls of a spawn
//! - `causes`: causes of a failed exec
//! - `child`: waiting, signalling, communicating, and children that never reach exec
//! - `closing`: each strategy closes all that the child is not to inherit
//! - `copies`: copies of commands, and the ways to hand over a descriptor
//! - `exec`: exec in the calling process
//! - `hostile`: hostile namespaces, mounts, limits, filters and parents
//! - `jobserver`: make's jobserver, with a real make
//! - `names`: the names of `std::process`, with the same results
//! - `notify`: children that announce that they are ready or alive
//! - `one_process`: the number of processes of a spawn
//! - `pipelines`: commands that pass their output to the next command
//! - `placing`: descriptors under chosen numbers, which never hit the report
//! - `pre_exec`: closures that fail or panic
//! - `prepared`: one command, started many times
//! - `refused`: invalid commands, which start nothing
//! - `slots`: parents with many descriptors, and low numbers that stand in for high ones
//! - `stages`: each stage as the child sees it, and as it fails
//! - `strace`: the system calls of a spawn
//! - `streams`: merged streams, capacities, non-blocking mode
//! - `taking`: children that take high descriptors from their parent
//! - `terminals`: pseudo-terminals, raw mode, the foreground
//!
//! Helpers:
//!
//! - `few_numbers`: a pid namespace in which pids are soon reused
//! - `ground`: the backend under test, and the privileges of this process
//! - `held`: signals blocked, ignored or handled for a while
//! - `random`: property tests that print their seed
//! - `start`: commands that start the probe, and their results

#![cfg(any(target_os = "linux", target_os = "android"))]

mod activation;
mod attributes;
mod calls;
mod causes;
mod child;
mod closing;
mod copies;
mod exec;
mod hostile;
mod jobserver;
mod names;
mod notify;
mod one_process;
mod pipelines;
mod placing;
mod pre_exec;
mod prepared;
mod refused;
mod slots;
mod stages;
mod strace;
mod streams;
mod taking;
mod terminals;

mod few_numbers;
mod ground;
mod held;
mod random;
mod start;
