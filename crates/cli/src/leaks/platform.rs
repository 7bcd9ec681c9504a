//! Where programs can be traced: on Linux, on processors whose system calls are known here. Elsewhere nothing is found, and what
//! tells of it is there for the compiler alone.

cfg_if::cfg_if! {
    if #[cfg(all(
        any(target_os = "linux", target_os = "android"),
        any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"),
    ))] {
        pub(super) mod report;
        mod linux;
        pub(super) mod print;
        mod mentions;
        pub(super) mod options;
        pub(super) use linux::trace;
    } else {
        mod elsewhere;
        #[allow(dead_code, reason = "nothing is found")]
        pub(super) mod report;
        pub(super) mod print;
        #[allow(dead_code, reason = "nothing is looked at")]
        mod mentions;
        #[allow(dead_code, reason = "nothing is looked at")]
        pub(super) mod options;
        pub(super) use elsewhere::trace;
    }
}
