//! `--stdin`, `--stdout` and `--stderr`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use forkexec::{Command, Stdio};

use super::descriptors;
use crate::exit::Failure;
use crate::started;

// No doc comment: clap would take it for the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Standard streams")]
#[group(skip)]
pub(super) struct Options {
    /// Standard input: inherit, null, closed, or file:PATH to read it
    #[arg(long, value_name = "WHAT", value_parser = parser())]
    stdin: Option<Stream>,

    /// Standard output: inherit, null, closed, or file:PATH to make it anew
    #[arg(long, value_name = "WHAT", value_parser = parser())]
    stdout: Option<Stream>,

    /// Standard error: inherit, null, closed, or file:PATH to make it anew
    #[arg(long, value_name = "WHAT", value_parser = parser())]
    stderr: Option<Stream>,
}

/// What one of 0, 1 and 2 is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stream {
    Inherit,
    Null,
    Closed,
    File(PathBuf),
}

fn parser() -> impl TypedValueParser<Value = Stream> {
    OsStringValueParser::new().try_map(|what| stream(&what))
}

fn stream(what: &OsStr) -> Result<Stream, &'static str> {
    match what.as_bytes() {
        b"inherit" => Ok(Stream::Inherit),
        b"null" => Ok(Stream::Null),
        b"closed" => Ok(Stream::Closed),
        [b'f', b'i', b'l', b'e', b':', path @ ..] if !path.is_empty() => {
            Ok(Stream::File(OsString::from_vec(path.to_vec()).into()))
        }
        _ => Err("it is none of inherit, null, closed and file:PATH"),
    }
}

impl Options {
    /// Sets the streams, and opens files for them.
    ///
    /// # Errors
    ///
    /// A file cannot be opened.
    pub(super) fn apply(
        &self,
        command: &mut Command<'_>,
        descriptors: &descriptors::Options,
    ) -> Result<(), Failure> {
        for (fd, option, stream) in self.all() {
            let stdio = match stream {
                None if descriptors.maps_to(fd) => continue,
                None | Some(Stream::Inherit) if started::was_closed(fd) => Stdio::closed(),
                None | Some(Stream::Inherit) => Stdio::inherit(),
                Some(Stream::Null) => Stdio::null(),
                Some(Stream::Closed) => Stdio::closed(),
                Some(Stream::File(path)) => open(option, fd == 0, path)?.into(),
            };
            match fd {
                0 => command.stdin(stdio),
                1 => command.stdout(stdio),
                _ => command.stderr(stdio),
            };
        }
        Ok(())
    }

    /// The option that sets this descriptor.
    pub(super) fn claims(&self, fd: i32) -> Option<String> {
        let all = self.all().into_iter();
        all.filter(|(number, _, stream)| *number == fd && stream.is_some())
            .map(|(_, option, _)| option.to_owned())
            .next()
    }

    fn all(&self) -> [(i32, &'static str, Option<&Stream>); 3] {
        [
            (0, "--stdin", self.stdin.as_ref()),
            (1, "--stdout", self.stdout.as_ref()),
            (2, "--stderr", self.stderr.as_ref()),
        ]
    }
}

fn open(option: &str, to_read: bool, path: &Path) -> Result<File, Failure> {
    let opened = if to_read { File::open(path) } else { File::create(path) };
    opened.map_err(|error| Failure::refused(format!("{option}: cannot open {path:?}")).because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_word_or_a_file() {
        assert_eq!(stream("null".as_ref()), Ok(Stream::Null));
        assert_eq!(stream("file:a:b".as_ref()), Ok(Stream::File("a:b".into())));
        for what in ["", "file", "file:", "nul", "/dev/null"] {
            assert!(stream(what.as_ref()).is_err(), "{what:?}");
        }
    }
}
