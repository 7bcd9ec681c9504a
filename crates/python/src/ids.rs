//! Conversion of user and group ids, as the interpreter's own converters do it, which are not public.

use crate::arguments::Ids;
use crate::memory::{NoMemory, room};
use crate::py::{self, Exception, Object, Overflow, Result, raise, raise_not_integer};
use crate::version::Version;
use core::ffi::CStr;

/// The ids and the umask of the child.
#[derive(Default)]
pub(crate) struct Identity {
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) gid: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) umask: Option<u32>,
}

impl Identity {
    pub(crate) fn new(ids: Ids<'_>, version: Version) -> Result<Self> {
        Ok(Self {
            groups: ids.groups.some().map(|groups| group_list(groups, version)).transpose()?,
            gid: ids.gid.some().map(|gid| id(gid, c"gid")).transpose()?.filter(|&id| is_one(id)),
            uid: ids.uid.some().map(|uid| id(uid, c"uid")).transpose()?.filter(|&id| is_one(id)),
            umask: u32::try_from(ids.umask).ok(),
        })
    }
}

/// Returns false for -1, which leaves the id unchanged.
fn is_one(id: u32) -> bool {
    id != u32::MAX
}

/// `NGROUPS_MAX` of Linux. Without that constant, CPython uses a limit that is not the system's either.
const MOST_GROUPS: isize = 65536;

fn group_list(list: Object<'_>, version: Version) -> Result<Vec<u32>> {
    if !list.is_list() {
        return Err(raise(Exception::Type, "setgroups argument must be a list"));
    }
    let name = version.groups_name();
    let length = list.len()?;
    if length > MOST_GROUPS {
        return Err(raise(Exception::Value, &format!("too many {name}")));
    }
    let mut groups = room(usize::try_from(length).unwrap_or(0)).map_err(NoMemory::raise)?;
    for index in 0..length {
        groups.push(group(list.item(index)?.get(), name)?);
    }
    Ok(groups)
}

fn group(item: Object<'_>, name: &str) -> Result<u32> {
    if !item.is_int() {
        return Err(raise(Exception::Type, &format!("{name} must be integers")));
    }
    id(item, c"gid").map_err(|_| raise(Exception::Value, "invalid group id"))
}

/// Converts one id. As in the interpreter, a value above the range is "too small" if it fits a C long.
fn id(object: Object<'_>, what: &CStr) -> Result<u32> {
    let index = object.index().map_err(|_| {
        py::clear();
        raise_not_integer(what, object)
    })?;
    let what = what.to_str().unwrap_or_default();
    let too_small = || raise(Exception::Overflow, &format!("{what} is less than minimum"));
    match index.get().long()? {
        Ok(-1) => Ok(u32::MAX),
        Ok(value) => u32::try_from(value).map_err(|_| too_small()),
        Err(Overflow::Below) => Err(too_small()),
        Err(Overflow::Above) => Err(raise(Exception::Overflow, &format!("{what} is greater than maximum"))),
    }
}
