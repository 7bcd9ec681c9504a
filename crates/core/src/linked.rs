//! Finds sanitizers that are part of the program.

/// Returns whether a sanitizer is part of the program: looks for the initialisers of the run-time libraries. For ELF systems.
///
/// The references are weak, so the address of a symbol that is not there is zero. dlsym(3) would find only exported symbols,
/// and a Rust program exports none of those linked into it. Rust has no sanitizers for other processors, except for s390x,
/// where they are not detected.
#[macro_export]
macro_rules! is_sanitized {
    () => {{
        let linked = [
            $crate::is_linked!("__asan_init"),
            $crate::is_linked!("__hwasan_init"),
            $crate::is_linked!("__msan_init"),
            $crate::is_linked!("__tsan_init"),
        ];
        linked.contains(&true)
    }};
}

/// Returns whether the program defines a symbol.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[doc(hidden)]
#[macro_export]
macro_rules! is_linked {
    ($name:literal) => {{
        let address: usize;
        // SAFETY: reads an entry of the global offset table, which the linker creates for this.
        unsafe {
            ::core::arch::asm!(
                concat!(".weak ", $name),
                concat!("mov {}, qword ptr [rip + ", $name, "@GOTPCREL]"),
                out(reg) address,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        address != 0
    }};
}

/// Does the same for AArch64.
#[cfg(target_arch = "aarch64")]
#[doc(hidden)]
#[macro_export]
macro_rules! is_linked {
    ($name:literal) => {{
        let address: usize;
        // SAFETY: as above.
        unsafe {
            ::core::arch::asm!(
                concat!(".weak ", $name),
                concat!("adrp {0}, :got:", $name),
                concat!("ldr {0}, [{0}, :got_lo12:", $name, "]"),
                out(reg) address,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        address != 0
    }};
}

/// Other processors have no sanitizers that are detected.
#[cfg(not(any(all(target_arch = "x86_64", target_pointer_width = "64"), target_arch = "aarch64")))]
#[doc(hidden)]
#[macro_export]
macro_rules! is_linked {
    ($name:literal) => {
        false
    };
}
