//! Programs that are written, closed and started at once, while other threads do the same.
//!
//! A file that is open for writing cannot be executed (`ETXTBSY`, execve(2)), and between its start and its exec a
//! child has the open files of its parent. In a process of many threads, a file that one thread has just closed can
//! thus be open in the child of another. This happens for a moment even if the table is shared: `CLOSE_RANGE_UNSHARE`
//! copies it by whole words of its bitmap, 64 numbers (`sane_fdtable_size` of fs/file.c), and then closes the range in
//! the copy. If a program is busy, the child tries again.

use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use forkexec::{BorrowingCommand, Command, Errno, SpawnMethod, Stdio};
use forkexec_tests::isolate::{isolated_for, skip};
use forkexec_tests::probe;

use crate::ground::method;
use crate::{in_threads, rounds};

const LIMIT: Duration = Duration::from_mins(10);

/// A program that takes `true` for an argument and ends well: as small as one can be, or the probe.
static PROGRAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    smallest_program().unwrap_or_else(|| fs::read(probe::path()).expect("the probe can be read"))
});

/// An ELF file of one segment, elf(5), whose code calls exit(0).
fn smallest_program() -> Option<Vec<u8>> {
    const HEADERS: u64 = 64 + 56;
    const ADDRESS: u64 = 0x40_0000;
    let (machine, code): (u16, &[u8]) = if cfg!(target_arch = "x86_64") {
        // mov eax, 60; xor edi, edi; syscall
        (62, &[0xB8, 60, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05])
    } else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
        // mov x8, #93; mov x0, #0; svc #0
        (183, &[0xA8, 0x0B, 0x80, 0xD2, 0x00, 0x00, 0x80, 0xD2, 0x01, 0x00, 0x00, 0xD4])
    } else {
        return None;
    };
    let length = HEADERS + code.len() as u64;
    let mut file = b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for word in [ADDRESS + HEADERS, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    // One segment, to be read and executed.
    for half in [1_u32, 5] {
        file.extend(half.to_le_bytes());
    }
    for word in [0, ADDRESS, ADDRESS, length, length, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    Some(file)
}

/// Writes the program to a new file.
fn write(path: &Path) -> File {
    let mut file = File::options().write(true).create_new(true).mode(0o755).open(path).expect("it is new");
    file.write_all(&PROGRAM).expect("there is room");
    file
}

/// Starts the program and waits for it. Returns true if it was busy.
type Start = fn(&Path) -> bool;

fn ours(command: &mut BorrowingCommand<'_>) -> bool {
    match command.status() {
        Ok(status) => {
            assert!(status.success(), "{status}");
            false
        }
        Err(error) => {
            let errno = error.as_spawn().map(forkexec::SpawnError::errno);
            assert_eq!(errno, Some(Errno::TXTBSY), "{error}");
            true
        }
    }
}

fn with_nothing_captured(path: &Path) -> bool {
    ours(Command::new(path).arg("true"))
}

fn with_captured_output(path: &Path) -> bool {
    ours(Command::new(path).arg("true").stdout(Stdio::piped()).stderr(Stdio::piped()))
}

fn by_std(path: &Path) -> bool {
    match std::process::Command::new(path).arg("true").status() {
        Ok(status) => {
            assert!(status.success(), "{status}");
            false
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::ExecutableFileBusy, "{error}");
            true
        }
    }
}

/// Writes and starts programs in many threads. Returns how many were busy.
fn busy(directory: &Path, rounds: usize, start: Start) -> usize {
    in_threads(rounds, |_, numbers: Range<usize>| {
        let is_busy = |number: &usize| {
            let path: PathBuf = directory.join(number.to_string());
            drop(write(&path));
            let is_busy = start(&path);
            fs::remove_file(&path).expect("it is there");
            is_busy
        };
        numbers.filter(is_busy).count()
    })
}

/// Faults: E6
#[test]
fn program_that_was_just_written_is_not_busy() {
    isolated_for(LIMIT, || {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        if method() != SpawnMethod::Shared {
            return skip("a child has a copy of the whole table here");
        }
        let path = directory.path().join("held");
        let held = write(&path);
        if !with_nothing_captured(&path) {
            return skip("this kernel executes what is being written");
        }
        drop(held);
        fs::remove_file(&path).expect("it is there");

        let rounds = rounds();
        let count = |rounds, start| busy(directory.path(), rounds, start);
        let ours = count(rounds, with_nothing_captured);
        let (captured, std) = (count(rounds, with_captured_output), count(rounds, by_std));
        println!("ETXTBSY in {rounds} starts: {ours}; with captured output {captured}; by std {std}");
        assert_eq!((ours, captured), (0, 0));
    });
}
