//! Resource limits as the caller set them.

use forkexec_core::{Limit, Resource};

/// A change of a limit. A side that is `None` stays as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitChange {
    pub(crate) resource: Resource,
    pub(crate) soft: Option<u64>,
    pub(crate) hard: Option<u64>,
}

impl LimitChange {
    /// Returns the limit after the change, given the one before.
    pub(crate) fn of<E>(self, before: impl FnOnce() -> Result<Limit, E>) -> Result<Limit, E> {
        let Self { resource, soft, hard } = self;
        let (soft, hard) = match (soft, hard) {
            (Some(soft), Some(hard)) => (soft, hard),
            (soft, hard) => {
                let before = before()?;
                (soft.unwrap_or(before.soft), hard.unwrap_or(before.hard))
            }
        };
        Ok(Limit { resource, soft, hard })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_that_is_not_set_stays() {
        let change = |soft, hard| {
            let before = || Ok::<_, ()>(Limit { resource: Resource::CORE, soft: 1, hard: 2 });
            let after = LimitChange { resource: Resource::CORE, soft, hard }.of(before).expect("it is known");
            (after.soft, after.hard)
        };
        assert_eq!(change(Some(7), None), (7, 2));
        assert_eq!(change(None, Some(7)), (1, 7));
        let unknown = LimitChange { resource: Resource::CORE, soft: None, hard: Some(7) };
        assert_eq!(unknown.of(|| Err(())), Err(()));
        let known = LimitChange { soft: Some(3), ..unknown };
        assert_eq!(known.of(|| Err(())).map(|limit| (limit.soft, limit.hard)), Ok((3, 7)));
    }
}
