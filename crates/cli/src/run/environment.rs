//! The environment, the zeroth argument, and how the program is found.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use forkexec::{Command, EnoexecFallback, SearchPath};

// No doc comment: clap would take it for the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Program and environment")]
#[group(skip)]
pub(super) struct Options {
    /// Set an environment variable; the last of one name counts
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable_parser(), allow_hyphen_values = true)]
    env: Vec<(OsString, OsString)>,

    /// Remove an environment variable, before any is set
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    unset: Vec<OsString>,

    /// Remove all environment variables, before any is set
    #[arg(long)]
    clear_env: bool,

    /// What the program sees as its own name
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    arg0: Option<OsString>,

    /// Where to search a program named without a slash
    ///
    /// In the PATH of the child, which is the default, in that of the parent, or in a list of
    /// directories with colons. Empty parts of it are skipped.
    #[arg(long, value_name = "child|parent|LIST", value_parser = search_parser())]
    search: Option<SearchPath>,

    /// Let /bin/sh run an executable file without a "#!" line
    #[arg(long)]
    enoexec_shell: bool,
}

fn variable_parser() -> impl TypedValueParser<Value = (OsString, OsString)> {
    OsStringValueParser::new().try_map(|text| variable(&text))
}

fn variable(text: &OsStr) -> Result<(OsString, OsString), &'static str> {
    let bytes = text.as_bytes();
    // A leading `=` belongs to the name: `=A=x` sets `=A`.
    match bytes.iter().skip(1).position(|&byte| byte == b'=').map(|at| at + 1) {
        None if bytes.first() == Some(&b'=') => Err("the name is empty"),
        None => Err("a variable is NAME=VALUE"),
        Some(at) => {
            let part = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            Ok((part(&bytes[..at]), part(&bytes[at + 1..])))
        }
    }
}

fn search_parser() -> impl TypedValueParser<Value = SearchPath> {
    OsStringValueParser::new().map(|list| match list.as_bytes() {
        b"child" => SearchPath::Child,
        b"parent" => SearchPath::Parent,
        _ => SearchPath::Given(list),
    })
}

impl Options {
    /// Applies them.
    pub(super) fn apply(&self, command: &mut Command<'_>) {
        if self.clear_env {
            command.env_clear();
        }
        for name in &self.unset {
            command.env_remove(name);
        }
        for (name, value) in &self.env {
            command.env(name, value);
        }
        if let Some(arg0) = &self.arg0 {
            command.arg0(arg0);
        }
        if let Some(search) = &self.search {
            command.search_path(search.clone());
        }
        if self.enoexec_shell {
            command.enoexec_fallback(EnoexecFallback::Shell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_ends_its_name_at_the_first_equals_sign() {
        assert_eq!(variable("A=b=c".as_ref()), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("1 x=".as_ref()), Ok(("1 x".into(), "".into())));
        assert!(variable("A".as_ref()).is_err());
        assert!(variable("=b".as_ref()).is_err());
        assert!(variable("=".as_ref()).is_err());
    }

    /// Faults: E21
    #[test]
    fn a_leading_equals_sign_belongs_to_the_name() {
        assert_eq!(variable("=A=b".as_ref()), Ok(("=A".into(), "b".into())));
        assert_eq!(variable("==b".as_ref()), Ok(("=".into(), "b".into())));
    }
}
