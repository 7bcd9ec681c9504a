//! The examples that a user runs in a terminal, driven through a pseudo-terminal.
//!
//! - `multiplexer`: several shells, of which one has the screen
//! - `shell`: pipelines, redirections and job control
//! - `supervisor`: services that fail, stop and refuse to stop
//!
//! `screen` starts an example on a pseudo-terminal, types, and reads the output.

mod multiplexer;
mod screen;
mod shell;
mod supervisor;

#[test]
fn examples_fit_on_a_few_pages() {
    let texts = [
        include_str!("../../examples/multiplexer.rs"),
        include_str!("../../examples/shell.rs"),
        include_str!("../../examples/supervisor.rs"),
    ];
    for text in texts {
        assert!(text.lines().count() < 200);
    }
}
