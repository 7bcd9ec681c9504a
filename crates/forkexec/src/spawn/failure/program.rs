//! Parses the first bytes of a file: the interpreter of a script, the loader and machine of a program.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::sys::system::INTERPRETER_LINE;

pub(super) const ELF: &[u8] = b"\x7fELF";

/// The number of bytes that the kernel reads for an interpreter line.
pub(super) const HEAD: usize = INTERPRETER_LINE;

pub(crate) fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Returns the interpreter in the first line of a script. The name ends at white space, and a carriage return is part of
/// it. So a script with Windows line endings has no valid interpreter.
pub(crate) fn interpreter(head: &[u8]) -> Option<PathBuf> {
    let line = head.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    words.next().map(|word| PathBuf::from(OsString::from_vec(word.to_vec())))
}

/// Returns the dynamic loader of an ELF program in this machine's byte order: its `PT_INTERP` (elf(5)).
pub(crate) fn loader(file: &mut File, head: &[u8]) -> Option<PathBuf> {
    if !head.starts_with(ELF) {
        return None;
    }
    let layout = if *head.get(4)? == 2 { &ELF64 } else { &ELF32 };
    let table = layout.word(head, layout.table_at)?;
    let count = half(head, layout.count_at)?;
    let size = half(head, layout.size_at)?;
    for index in 0..u64::from(count) {
        let at = table.checked_add(index.checked_mul(u64::from(size))?)?;
        let entry = read_at(file, at, u64::from(size).min(64))?;
        if entry.first_chunk().map(|kind| u32::from_ne_bytes(*kind)) == Some(PT_INTERP) {
            let offset = layout.word(&entry, layout.offset_at)?;
            let length = layout.word(&entry, layout.length_at)?.min(4096);
            let name = read_at(file, offset, length)?;
            let name = name.split(|&byte| byte == 0).next()?;
            return Some(PathBuf::from(OsStr::from_bytes(name)));
        }
    }
    None
}

const PT_INTERP: u32 = 3;

/// The offsets of elf(5) for one word size.
struct ElfLayout {
    wide: bool,
    table_at: usize,
    size_at: usize,
    count_at: usize,
    offset_at: usize,
    length_at: usize,
}

const ELF64: ElfLayout =
    ElfLayout { wide: true, table_at: 32, size_at: 54, count_at: 56, offset_at: 8, length_at: 32 };
const ELF32: ElfLayout =
    ElfLayout { wide: false, table_at: 28, size_at: 42, count_at: 44, offset_at: 4, length_at: 16 };

impl ElfLayout {
    fn word(&self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = bytes.get(at..)?;
        if self.wide {
            return bytes.first_chunk().map(|word| u64::from_ne_bytes(*word));
        }
        bytes.first_chunk().map(|word| u64::from(u32::from_ne_bytes(*word)))
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|half| u16::from_ne_bytes(*half))
}

fn read_at(file: &mut File, at: u64, length: u64) -> Option<Vec<u8>> {
    file.seek(SeekFrom::Start(at)).ok()?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Returns whether an ELF header has another machine, word size or byte order than this program. `None` if one of the two
/// headers ends before `e_machine`, the last of the three fields (elf(5)).
pub(super) fn is_foreign(header: &[u8]) -> Option<bool> {
    let own = head(&mut File::open(env::current_exe().ok()?).ok()?).ok()?;
    let kind = |header: &[u8]| Some((*header.first_chunk::<6>()?, half(header, 18)?));
    let (own, theirs) = (kind(&own).filter(|_| own.starts_with(ELF))?, kind(header)?);
    Some(own != theirs)
}

/// Returns whether a file ends within its ELF header (elf(5)).
pub(super) fn is_cut_off(header: &[u8]) -> bool {
    let length = if header.get(4) == Some(&2) { 64 } else { 52 };
    header.len() < length
}

#[cfg(test)]
mod tests {
    use super::{ELF, head, interpreter, is_cut_off, loader};
    use rstest::rstest;
    use std::fs::File;
    use std::path::PathBuf;

    #[rstest]
    #[case::plain("#!/bin/sh\n", Some("/bin/sh"))]
    #[case::argument("#! /usr/bin/env -S sh\n", Some("/usr/bin/env"))]
    #[case::windows_line_end("#!/bin/sh\r\n", Some("/bin/sh\r"))]
    #[case::no_line_end("#!/bin/sh", Some("/bin/sh"))]
    #[case::nothing_named("#!\n", None)]
    #[case::no_script("\x7fELF", None)]
    #[case::empty("", None)]
    fn interpreter_is_the_first_word_of_the_first_line(#[case] head: &str, #[case] path: Option<&str>) {
        assert_eq!(interpreter(head.as_bytes()), path.map(PathBuf::from));
    }

    #[rstest]
    #[case::whole_of_64_bits(2, 64, false)]
    #[case::part_of_64_bits(2, 63, true)]
    #[case::whole_of_32_bits(1, 52, false)]
    #[case::part_of_32_bits(1, 51, true)]
    fn program_is_cut_off_within_its_header(#[case] class: u8, #[case] length: usize, #[case] is_cut: bool) {
        let mut header = [ELF, &[class]].concat();
        header.resize(length, 0);
        assert_eq!(is_cut_off(&header), is_cut);
    }

    #[test]
    fn loader_of_this_test_exists_if_it_has_one() {
        let mut file = File::open(std::env::current_exe().unwrap()).unwrap();
        let head = head(&mut file).unwrap();
        assert!(loader(&mut file, &head).is_none_or(|loader| loader.exists()));
    }
}
