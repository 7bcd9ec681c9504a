//! Selects the tracer. Programs can be traced on Linux, on processors whose system calls are listed here. On other systems,
//! the modules of the report are compiled but not used.

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
        #[allow(dead_code, reason = "there is no tracer")]
        pub(super) mod report;
        pub(super) mod print;
        #[allow(dead_code, reason = "there is no tracer")]
        mod mentions;
        #[allow(dead_code, reason = "there is no tracer")]
        pub(super) mod options;
        pub(super) use elsewhere::trace;
    }
}
