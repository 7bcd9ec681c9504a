//! The users and groups that this system knows (getpwnam(3), getgrouplist(3)).

use nix::unistd::User;
use std::ffi::CString;
use std::io;

/// The ids of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Looks up a user. Returns `None` if there is none of this name.
pub(crate) fn account(name: &str) -> io::Result<Option<Account>> {
    let user = User::from_name(name)?;
    Ok(user.map(|user| Account { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
}

/// Returns the groups of a user, `gid` among them.
pub(crate) fn groups(name: &str, gid: u32) -> io::Result<Vec<u32>> {
    groups_from(name, gid, FIRST_ROOM)
}

/// Does the same, at first with room for this number of groups.
fn groups_from(name: &str, gid: u32, room: usize) -> io::Result<Vec<u32>> {
    let name = CString::new(name)?;
    let mut groups: Vec<u32> = vec![0; room];
    loop {
        let room = i32::try_from(groups.len()).map_err(io::Error::other)?;
        let mut count = room;
        #[expect(clippy::allow_attributes, reason = "the type of an id differs by system")]
        #[allow(clippy::cast_possible_wrap, clippy::useless_conversion, trivial_numeric_casts)]
        let base = gid as _;
        // SAFETY: the name is a C string. The function writes at most `count` ids of 32 bits, and the number that there are.
        let found =
            unsafe { libc::getgrouplist(name.as_ptr(), base, groups.as_mut_ptr().cast(), &raw mut count) };
        if found >= 0 && count <= room {
            groups.truncate(usize::try_from(count).unwrap_or(0));
            return Ok(groups);
        }
        if groups.len() >= MOST_GROUPS {
            return Err(io::Error::from_raw_os_error(libc::EOVERFLOW));
        }
        // Some systems do not say how many there are.
        groups.resize((groups.len() + 1) * 4, 0);
    }
}

const FIRST_ROOM: usize = 64;
/// `NGROUPS_MAX` of Linux, and more than any other system takes.
const MOST_GROUPS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::{account, groups, groups_from};

    #[test]
    fn superuser_has_its_ids_and_its_group() {
        let root = account("root").expect("the list can be read").expect("there is a superuser");
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(groups("root", 4321).expect("the list can be read").contains(&4321));
    }

    #[test]
    fn room_grows_to_the_number_of_groups() {
        let all = groups("root", 4321).expect("the list can be read");
        assert_eq!(groups_from("root", 4321, 0).expect("the list can be read"), all);
    }

    #[test]
    fn unknown_user_is_none() {
        assert_eq!(account("no-such-user").expect("the list can be read"), None);
    }
}
