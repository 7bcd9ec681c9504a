//! The switch that turns a mutant on, and the functions that a test reaches. `ci/mutants` adds this module to a copy of the crate that
//! it mutates.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering::Relaxed};

/// The number of the mutant that is on; 0 is none. `ci/mutants` finds it in an executable by the words before it, and changes it there. A
/// variable of the environment or a file would not reach a program that has another environment or root.
#[used]
static SWITCH: [AtomicU64; 3] =
    [AtomicU64::new(u64::from_ne_bytes(*b"mutant n")), AtomicU64::new(u64::from_ne_bytes(*b"umber is")), AtomicU64::new(0)];

/// A byte for each function, in a file that all processes of a test share.
static REACHED: AtomicPtr<AtomicU8> = AtomicPtr::new(null_mut());

unsafe extern "C" {
    fn open(path: *const u8, flags: i32, ...) -> i32;
    fn mmap(address: *mut u8, length: usize, protection: i32, flags: i32, fd: i32, offset: i64) -> *mut u8;
    fn close(fd: i32) -> i32;
}

#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = map_reached;

/// Maps the file, and leaves no descriptor open.
extern "C" fn map_reached() {
    let (read_write_cloexec, read_write, shared) = (0o2_000_002, 3, 1);
    // SAFETY: the path ends with a NUL, and the mapping is new and has the length of the file.
    unsafe {
        let fd = open(concat!(env!("FORKEXEC_REACHED"), "\0").as_ptr(), read_write_cloexec);
        if fd < 0 {
            return;
        }
        let mapped = mmap(null_mut(), LENGTH, read_write, shared, fd, 0);
        close(fd);
        if mapped.addr() != usize::MAX {
            REACHED.store(mapped.cast(), Relaxed);
        }
    }
}

const LENGTH: usize = 1 << 14;

/// Returns true if this mutant is on.
#[inline(never)]
pub(crate) fn is_on(mutant: u64) -> bool {
    SWITCH[2].load(Relaxed) == mutant
}

/// Notes that a test reaches this function.
#[inline(never)]
pub(crate) fn reached(function: usize) {
    let all = REACHED.load(Relaxed);
    if !all.is_null() {
        // SAFETY: the mapping stays, and there are fewer functions than bytes in it.
        unsafe { (*all.add(function)).store(1, Relaxed) };
    }
}
