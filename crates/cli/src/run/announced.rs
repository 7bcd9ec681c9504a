//! `--keep-announced`: what the environment announces to this process goes to the program.

use forkexec::{Command, Error, Jobserver, listen_fds, watchdog_enabled};

use crate::exit::Failure;

/// The option, for messages.
pub(super) const OPTION: &str = "--keep-announced";

/// Passes on make's jobserver, the sockets of socket activation, and the watchdog. Notifications need nothing: the
/// program inherits the address.
///
/// # Errors
///
/// Fails if a variable is invalid, or if a descriptor that it announces is not open or is another file.
pub(super) fn apply(command: &mut Command) -> Result<(), Failure> {
    let failed = |error: Error| Failure::refused(format!("{OPTION}: {error}"));
    // SAFETY: this process inherited the descriptors that are not close-on-exec. It opens all others close-on-exec, and
    // closes none but those.
    if let Some(jobserver) = unsafe { Jobserver::from_env() }.map_err(failed)? {
        command.keep_jobserver(&jobserver);
    }
    // SAFETY: as above. `--keep` and `--map` borrow such descriptors, and the command that this function gets owns them
    // from here on, so they stay open as long as it does.
    for socket in unsafe { listen_fds() }.map_err(failed)? {
        command.listen_fd(socket.fd, socket.name);
    }
    if let Some(interval) = watchdog_enabled().map_err(failed)? {
        command.watchdog(interval);
    }
    Ok(())
}
