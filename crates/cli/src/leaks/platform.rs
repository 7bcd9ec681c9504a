//! Where programs can be traced: on Linux, on processors whose system calls are known here.

cfg_if::cfg_if! {
    if #[cfg(all(
        any(target_os = "linux", target_os = "android"),
        any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"),
    ))] {
        mod linux;
        pub(super) use linux::trace;
    } else {
        mod elsewhere;
        pub(super) use elsewhere::trace;
    }
}
