//! The environment of a child: the parent's with changes, or one from nothing.

use crate::InputError;
use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Changes to an environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    cleared: bool,
    changes: BTreeMap<OsString, Option<OsString>>,
}

impl Environment {
    pub(crate) fn set(&mut self, name: &OsStr, value: &OsStr) {
        self.changes.insert(name.to_owned(), Some(value.to_owned()));
    }

    pub(crate) fn remove(&mut self, name: &OsStr) {
        if self.cleared {
            self.changes.remove(name);
        } else {
            self.changes.insert(name.to_owned(), None);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.cleared = true;
        self.changes.clear();
    }

    /// What was set or removed.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.changes.iter().map(|(name, value)| (name.as_os_str(), value.as_deref()))
    }

    /// The variables that the child gets, in the order of their names. `vars_os` copies under std's lock, so that a
    /// change in another thread is seen whole or not at all.
    pub(crate) fn resolve(&self) -> BTreeMap<OsString, OsString> {
        let mut variables: BTreeMap<_, _> =
            if self.cleared { BTreeMap::new() } else { env::vars_os().collect() };
        for (name, value) in &self.changes {
            match value {
                Some(value) => variables.insert(name.clone(), value.clone()),
                None => variables.remove(name),
            };
        }
        variables
    }

    /// Refuses names that cannot be told from others once they stand in an environment.
    pub(crate) fn check(&self) -> Result<(), InputError> {
        for (name, value) in self.changes() {
            if name.is_empty() {
                return Err(InputError::EmptyEnvName);
            }
            if name.as_bytes().contains(&b'=') {
                return Err(InputError::EqualsInEnvName { name: name.to_owned() });
            }
            if name.as_bytes().contains(&0) || value.is_some_and(|value| value.as_bytes().contains(&0)) {
                return Err(InputError::NulInEnv { name: name.to_owned() });
            }
        }
        Ok(())
    }
}

/// `NAME=value`, as exec wants it. Neither half holds a NUL: one of ours was checked, and one of the parent's is a C
/// string already.
pub(crate) fn strings(variables: BTreeMap<OsString, OsString>) -> Vec<CString> {
    let joined = variables.into_iter().map(|(name, value)| {
        let mut joined = name.into_vec();
        joined.push(b'=');
        joined.extend_from_slice(value.as_bytes());
        joined
    });
    joined.filter_map(|joined| CString::new(joined).ok()).collect()
}
