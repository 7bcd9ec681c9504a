//! Turns a panic into an exception. A panic that reaches C aborts the interpreter.

use crate::py::{Exception, Result, raise};
use core::any::Any;
use core::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(not(panic = "unwind"))]
compile_error!("a panic must unwind to where it is caught: it must not abort the interpreter");

/// Does the work. If it panics, raises `SystemError`.
pub(crate) fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // Each value that outlives an unwound call restores its own invariant when it is dropped.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let raised = raise(Exception::System, message(&*payload));
        // The drop of a payload may panic again.
        mem::forget(payload);
        Err(raised)
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panic")
}
