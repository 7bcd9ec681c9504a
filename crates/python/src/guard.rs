//! Turns a panic into an exception. A panic that reaches C aborts the interpreter.

use crate::py::{Exception, Result, raise};
use core::any::Any;
use core::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(not(panic = "unwind"))]
compile_error!("panics must unwind, because an abort would end the interpreter");

/// Runs the work. If it panics, raises `SystemError`.
pub(crate) fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // Each value that outlives an unwound call restores its invariant when it is dropped.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let raised = raise(Exception::System, message(&*payload));
        // Dropping a payload can panic again.
        mem::forget(payload);
        Err(raised)
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panic")
}
