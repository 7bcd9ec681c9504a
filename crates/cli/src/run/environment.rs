//! The environment, argument 0, and the search for the program.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use forkexec::{Command, EnoexecFallback, SearchPath};

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Program and environment")]
#[group(skip)]
pub(super) struct Options {
    /// Set an environment variable; the last value of a name counts
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable_parser(), allow_hyphen_values = true)]
    env: Vec<(OsString, OsString)>,

    /// Remove an environment variable, before --env sets any
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    unset: Vec<OsString>,

    /// Remove all environment variables, before --env sets any
    #[arg(long)]
    clear_env: bool,

    /// Set argument 0, the name that the program sees as its own
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    arg0: Option<OsString>,

    /// Set where to look up a PROGRAM without a slash
    ///
    /// child (the default) is the PATH that the program will have. parent is the PATH of forkexec. LIST is a list of
    /// directories, separated by colons. Empty entries are skipped.
    #[arg(long, value_name = "child|parent|LIST", value_parser = search_parser())]
    search: Option<SearchPath>,

    /// Run an executable file without a "#!" line with /bin/sh
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
        None => Err("expected NAME=VALUE"),
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
    /// Applies the options to the command.
    pub(super) fn apply(&self, command: &mut Command) {
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
    fn first_equals_sign_ends_the_name() {
        assert_eq!(variable("A=b=c".as_ref()), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("1 x=".as_ref()), Ok(("1 x".into(), "".into())));
        assert!(variable("A".as_ref()).is_err());
        assert!(variable("=b".as_ref()).is_err());
        assert!(variable("=".as_ref()).is_err());
    }

    /// Faults: E21
    #[test]
    fn leading_equals_sign_belongs_to_the_name() {
        assert_eq!(variable("=A=b".as_ref()), Ok(("=A".into(), "b".into())));
        assert_eq!(variable("==b".as_ref()), Ok(("=".into(), "b".into())));
    }
}
