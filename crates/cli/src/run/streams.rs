//! `--stdin`, `--stdout` and `--stderr`.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use forkexec::{Command, Stdio};

use super::descriptors;
use crate::exit::Failure;
use crate::{inherited_fds, started};

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args, Default)]
#[command(next_help_heading = "Standard streams")]
#[group(skip)]
pub(super) struct Options {
    /// Set standard input: inherit (the default), null, closed or file:PATH
    #[arg(long, value_name = "WHAT", value_parser = parser(0))]
    stdin: Option<Stream>,

    /// Set standard output: inherit (the default), null, closed, stderr, file:PATH or append:PATH
    ///
    /// file:PATH truncates the file, append:PATH appends to it. Both create a missing file. stderr means the same open file
    /// as standard error.
    ///
    /// If --stdout and --stderr lead to one file, it is opened once, and both share its offset, even if they name it by
    /// different links or paths.
    #[arg(long, value_name = "WHAT", value_parser = parser(1))]
    stdout: Option<Stream>,

    /// Set standard error: inherit (the default), null, closed, stdout, file:PATH or append:PATH
    #[arg(long, value_name = "WHAT", value_parser = parser(2))]
    stderr: Option<Stream>,

    /// Take the standard streams and all passed descriptors out of non-blocking mode (O_NONBLOCK)
    ///
    /// Few programs expect EAGAIN from a standard stream. The mode belongs to the open file, so it changes for all processes
    /// that share it. Without this option, forkexec warns if 0, 1 or 2 is in this mode and the program inherits it.
    #[arg(long)]
    clear_nonblock: bool,
}

/// The source of a standard stream.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stream {
    Inherit,
    Null,
    Closed,
    /// The open file of the other output.
    Twin,
    /// A file to read, or to truncate and write.
    File(PathBuf),
    Append(PathBuf),
}

/// The word for the other output, for each stream.
const TWINS: [Option<&str>; 3] = [None, Some("stderr"), Some("stdout")];
const OPTIONS: [&str; 3] = ["--stdin", "--stdout", "--stderr"];

fn parser(fd: usize) -> impl TypedValueParser<Value = Stream> {
    OsStringValueParser::new().try_map(move |what| stream(fd, &what))
}

fn stream(fd: usize, what: &OsStr) -> Result<Stream, String> {
    let path = |path: &[u8]| PathBuf::from(OsString::from_vec(path.to_vec()));
    match what.as_bytes() {
        b"inherit" => Ok(Stream::Inherit),
        b"null" => Ok(Stream::Null),
        b"closed" => Ok(Stream::Closed),
        word if TWINS[fd].is_some_and(|twin| twin.as_bytes() == word) => Ok(Stream::Twin),
        [b'f', b'i', b'l', b'e', b':', rest @ ..] if !rest.is_empty() => Ok(Stream::File(path(rest))),
        [b'a', b'p', b'p', b'e', b'n', b'd', b':', rest @ ..] if fd != 0 && !rest.is_empty() => {
            Ok(Stream::Append(path(rest)))
        }
        _ => Err(match TWINS[fd] {
            None => "expected inherit, null, closed or file:PATH".to_owned(),
            Some(twin) => format!("expected inherit, null, closed, {twin}, file:PATH or append:PATH"),
        }),
    }
}

/// A file that this command opened for a stream.
struct Opened {
    file: File,
    appends: bool,
}

impl Opened {
    fn stdio(&self, fd: usize) -> Result<Stdio, Failure> {
        let file = self.file.try_clone();
        file.map(Into::into).map_err(|error| cannot_share(fd, error))
    }

    fn is_at(&self, path: &Path) -> bool {
        let both = self.file.metadata().and_then(|own| Ok((own, path.metadata()?)));
        both.is_ok_and(|(own, other)| is_same(&own, &other))
    }
}

/// Returns true for the same device and inode: different links and paths can lead to one file.
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

