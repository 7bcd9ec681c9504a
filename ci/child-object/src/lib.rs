//! The child's code over one backend, chosen by a feature, with nothing else in the object.
//!
//! There is no allocator here: code that allocates would not link. The panic handler calls an undefined
//! function: if the code can reach a panic, the name is among the undefined symbols.

#![no_std]

#[cfg(any(feature = "linux", feature = "posix"))]
use forkexec_core::ForkedChild;

/// The whole life of a forked child on Linux before exec.
///
/// # Safety
///
/// It is never called: `ci/child-symbols` reads its object code.
#[cfg(feature = "linux")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_linux(
    child: &ForkedChild<'_, forkexec_linux::Linux<forkexec_linux::Kernel>>,
) -> ! {
    child.run()
}

/// The whole life of a child on Linux that borrows its parent's memory.
///
/// # Safety
///
/// It is never called: `ci/child-symbols` reads its object code.
#[cfg(feature = "linux_shared")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_linux_shared(
    child: &forkexec_linux::BorrowingChild<'_, forkexec_linux::Linux<forkexec_linux::Kernel>>,
) -> core::ffi::c_int {
    child.run()
}

/// The reporter of CPython's drop-in.
#[cfg(feature = "python")]
#[path = "../../../crates/python/src/error_pipe.rs"]
#[expect(dead_code, reason = "one method is the parent's")]
mod error_pipe;

/// The whole life of a child that CPython's drop-in forks without a closure. One that shares memory is like any other.
///
/// # Safety
///
/// It is never called: `ci/child-symbols` reads its object code.
#[cfg(feature = "python")]
#[unsafe(no_mangle)]
#[expect(private_interfaces, reason = "nobody but the linker sees it")]
pub unsafe extern "C" fn forkexec_child_python(
    plan: &forkexec_core::Plan<'_>,
    birth: &forkexec_core::ChildContext,
    backend: &forkexec_linux::Linux<forkexec_linux::Kernel>,
    reporter: &error_pipe::ErrorPipe<'_, forkexec_linux::Kernel>,
) -> ! {
    forkexec_core::run_forked(backend, plan, birth, reporter)
}

/// The same over the portable floor.
///
/// # Safety
///
/// It is never called: `ci/child-symbols` reads its object code.
#[cfg(feature = "posix")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_posix(
    child: &ForkedChild<'_, forkexec_posix::Posix<forkexec_posix::Kernel>>,
) -> ! {
    child.run()
}

/// A function that can panic, to prove that the check would see it.
#[cfg(feature = "panics")]
#[unsafe(no_mangle)]
pub extern "C" fn forkexec_child_panics(numbers: &[u8; 4], index: usize) -> u8 {
    numbers[index]
}

unsafe extern "C" {
    safe fn forkexec_child_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    forkexec_child_can_panic()
}
