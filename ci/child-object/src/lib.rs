//! The code of the child over one backend: one root, selected by a feature, and no other code.
//!
//! The backend is that of the target, or the portable one with the feature `posix`. There is no allocator here: code that allocates
//! would not link. The panic handler calls an undefined function: if the code can reach a panic, the name is among the undefined
//! symbols. No root is ever called: `ci/child-symbols` reads the object code.

#![no_std]
#![allow(private_interfaces, reason = "only the linker uses the roots")]

/// The backend of the target. Two roots use none.
#[cfg(not(any(feature = "spawn_exec", feature = "panics")))]
mod backend {
    #[cfg(any(target_os = "macos", target_os = "ios"))]
    pub(crate) type Native = forkexec_apple::Apple<forkexec_apple::Kernel>;
    #[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
    pub(crate) type Native = forkexec_freebsd::Freebsd<forkexec_freebsd::Kernel>;
    #[cfg(all(target_os = "linux", not(feature = "posix")))]
    pub(crate) type Native = forkexec_linux::Linux<forkexec_linux::Kernel>;
    #[cfg(target_os = "netbsd")]
    pub(crate) type Native = forkexec_netbsd::Netbsd<forkexec_netbsd::Kernel>;
    #[cfg(target_os = "openbsd")]
    pub(crate) type Native = forkexec_openbsd::Openbsd<forkexec_openbsd::Kernel>;
    #[cfg(all(target_os = "linux", feature = "posix"))]
    pub(crate) type Native = forkexec_posix::Posix<forkexec_posix::Kernel>;
    #[cfg(any(target_os = "illumos", target_os = "solaris"))]
    pub(crate) type Native = forkexec_solaris::Solaris<forkexec_solaris::Kernel>;
}

/// A forked child, before exec.
///
/// # Safety
///
/// It is never called.
#[cfg(feature = "forked")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_forked(child: &forkexec_core::ForkedChild<'_, backend::Native>) -> ! {
    child.run()
}

/// A forked child on macOS that execs by posix_spawn(2).
///
/// # Safety
///
/// It is never called.
#[cfg(feature = "spawn_exec")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_spawn_exec(
    child: &forkexec_core::ForkedChild<'_, forkexec_apple::SpawnExec<'_, forkexec_apple::Kernel>>,
) -> ! {
    child.run()
}

/// A child that shares the memory of its parent, started by clone(2) or vfork(2).
///
/// # Safety
///
/// It is never called.
#[cfg(feature = "shared")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_shared(
    child: &forkexec_core::BorrowingChild<'_, backend::Native>,
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
/// It is never called.
#[cfg(feature = "python")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_python(
    plan: &forkexec_core::Plan<'_>,
    context: &forkexec_core::ChildContext,
    backend: &backend::Native,
    reporter: &error_pipe::ErrorPipe<'_, forkexec_linux::Kernel>,
) -> ! {
    forkexec_core::run_forked(backend, plan, context, reporter)
}

/// The closure of `InheritOnly`, which std runs in a child, and `AllFds::set_cloexec` in one that the program forked.
///
/// # Safety
///
/// It is never called.
#[cfg(feature = "marking")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_marking(
    backend: &backend::Native,
    keep: &forkexec_core::KeepList<'_>,
) -> bool {
    use forkexec_core::{Backend as _, inherit_only, set_cloexec_except};

    let strategy = backend.first_strategy();
    let inherits = inherit_only(backend, 3, *keep, strategy).is_ok();
    inherits && set_cloexec_except(backend, 3, *keep, false, strategy).is_ok()
}

/// `AllFds::close` in a child that the program forked.
///
/// # Safety
///
/// It is never called.
#[cfg(feature = "closing")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forkexec_child_closing(
    backend: &backend::Native,
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
