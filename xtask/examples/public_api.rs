//! Prints the public API of a crate, a line for each item, from the JSON that rustdoc wrote about it and about the crate whose
//! types it passes on.
//!
//! Called by `ci/public-api`. Implementations that the compiler derives from a type's fields are left out, except `Send` and
//! `Sync`, on which callers rely.

use std::env;
use std::process::ExitCode;

use public_api::{Builder, Error};

/// Traits that each type has or lacks without any code.
const AUTOMATIC: &[&str] = &["Freeze", "Unpin", "UnsafeUnpin", "RefUnwindSafe", "UnwindSafe"];

fn main() -> ExitCode {
    let paths: Vec<String> = env::args().skip(1).collect();
    let [facade, core] = paths.as_slice() else {
        eprintln!("usage: public_api FORKEXEC.json FORKEXEC_CORE.json");
        return ExitCode::from(2);
    };
    match list(facade, core) {
        Ok(lines) => {
            println!("{}", lines.join("\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("public_api: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The items of the facade, and those of `core` that it passes on.
fn list(facade: &str, core: &str) -> Result<Vec<String>, Error> {
    let own = items(facade)?;
    let passed_on = passed_on(&own, &items(core)?);
    Ok([own, passed_on].concat())
}

/// The items of one crate.
fn items(json: &str) -> Result<Vec<String>, Error> {
    let api = Builder::from_rustdoc_json(json).omit_blanket_impls(true).build()?;
    Ok(api.items().map(ToString::to_string).filter(|line| !is_automatic(line)).collect())
}

/// Returns true for the implementation of an automatic trait.
fn is_automatic(line: &str) -> bool {
    let Some((heading, _)) = line.split_once(" for ") else { return false };
    heading.starts_with("impl") && AUTOMATIC.iter().any(|name| heading.ends_with(&format!("::{name}")))
}

/// The items of `core` that belong to a type that the facade exports again.
fn passed_on(facade: &[String], core: &[String]) -> Vec<String> {
    let names: Vec<&str> = facade.iter().filter_map(|line| line.strip_prefix("pub use forkexec::")).collect();
    core.iter().filter(|line| owner(line).is_some_and(|name| names.contains(&name))).cloned().collect()
}

/// The type that an item of `core` belongs to: the one that an implementation is for, or else the first in the line.
fn owner(line: &str) -> Option<&str> {
    let line =
        line.split_once(" for ").filter(|_| line.starts_with("impl")).map_or(line, |(_, subject)| subject);
    let (_, path) = line.split_once("forkexec_core::")?;
    path.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}
