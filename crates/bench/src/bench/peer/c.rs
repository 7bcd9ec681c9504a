//! Peers in C, linked with libraries that pkg-config finds.

use super::Peers;
use crate::bench::Failure;
use crate::bench::toolbox::{Toolbox, run};
use std::ffi::OsString;
use std::process::Command;

/// Compiles the workers and adds them.
pub(super) fn find(toolbox: &Toolbox, peers: &mut Peers) {
    let glib = || worker(toolbox, "glib", "glib-2.0", include_str!("../../../workers/glib.c"));
    peers.add("glib", "glib g_spawn_async", glib);
    let libuv = || worker(toolbox, "libuv", "libuv", include_str!("../../../workers/libuv.c"));
    peers.add("libuv", "libuv uv_spawn", libuv);
}

/// Returns the version for the title, and the command.
fn worker(
    toolbox: &Toolbox,
    name: &str,
    package: &str,
    source: &str,
) -> Result<(String, Vec<OsString>), Failure> {
    let pkg_config = |arguments: &[&str]| run(Command::new("pkg-config").args(arguments).arg(package));
    let version = pkg_config(&["--modversion"])?;
    let flags = pkg_config(&["--cflags", "--libs"])?;
    let flags = ["-pthread"].into_iter().chain(flags.split_whitespace());
    Ok((version, vec![toolbox.c(name, source, flags)?.into()]))
}
