//! Checks before any argument is converted.

use crate::arguments::{Arguments, fds_to_keep};
use crate::optional;
use crate::py::{self, Exception, Result, import, imported, raise, raise_type};
use crate::version::Version;
use forkexec_core::Fd;

/// Checks the interpreter and the descriptors, and returns the keep list.
pub(crate) fn check(arguments: &Arguments<'_>, version: Version) -> Result<Vec<Fd>> {
    let is_main = optional::is_main_interpreter();
    if arguments.preexec_fn.is_some() {
        check_preexec(is_main, version)?;
    }
    if arguments.close_fds && arguments.pipes.errpipe_write < 3 {
        return Err(raise(Exception::Value, "errpipe_write must be >= 3"));
    }
    let keep = fds_to_keep(arguments.fds_to_keep)?;
    if !is_main && version.refuses_isolated() && is_isolated() {
        let text = "subprocess not supported for isolated subinterpreters";
        return Err(raise(Exception::Runtime, text));
    }
    Ok(keep)
}

fn check_preexec(is_main: bool, version: Version) -> Result<()> {
    if version.refuses_preexec_at_end() && is_at_its_end(version) {
        return Err(raise_at_end("preexec_fn not supported at interpreter shutdown"));
    }
    if !is_main {
        return Err(raise(Exception::Runtime, "preexec_fn not supported within subinterpreters"));
    }
    Ok(())
}

/// Returns true if the interpreter is shutting down. On 3.12, that begins when `threading` sets a flag, which no function
/// returns.
fn is_at_its_end(version: Version) -> bool {
    optional::is_finalizing() || version.ends_early() && is_shutting_down()
}

fn is_shutting_down() -> bool {
    let Some(threading) = imported(c"threading") else { return false };
    let flag = threading.get().attribute(c"_SHUTTING_DOWN").and_then(|flag| flag.get().is_true());
    flag.unwrap_or_else(|_| {
        py::clear();
        false
    })
}

/// Raises the exception for an interpreter that is shutting down. 3.13 has its own type for it.
fn raise_at_end(text: &str) -> py::Raised {
    match optional::finalization_error() {
        Some(kind) => raise_type(kind, text),
        None => raise(Exception::Runtime, text),
    }
}

/// Returns true in an isolated subinterpreter. No public function shows that, but the interpreter's own module refuses such
/// an interpreter before it checks the programs.
fn is_isolated() -> bool {
    let answer = import(c"forkexec_posixsubprocess._modules")
        .and_then(|modules| modules.get().attribute(c"is_isolated"))
        .and_then(|is_isolated| is_isolated.get().call())
        .and_then(|answer| answer.get().is_true());
    answer.unwrap_or_else(|_| {
        py::clear();
        false
    })
}
