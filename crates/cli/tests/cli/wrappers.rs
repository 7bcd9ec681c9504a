//! Other wrappers with some of the guarantees of `forkexec run`. One scenario can run with each of them.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use forkexec_tests::isolate::skip;

/// The words in front of a program and its arguments.
#[derive(Clone, Copy)]
pub(crate) struct Wrapper(pub(crate) &'static [&'static str]);

/// `forkexec run`.
pub(crate) const OURS: Wrapper = Wrapper(&["forkexec", "run"]);

impl Wrapper {
    /// Returns the words, with the path of the command under test. Returns `None`, after a [`skip`], if the wrapper is not
    /// installed.
    pub(crate) fn words(self) -> Option<Vec<OsString>> {
        let (name, rest) = self.0.split_first().expect("it has a name");
        let program = match *name {
            "forkexec" => env!("CARGO_BIN_EXE_forkexec").into(),
            name if is_installed(name) => name.into(),
            name => {
                skip(&format!("{name} is not installed"));
                return None;
            }
        };
        Some([program].into_iter().chain(rest.iter().map(OsString::from)).collect())
    }

    /// Returns a command with the wrapper and a shell that runs this script, or `None` as [`words`](Self::words) does.
    pub(crate) fn around(self, script: &str) -> Option<Command> {
        let words = self.words()?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["sh", "-c", script]);
        Some(command)
    }

    /// Returns the words as a line for a shell, which needs no quotes, or `None` as [`words`](Self::words) does.
    pub(crate) fn line(self) -> Option<String> {
        let words = self.words()?;
        let line = words.join(" ".as_ref()).into_string().expect("it is text");
        assert!(!line.contains(['\'', '"', '\\', '$']), "{line}");
        Some(line)
    }
}

fn is_installed(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(name).is_file())
}
