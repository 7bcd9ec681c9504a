//! Resource limits of this process.

use forkexec_core::{Limit, Resource};
use std::io;

/// Returns a limit of this process. nix has no getrlimit(2) for Solaris.
#[expect(clippy::allow_attributes, reason = "the types differ by system")]
#[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions, clippy::cast_sign_loss)]
pub(crate) fn of_process(resource: Resource) -> io::Result<Limit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is written, and lives until the call returns. An unknown resource is refused.
    if unsafe { libc::getrlimit(resource.0 as _, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let number = |value: libc::rlim_t| match value {
        libc::RLIM_INFINITY => u64::MAX,
        value => u64::try_from(value).unwrap_or(u64::MAX),
    };
    Ok(Limit { resource, soft: number(limit.rlim_cur), hard: number(limit.rlim_max) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_is_read_or_refused() {
        let core = of_process(Resource::CORE).expect("every system has it");
        assert!(core.soft <= core.hard);
        let unknown = of_process(Resource(i32::MAX)).map_err(|error| error.raw_os_error());
        assert_eq!(unknown, Err(Some(libc::EINVAL)));
    }
}
