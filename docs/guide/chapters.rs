//! The code of the guide, as documentation tests: `cargo test -p forkexec-guide --all-features`.
//!
//! The chapters are in `src`. `tests` compares the tables of the migration chapters with the libraries they name.

/// One module for each chapter, so that a failed test shows the file name of the chapter.
macro_rules! chapters {
    ($($(#[$if:meta])* $name:ident: $file:literal;)*) => {$(
        $(#[$if])*
        #[cfg(all(doctest, target_os = "linux"))]
        #[doc = include_str!(concat!("src/", $file))]
        mod $name {}
    )*};
}

chapters! {
    introduction: "README.md";
    from_std: "from-std.md";
    #[cfg(feature = "tokio")]
    from_tokio: "from-tokio.md";
    from_duct: "from-duct.md";
    from_subprocess: "from-subprocess.md";
    from_command_fds: "from-command-fds.md";
    from_close_fds: "from-close-fds.md";
    from_cpython: "from-cpython.md";
    supervisors: "supervisors.md";
    sandboxes: "sandboxes.md";
    terminals: "terminals.md";
    socket_activation: "socket-activation.md";
    build_tools: "build-tools.md";
    daemons: "daemons.md";
    leaks: "leaks.md";
    performance: "performance.md";
}
