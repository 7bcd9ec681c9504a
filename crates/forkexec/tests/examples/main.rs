//! The examples that a user runs in a terminal, driven through a pseudo-terminal.
//!
//! - `multiplexer`: several shells, of which one has the screen
//! - `shell`: pipelines, redirections and job control
//!
//! `screen` starts an example on a pseudo-terminal, types, and reads the output.

mod multiplexer;
mod screen;
mod shell;

#[test]
fn examples_fit_on_a_few_pages() {
    for text in [include_str!("../../examples/multiplexer.rs"), include_str!("../../examples/shell.rs")] {
        assert!(text.lines().count() < 200);
    }
}
