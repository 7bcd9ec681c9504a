//! make's jobserver, as the environment announces it to this process.

use crate::error::{ActivationError, Error};
use crate::sys::{backend, fd};
use forkexec_core::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// The variables that can announce a jobserver. cargo sets the first one for its children, make the others.
const VARIABLES: [&str; 3] = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];

/// The options that announce it: that of GNU make since 4.2, and the older one.
const OPTIONS: [&[u8]; 2] = [b"--jobserver-auth=", b"--jobserver-fds="];

/// The lowest number of a duplicate.
const FIRST: RawFd = 3;

/// The jobserver of the make or cargo that started this process: a pipe of tokens, by which processes share a number of
/// parallel jobs.
///
/// make announces the pipe's descriptors in `MAKEFLAGS`, and a child finds them only under these numbers.
/// [`Command::keep_jobserver`](crate::Command::keep_jobserver) passes them on. A jobserver with a name (`fifo:`, GNU make
/// 4.4) needs no descriptors.
///
/// To take tokens in this process, or to create a jobserver, use the crate `jobserver`.
///
/// # Examples
///
/// See [`from_env`](Self::from_env).
#[derive(Clone, Debug)]
pub struct Jobserver {
    /// Duplicates of the pipe's ends, and the numbers under which they are announced. A jobserver with a name has none.
    pub(crate) ends: Vec<(Arc<OwnedFd>, RawFd)>,
}

impl Jobserver {
    /// Finds the jobserver that `CARGO_MAKEFLAGS`, `MAKEFLAGS` or `MFLAGS` announces. Returns `None` if there is none, or if
    /// the variable says that it is not for this process (negative numbers).
    ///
    /// The first variable that announces one counts, and in it the last option: `--jobserver-auth=R,W`,
    /// `--jobserver-auth=fifo:PATH`, or the older `--jobserver-fds=R,W`. Each of the two descriptors must be open, not
    /// close-on-exec, and the right end of a pipe.
    ///
    /// The value holds duplicates of the descriptors, close-on-exec. The originals stay as they are: other code of this
    /// process can still use them, and what happens to their numbers later does not matter.
    ///
    /// # Safety
    ///
    /// No code of this process may have opened the descriptors that the variable announces: the program inherited them,
    /// or they are not open. That holds at the start of `main`. Later, a library may have opened one of these numbers
    /// itself, and children would get its pipe. The checks refuse descriptors that std opened, but they cannot refuse all
    /// others: the environment is no proof of ownership.
    ///
    /// # Errors
    ///
    /// - Returns [`Error::Activation`] with [`ActivationError::JobserverClosed`] if a descriptor is not open. That is the
    ///   usual state below a make that does not know that the command of a rule shares its jobs, for which make itself
    ///   warns "jobserver unavailable". A program that can do without the jobserver ignores this error.
    /// - Returns [`Error::Activation`] if a descriptor is not an inherited end of a pipe, or if the variable is not valid.
    /// - Returns [`Error::Spawn`] if a descriptor cannot be duplicated.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{ActivationError, Command, Error, Jobserver};
    ///
    /// // SAFETY: this is the first call in `main`: no other code has opened a descriptor.
    /// let jobserver = match unsafe { Jobserver::from_env() } {
    ///     Err(Error::Activation(ActivationError::JobserverClosed { .. })) => None, // started without `+`
    ///     found => found?,
    /// };
    /// let mut make = Command::new("make");
    /// if let Some(jobserver) = &jobserver {
    ///     make.keep_jobserver(jobserver);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub unsafe fn from_env() -> Result<Option<Self>, Error> {
        let Some(auth) = announced(|name| env::var_os(name))? else { return Ok(None) };
        let Auth::Pipe { read, write } = auth else { return Ok(Some(Self { ends: Vec::new() })) };
        let mut ends = Vec::new();
        for (number, is_end) in [(read, is_reader as fn(OFlag) -> bool), (write, is_writer)] {
            is_inherited(number)?;
            // SAFETY: the descriptor is open. The caller promises that this process inherited it, and that no other code
            // owns it, so that no code closes it meanwhile.
            let end = unsafe { BorrowedFd::borrow_raw(number) };
            if !is_pipe(end, is_end) {
                return Err(ActivationError::NotJobserver { fd: number }.into());
            }
            ends.push((Arc::new(fd::duplicate(end, FIRST)?), number));
        }
        ends.dedup_by_key(|(_, number)| *number);
        Ok(Some(Self { ends }))
    }
}

