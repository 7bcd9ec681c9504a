//! The code of the child over one backend, selected by a feature, and no other code.
//!
//! There is no allocator here: code that allocates would not link. The panic handler calls an undefined
//! function: if the code can reach a panic, the name is among the undefined symbols.

#![no_std]

#[cfg(any(feature = "linux", feature = "posix"))]
use forkexec_core::ForkedChild;

/// A forked child on Linux, before exec.
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

/// A child on Linux that shares the memory of its parent.
///
/// # Safety
///
/// It is never called: `ci/child-symbols` reads its object code.
#[cfg(feature = "linux_shared")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_linux_shared(
    child: &forkexec_core::BorrowingChild<'_, forkexec_linux::Linux<forkexec_linux::Kernel>>,
) -> core::ffi::c_int {
    child.run()
}

/// The reporter of the drop-in for CPython.
#[cfg(feature = "python")]
#[path = "../../../crates/python/src/error_pipe.rs"]
#[expect(dead_code, reason = "the parent calls one method")]
mod error_pipe;

/// A child that the drop-in for CPython forks without a closure. One that shares memory is like any other.
///
/// # Safety
///
/// It is never called: `ci/child-symbols` reads its object code.
#[cfg(feature = "python")]
#[unsafe(no_mangle)]
#[expect(private_interfaces, reason = "only the linker uses it")]
pub unsafe extern "C" fn forkexec_child_python(
    plan: &forkexec_core::Plan<'_>,
    context: &forkexec_core::ChildContext,
    backend: &forkexec_linux::Linux<forkexec_linux::Kernel>,
    reporter: &error_pipe::ErrorPipe<'_, forkexec_linux::Kernel>,
) -> ! {
    forkexec_core::run_forked(backend, plan, context, reporter)
}

/// A forked child over the portable backend.
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

/// A child over the portable backend that shares the memory of its parent, started by vfork(2).
///
/// # Safety
///
/// It is never called: `ci/child-symbols` reads its object code.
#[cfg(feature = "posix_shared")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_posix_shared(
    child: &forkexec_core::BorrowingChild<'_, forkexec_posix::Posix<forkexec_posix::Kernel>>,
) -> core::ffi::c_int {
    child.run()
}

/// The closure of `InheritOnly`, which std runs in a child, and `AllFds::set_cloexec` in one that the program forked.
///
/// # Safety
///
/// It is never called: `ci/child-symbols` reads its object code.
#[cfg(feature = "linux_marking")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_linux_marking(
    backend: &forkexec_linux::Linux<forkexec_linux::Kernel>,
    keep: &forkexec_core::KeepList<'_>,
) -> bool {
    marks(backend, keep)
}

/// The same over the portable backend.
///
/// # Safety
///
/// It is never called: `ci/child-symbols` reads its object code.
#[cfg(feature = "posix_marking")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_posix_marking(
    backend: &forkexec_posix::Posix<forkexec_posix::Kernel>,
    keep: &forkexec_core::KeepList<'_>,
) -> bool {
    marks(backend, keep)
}

#[cfg(any(feature = "linux_marking", feature = "posix_marking"))]
fn marks(backend: &impl forkexec_core::Backend, keep: &forkexec_core::KeepList<'_>) -> bool {
    use forkexec_core::{inherit_only, set_cloexec_except};

    let strategy = backend.first_strategy();
    let inherits = inherit_only(backend, 3, *keep, strategy).is_ok();
    inherits && set_cloexec_except(backend, 3, *keep, false, strategy).is_ok()
}

/// `AllFds::close` in a child that the program forked.
///
/// # Safety
///
/// It is never called: `ci/child-symbols` reads its object code.
#[cfg(feature = "linux_closing")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_linux_closing(
    backend: &forkexec_linux::Linux<forkexec_linux::Kernel>,
    keep: &forkexec_core::KeepList<'_>,
) -> bool {
    use forkexec_core::{Backend as _, close_except};

    let closed = close_except(backend, 3, *keep, backend.first_strategy());
    closed.map(|closed| backend.learn(&closed)).is_ok()
}

/// A function that can panic, to test the check.
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
