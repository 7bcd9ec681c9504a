//! vfork(2) with a stack of its own for the child.

use crate::{Kernel, System, Vfork, done, map};
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use forkexec_core::{Errno, Pid, Resource, SharingSys, SpawnMethod, Top, VforkSys};

/// True if there is a trampoline for the processor.
const HAS_TRAMPOLINE: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// The methods of a system that states [`System::VFORK`], on the processor that this is built for.
pub const VFORK_LAUNCHERS: &[SpawnMethod] =
    if HAS_TRAMPOLINE { &[SpawnMethod::Vfork, SpawnMethod::Fork] } else { &[SpawnMethod::Fork] };

// SAFETY: each method makes the call that the trait names. The mapping of `map_private` stays until `unmap`.
unsafe impl<T: System> SharingSys for Kernel<T> {
    fn map_private(&self, length: usize) -> Result<NonNull<u8>, Errno> {
        map(length, libc::MAP_PRIVATE)
    }

    unsafe fn mprotect_none(&self, memory: NonNull<u8>, length: usize) -> Result<(), Errno> {
        // SAFETY: the caller guarantees the conditions.
        done(unsafe { libc::mprotect(memory.as_ptr().cast(), length, libc::PROT_NONE) })
    }

    fn is_dumpable(&self) -> Result<bool, Errno> {
        T::is_dumpable()
    }

    fn make_dumpable(&self) -> Result<(), Errno> {
        T::make_dumpable()
    }

    fn is_sanitized(&self) -> bool {
        T::is_sanitized()
    }
}

// SAFETY: `vfork` runs `child` only in the child, which then exits. The parent is suspended as long as the child shares its
// memory.
unsafe impl<T: System> VforkSys for Kernel<T> {
    fn has_vfork(&self) -> bool {
        HAS_TRAMPOLINE && T::VFORK.is_some()
    }

    fn limit_changes_memory(&self, resource: Resource) -> bool {
        T::LIMIT_OF_MEMORY == Some(resource)
    }

    unsafe fn vfork(&self, top: Top, child: &dyn Fn() -> c_int) -> Result<Pid, Errno> {
        let Some(vfork) = T::VFORK.filter(|_| HAS_TRAMPOLINE) else { return Err(Errno::NOSYS) };
        // The child has no thread-local memory of its own, so its calls change the errno of this thread.
        let before = errno::errno();
        let argument = (&raw const child).cast::<c_void>();
        // SAFETY: the caller guarantees the state of stack and signals. `argument` outlives the call: the parent returns from it
        // only when the child no longer shares its memory.
        let pid = unsafe { on_stack(vfork, top, argument) };
        let result = if pid < 0 { Err(Errno::from_raw(errno::errno().0)) } else { Ok(pid) };
        errno::set_errno(before);
        result
    }
}

/// Calls vfork(2). The child runs [`child_main`] on the stack that begins at `top`. Returns in the parent, -1 after an error.
///
/// The child leaves the stack of its parent at once: the parent continues with it as it was at the call. Registers that a call
/// preserves hold what the child needs. Each of both processes has its own registers.
#[cfg(target_arch = "x86_64")]
unsafe fn on_stack(vfork: Vfork, top: Top, argument: *const c_void) -> c_int {
    let pid: c_int;
    // SAFETY: the caller guarantees the stack. The child does not return.
    unsafe {
        core::arch::asm!(
            "call r14",
            "test eax, eax",
            "jne 2f",
            "mov rsp, r12",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call {child_main}",
            "ud2",
            "2:",
            child_main = sym child_main,
            in("r12") top.as_ptr(),
            in("r13") argument,
            in("r14") vfork,
            lateout("eax") pid,
            clobber_abi("C"),
        );
    }
    pid
}

/// Does the same for AArch64.
#[cfg(target_arch = "aarch64")]
unsafe fn on_stack(vfork: Vfork, top: Top, argument: *const c_void) -> c_int {
    let pid: c_int;
    // SAFETY: the caller guarantees the stack. The child does not return.
    unsafe {
        core::arch::asm!(
            "blr x22",
            "cbnz w0, 2f",
            "mov sp, x20",
            "mov x29, xzr",
            "mov x0, x21",
            "bl {child_main}",
            "brk #1",
            "2:",
            child_main = sym child_main,
            in("x20") top.as_ptr(),
            in("x21") argument,
            in("x22") vfork,
            lateout("w0") pid,
            clobber_abi("C"),
        );
    }
    pid
}

/// Other processors have no trampoline, and [`VforkSys::has_vfork`] says so.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn on_stack(_vfork: Vfork, _top: Top, _argument: *const c_void) -> c_int {
    errno::set_errno(errno::Errno(libc::ENOSYS));
    -1
}

/// The main function of the child. `argument` points to the `&dyn Fn` of [`VforkSys::vfork`].
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
extern "C" fn child_main(argument: *const c_void) -> ! {
    // SAFETY: `VforkSys::vfork` made it of a reference in its own frame, which exists while the parent is suspended in the call.
    // If the parent is not suspended, this process has a copy of that memory.
    let child = unsafe { *argument.cast::<&dyn Fn() -> c_int>() };
    let status = child();
    // SAFETY: ends the child.
    unsafe { libc::_exit(status) }
}