/// A jobserver, as a variable announces it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Auth {
    Pipe { read: RawFd, write: RawFd },
    Named,
}

/// Finds the variable that announces a jobserver. Negative numbers mean that it is not for this process ("POSIX Jobserver
/// Interaction" in the manual of GNU make).
fn announced(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Auth>, ActivationError> {
    for name in VARIABLES {
        let Some(value) = variable(name) else { continue };
        let Some(option) = option(value.as_bytes()) else { continue };
        let auth = auth(option).ok_or(ActivationError::Variable { name, value })?;
        let is_disabled = matches!(auth, Auth::Pipe { read, write } if read < 0 || write < 0);
        return Ok((!is_disabled).then_some(auth));
    }
    Ok(None)
}

/// Returns the value of the last option. Variable definitions follow after `--`.
fn option(flags: &[u8]) -> Option<&[u8]> {
    let words = flags.split(u8::is_ascii_whitespace).take_while(|word| *word != b"--");
    words.filter_map(|word| OPTIONS.iter().find_map(|option| word.strip_prefix(*option))).last()
}

fn auth(option: &[u8]) -> Option<Auth> {
    if option.strip_prefix(b"fifo:").is_some_and(|path| !path.is_empty()) {
        return Some(Auth::Named);
    }
    let (read, write) = OsStr::from_bytes(option).to_str()?.split_once(',')?;
    Some(Auth::Pipe { read: number(read)?, write: number(write)? })
}

/// Parses a number with an optional minus sign.
fn number(text: &str) -> Option<RawFd> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// Checks that a descriptor can be one that survived exec. Each descriptor that std opens is close-on-exec.
fn is_inherited(fd: RawFd) -> Result<(), ActivationError> {
    match backend::is_cloexec(fd) {
        Ok(false) => Ok(()),
        Err(Errno::BADF) => Err(ActivationError::JobserverClosed { fd }),
        Ok(true) | Err(_) => Err(ActivationError::NotJobserver { fd }),
    }
}

fn is_pipe(fd: BorrowedFd<'_>, is_end: fn(OFlag) -> bool) -> bool {
    let is_fifo =
        fstat(fd).is_ok_and(|stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO);
    is_fifo
        && fcntl(fd, FcntlArg::F_GETFL)
            .is_ok_and(|flags| is_end(OFlag::from_bits_retain(flags) & OFlag::O_ACCMODE))
}

fn is_reader(mode: OFlag) -> bool {
    mode != OFlag::O_WRONLY
}

fn is_writer(mode: OFlag) -> bool {
    mode != OFlag::O_RDONLY
}

#[cfg(test)]
mod tests {
    use super::{Auth, announced, is_pipe, is_reader, is_writer};
    use crate::sys::fd::pipe;
    use proptest::prelude::*;
    use rstest::rstest;
    use std::fs::File;
    use std::os::fd::AsFd;

    fn answer(variables: &[(&str, &str)]) -> Result<Option<Auth>, String> {
        let variable =
            |name: &str| variables.iter().find(|(this, _)| *this == name).map(|(_, value)| value.into());
        announced(variable).map_err(|error| error.to_string())
    }

    const PIPE: Option<Auth> = Some(Auth::Pipe { read: 3, write: 4 });

    #[rstest]
    #[case::no_flags("", None)]
    #[case::no_jobserver("k -j1", None)]
    #[case::of_make_4_3(" -j4 --jobserver-auth=3,4", PIPE)]
    #[case::of_make_4_1(" --jobserver-fds=3,4 -j", PIPE)]
    #[case::of_cargo("-j --jobserver-fds=3,4 --jobserver-auth=3,4", PIPE)]
    #[case::of_make_4_4(" -j4 --jobserver-auth=fifo:/tmp/GMfifo17", Some(Auth::Named))]
    #[case::last_counts("--jobserver-auth=7,8 --jobserver-auth=3,4", PIPE)]
    #[case::not_for_this_process(" -j4 --jobserver-auth=3,4 --jobserver-auth=-2,-2", None)]
    #[case::half_of_it_negative("--jobserver-auth=3,-1", None)]
    #[case::before_definitions(
        "kw --jobserver-auth=3,4 -- A=--jobserver-auth=7,8 --jobserver-auth=7,8",
        PIPE
    )]
    #[case::one_number("--jobserver-auth=5,5", Some(Auth::Pipe { read: 5, write: 5 }))]
    #[case::streams("--jobserver-auth=0,1", Some(Auth::Pipe { read: 0, write: 1 }))]
    #[case::part_of_a_word("X--jobserver-auth=3,4", None)]
    fn jobserver_is_found_in_the_flags(#[case] flags: &str, #[case] expected: Option<Auth>) {
        for name in ["MAKEFLAGS", "MFLAGS", "CARGO_MAKEFLAGS"] {
            assert_eq!(answer(&[(name, flags)]), Ok(expected));
        }
    }

    #[rstest]
    #[case::empty("--jobserver-auth=")]
    #[case::one_fd("--jobserver-auth=3")]
    #[case::three_fds("--jobserver-auth=3,4,5")]
    #[case::word("--jobserver-auth=r,w")]
    #[case::signed("--jobserver-auth=+3,4")]
    #[case::huge("--jobserver-auth=3,99999999999999999999")]
    #[case::above_all_fds("--jobserver-auth=3,2147483648")]
    #[case::no_path("--jobserver-auth=fifo:")]
    #[case::semaphore("--jobserver-auth=gmake_semaphore_17")]
    fn invalid_jobserver_is_refused(#[case] flags: &str) {
        assert_eq!(
            answer(&[("MAKEFLAGS", flags)]),
            Err(format!("cannot use MAKEFLAGS: its value {flags:?} is invalid"))
        );
    }

    #[test]
    fn variable_of_cargo_comes_first() {
        let make = ("MAKEFLAGS", "--jobserver-auth=7,8");
        assert_eq!(answer(&[make, ("CARGO_MAKEFLAGS", "--jobserver-auth=3,4")]), Ok(PIPE));
        assert_eq!(answer(&[("MAKEFLAGS", "-k"), ("MFLAGS", "--jobserver-fds=3,4")]), Ok(PIPE));
    }

    #[test]
    fn only_the_right_end_of_a_pipe_is_taken() {
        let (reader, writer) = pipe().expect("a pipe can be made");
        let file = File::open("/dev/null").expect("every system has it");
        let ends = |fd: &dyn AsFd| (is_pipe(fd.as_fd(), is_reader), is_pipe(fd.as_fd(), is_writer));
        assert_eq!(
            (ends(&reader), ends(&writer), ends(&file)),
            ((true, false), (false, true), (false, false))
        );
    }

    proptest! {
        #[test]
        fn any_flags_are_understood_or_refused(flags in "[-a-z0-9,:=/ \u{e9}]{0,60}", auth in ".{0,20}") {
            if let Ok(Some(Auth::Pipe { read, write })) = answer(&[("MAKEFLAGS", &format!("{flags} --jobserver-auth={auth}"))]) {
                prop_assert!(read >= 0 && write >= 0);
            }
        }

        #[test]
        fn any_pair_of_numbers_is_found(read in 0.., write in 0..) {
            let flags = format!("--jobserver-auth={read},{write}");
            prop_assert_eq!(answer(&[("MAKEFLAGS", &flags)]), Ok(Some(Auth::Pipe { read, write })));
        }
    }
}
