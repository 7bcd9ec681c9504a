//! The environment of a child: that of the parent with changes, or an empty one with additions.

use crate::error::InputError;
use std::collections::{BTreeMap, btree_map};
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::{slice, vec};

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

    /// Returns true if the child inherits no variable of the parent.
    pub(crate) fn is_cleared(&self) -> bool {
        self.cleared
    }

    /// The variables that were set (`Some`) or removed (`None`).
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.entries().map(|(name, value)| (name.as_os_str(), value.as_deref()))
    }

    /// The changes as they are stored.
    pub(crate) fn entries(&self) -> btree_map::Iter<'_, OsString, Option<OsString>> {
        self.changes.iter()
    }

    /// Resolves the variables of the child. Without changes they keep the order of the parent. With any
    /// change they are all sorted by name, as in std. The call of `vars_os` copies under std's lock, so it
    /// sees a concurrent change whole or not at all.
    pub(crate) fn resolve(&self) -> Variables {
        let mut variables: Vec<_> = if self.cleared { Vec::new() } else { env::vars_os().collect() };
        if self.changes.is_empty() {
            return Variables(variables);
        }
        variables.retain(|(name, _)| !self.changes.contains_key(name));
        let set = self.changes.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        variables.extend(set);
        variables.sort_unstable();
        Variables(variables)
    }

    /// Checks that each name can be parsed back from its `NAME=value` string, and that there is no NUL byte.
    pub(crate) fn check(&self) -> Result<(), InputError> {
        for (name, value) in self.changes() {
            if name.is_empty() {
                return Err(InputError::EmptyEnvName);
            }
            // std and the C libraries parse `=A=x` in the same way: a leading `=` belongs to the name.
            if name.as_bytes().iter().skip(1).any(|&byte| byte == b'=') {
                return Err(InputError::EqualsInEnvName { name: name.to_owned() });
            }
            if name.as_bytes().contains(&0) || value.is_some_and(|value| value.as_bytes().contains(&0)) {
                return Err(InputError::NulInEnv { name: name.to_owned() });
            }
        }
        Ok(())
    }
}

/// The variables of one environment.
pub(crate) struct Variables(Vec<(OsString, OsString)>);

impl Variables {
    /// Sets a variable.
    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.remove(name);
        self.0.push((name.into(), value.as_ref().to_owned()));
    }

    /// Removes a variable.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(this, _)| this != name);
    }

    /// Returns the value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.iter().find(|(this, _)| this == name).map(|(_, value)| value.as_os_str())
    }

    /// Iterates over the variables in order.
    pub(crate) fn iter(&self) -> slice::Iter<'_, (OsString, OsString)> {
        self.0.iter()
    }
}

impl IntoIterator for Variables {
    type Item = (OsString, OsString);
    type IntoIter = vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::Environment;
    use crate::error::InputError;
    use rstest::rstest;
    use std::ffi::OsStr;

    #[rstest]
    #[case::name("A\0B", "x")]
    #[case::value("AB", "x\0")]
    #[case::both("A\0", "\0")]
    fn nul_in_a_name_or_in_a_value_is_refused(#[case] name: &str, #[case] value: &str) {
        let mut environment = Environment::default();
        environment.set(OsStr::new(name), OsStr::new(value));
        assert_eq!(environment.check(), Err(InputError::NulInEnv { name: name.into() }));
    }

    #[test]
    fn nul_in_a_removed_name_is_refused() {
        let mut environment = Environment::default();
        environment.remove(OsStr::new("A\0"));
        assert_eq!(environment.check(), Err(InputError::NulInEnv { name: "A\0".into() }));
    }
}
