//! The ids of a user that was named.

use crate::config::settings::Settings;
use crate::error::{Error, InputError, failed};
use crate::prepare::checked::SettingsRef;
use crate::sys::users;

/// Fills in the ids of the named user. Ids that were set stay.
pub(super) fn resolve(settings: SettingsRef<'_>) -> Result<SettingsRef<'_>, Error> {
    let Some(name) = settings.user.clone() else { return Ok(settings) };
    let mut resolved: Settings<'_> = (*settings).clone();
    let no_such_user = || InputError::NoSuchUser { name: name.clone() };
    if name.is_empty() {
        return Err(no_such_user().into());
    }
    let account = users::account(&name).map_err(|error| failed(LOOK_UP, &error))?.ok_or_else(no_such_user)?;
    resolved.user = None;
    resolved.uid.get_or_insert(account.uid);
    if !resolved.keep_groups {
        let gid = *resolved.gid.get_or_insert(account.gid);
        if resolved.groups.is_none() {
            resolved.groups = Some(users::groups(&name, gid).map_err(|error| failed(LOOK_UP, &error))?);
        }
    }
    Ok(SettingsRef::Owned(Box::new(resolved)))
}

const LOOK_UP: &str = "look up the user";

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::empty("")]
    #[case::with_a_null("ro\0ot")]
    fn name_that_no_user_can_have_is_refused(#[case] name: &str) {
        let settings = Settings { user: Some(name.to_owned()), ..Settings::new("true".into()) };
        let refused = resolve(SettingsRef::Borrowed(&settings)).map(drop).expect_err("it is no user");
        assert!(
            matches!(&refused, Error::Input(InputError::NoSuchUser { name: named }) if named == name),
            "{refused:?}"
        );
    }
}