impl Options {
    /// Opens the files and sets the streams of the command. With a terminal of its own (`has_pty`), a stream that no option
    /// sets is left to the command.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be opened, or if the options contradict each other.
    pub(super) fn apply(
        &self,
        command: &mut Command,
        descriptors: &descriptors::Options,
        has_pty: bool,
    ) -> Result<(), Failure> {
        let input = match &self.stdin {
            Some(Stream::File(path)) => Some(open(0, File::options().read(true), path)?),
            _ => None,
        };
        let mut outputs: [Option<Opened>; 2] = [None, None];
        for fd in [1, 2] {
            let opened = self.open_output(fd, input.as_ref(), outputs[0].as_ref())?;
            outputs[fd - 1] = opened;
        }
        let [stdout, stderr] = outputs;
        let files = [input.map(|file| Opened { file, appends: false }), stdout, stderr];
        for fd in 0..3 {
            if has_pty && !self.is_set(fd, descriptors) {
                continue;
            }
            let Some(stdio) = self.stdio(fd, &files, descriptors)? else { continue };
            match fd {
                0 => command.stdin(stdio),
                1 => command.stdout(stdio),
                _ => command.stderr(stdio),
            };
        }
        if self.clear_nonblock {
            command.clear_nonblocking();
        } else {
            warn_of(&command.nonblocking_fds());
        }
        Ok(())
    }

    /// Opens the file of an output, if it has one. If both outputs lead to one file, returns that of the other output.
    fn open_output(
        &self,
        fd: usize,
        input: Option<&File>,
        other: Option<&Opened>,
    ) -> Result<Option<Opened>, Failure> {
        let (path, appends) = match self.stream(fd) {
            Some(Stream::File(path)) => (path, false),
            Some(Stream::Append(path)) => (path, true),
            _ => return Ok(None),
        };
        if let Some(other) = other.filter(|other| other.is_at(path)) {
            if other.appends != appends {
                let both = "--stdout, --stderr: cannot open one file both to truncate and to append; use append: for both";
                return Err(Failure::refused(both));
            }
            let file = other.file.try_clone().map_err(|error| cannot_share(fd, error))?;
            return Ok(Some(Opened { file, appends }));
        }
        if !appends && input.is_some_and(|input| would_be_emptied(input, path)) {
            let option = OPTIONS[fd];
            let text = "cannot use one file for both: it would be truncated before it is read";
            return Err(Failure::refused(format!("--stdin, {option}: {text}")));
        }
        let mut how = File::options();
        how.create(true);
        let file = open(fd, if appends { how.append(true) } else { how.write(true).truncate(true) }, path)?;
        Ok(Some(Opened { file, appends }))
    }

    /// Converts a stream to the library's type. Returns `None` if a mapping has this target.
    fn stdio(
        &self,
        fd: usize,
        files: &[Option<Opened>; 3],
        descriptors: &descriptors::Options,
    ) -> Result<Option<Stdio>, Failure> {
        if let Some(opened) = &files[fd] {
            return opened.stdio(fd).map(Some);
        }
        let number = i32::try_from(fd).unwrap_or_default();
        let stdio = match self.stream(fd) {
            None if descriptors.source_of(number).is_some() => return Ok(None),
            None | Some(Stream::Inherit) if started::was_closed(number) => Stdio::closed(),
            None | Some(Stream::Inherit) => Stdio::inherit(),
            Some(Stream::Null) => Stdio::null(),
            Some(Stream::Twin) => self.twin(fd, files, descriptors)?,
            // A file was opened, and was returned above.
            Some(Stream::Closed | Stream::File(_) | Stream::Append(_)) => Stdio::closed(),
        };
        Ok(Some(stdio))
    }

    /// Returns the open file of the other output.
    fn twin(
        &self,
        fd: usize,
        files: &[Option<Opened>; 3],
        descriptors: &descriptors::Options,
    ) -> Result<Stdio, Failure> {
        let other = 3 - fd;
        if self.stream(other) == Some(&Stream::Twin) {
            return Err(Failure::refused(
                "--stdout stderr, --stderr stdout: cannot open the streams: each names the other",
            ));
        }
        let number = i32::try_from(other).unwrap_or_default();
        let source = match self.stream(other) {
            None => descriptors.source_of(number).unwrap_or(number),
            Some(Stream::Inherit) => number,
            Some(_) => {
                let stdio = self.stdio(other, files, descriptors)?;
                return Ok(stdio.unwrap_or_else(Stdio::closed));
            }
        };
        if started::was_closed(source) {
            return Ok(Stdio::closed());
        }
        share(fd, source).map(Into::into)
    }

    /// Returns true if an option says what a stream is. A stream that is the same as another, which no option sets, counts as
    /// not set: with --pty, both are the terminal.
    pub(super) fn is_set(&self, fd: usize, descriptors: &descriptors::Options) -> bool {
        let is_named = |fd: usize| {
            let mapped = i32::try_from(fd).is_ok_and(|fd| descriptors.source_of(fd).is_some());
            mapped || self.stream(fd).is_some()
        };
        if self.stream(fd) == Some(&Stream::Twin) { is_named(3 - fd) } else { is_named(fd) }
    }

