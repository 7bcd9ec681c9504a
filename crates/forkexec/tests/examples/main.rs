//! The examples that a user runs in a terminal, driven through a pseudo-terminal.
//!
//! - `multiplexer`: several shells, of which one has the screen
//!
//! `screen` starts an example on a pseudo-terminal, types, and reads the output.

mod multiplexer;
mod screen;