    /// Returns the option that sets this descriptor.
    pub(super) fn claims(&self, fd: i32) -> Option<String> {
        let fd = usize::try_from(fd).ok().filter(|&fd| fd < OPTIONS.len())?;
        self.stream(fd).map(|_| OPTIONS[fd].to_owned())
    }

    fn stream(&self, fd: usize) -> Option<&Stream> {
        [&self.stdin, &self.stdout, &self.stderr][fd].as_ref()
    }
}

/// Warns of standard streams in non-blocking mode. A mapped or kept descriptor is often meant to be in it.
fn warn_of(nonblocking: &[i32]) {
    for fd in nonblocking.iter().filter(|&&fd| fd <= 2) {
        eprintln!(
            "forkexec: warning: descriptor {fd} is in non-blocking mode (O_NONBLOCK), which few programs expect; \
             --clear-nonblock clears it"
        );
    }
}

fn open(fd: usize, how: &std::fs::OpenOptions, path: &Path) -> Result<File, Failure> {
    let option = OPTIONS[fd];
    how.open(path).map_err(|error| Failure::refused(format!("{option}: cannot open {path:?}")).because(error))
}

/// Duplicates a descriptor of this process.
fn share(fd: usize, source: i32) -> Result<OwnedFd, Failure> {
    let option = format!("{} {}", OPTIONS[fd], TWINS[fd].unwrap_or_default());
    let source = inherited_fds::borrow(&option, source)?;
    source.as_fd().try_clone_to_owned().map_err(|error| cannot_share(fd, error))
}

fn cannot_share(fd: usize, error: io::Error) -> Failure {
    Failure::refused(format!("{}: cannot duplicate the file of the other stream", OPTIONS[fd])).because(error)
}

/// Returns true if opening this path for writing would truncate the input. Terminals and pipes are not truncated.
fn would_be_emptied(input: &File, path: &Path) -> bool {
    let both = input.metadata().and_then(|input| Ok((input, path.metadata()?)));
    both.is_ok_and(|(input, output)| input.is_file() && is_same(&input, &output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_is_a_word_or_a_file() {
        assert_eq!(stream(0, "null".as_ref()), Ok(Stream::Null));
        assert_eq!(stream(0, "file:a:b".as_ref()), Ok(Stream::File("a:b".into())));
        assert_eq!(stream(1, "append:a".as_ref()), Ok(Stream::Append("a".into())));
        assert_eq!(stream(1, "stderr".as_ref()), Ok(Stream::Twin));
        assert_eq!(stream(2, "stdout".as_ref()), Ok(Stream::Twin));
        for what in ["", "file", "file:", "nul", "/dev/null", "append:", "stdin"] {
            for fd in 0..3 {
                assert!(stream(fd, what.as_ref()).is_err(), "{what:?}");
            }
        }
        for (fd, what) in [(0, "stdout"), (0, "append:a"), (1, "stdout"), (2, "stderr")] {
            assert!(stream(fd, what.as_ref()).is_err(), "{what:?}");
        }
    }

    #[test]
    fn twin_is_set_if_the_other_output_is() {
        let is_set = |stdout, stderr, fd| {
            Options { stdout, stderr, ..Options::default() }.is_set(fd, &descriptors::Options::default())
        };
        for (stream, expected) in [(Some(Stream::Null), true), (None, false)] {
            assert_eq!(is_set(Some(Stream::Twin), stream.clone(), 1), expected);
            assert_eq!(is_set(stream, Some(Stream::Twin), 2), expected);
        }
        assert_eq!([0, 1, 2].map(|fd| is_set(None, Some(Stream::Null), fd)), [false, false, true]);
    }

    /// Links lead to the same file. Only a regular file loses its contents when it is opened for writing.
    #[test]
    fn file_is_known_by_each_of_its_paths() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let [one, link, other] = ["one", "link", "other"].map(|name| directory.path().join(name));
        for path in [&one, &other] {
            std::fs::write(path, "").expect("it can be written");
        }
        std::fs::hard_link(&one, &link).expect("it can be made");
        let opened = Opened { file: File::open(&one).expect("it is there"), appends: false };
        let paths = [&one, &link, &other, &directory.path().join("missing")];
        assert_eq!(paths.map(|path| opened.is_at(path)), [true, true, false, false]);
        assert_eq!(paths.map(|path| would_be_emptied(&opened.file, path)), [true, true, false, false]);
        let null = File::open("/dev/null").expect("every system has it");
        assert!(!would_be_emptied(&null, Path::new("/dev/null")));
    }
}
