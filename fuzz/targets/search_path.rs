//! The paths that are tried for a program: any bytes, as its name and as the list of directories.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

fuzz_target!(|input: (&[u8], &[u8])| {
    let (program, list) = input;
    let paths = forkexec::fuzzing::candidates(OsStr::from_bytes(program), OsStr::from_bytes(list));
    let has_slash = program.contains(&b'/');
    let directories = || list.split(|&byte| byte == b':').filter(|directory| !directory.is_empty());
    let holds_nul =
        program.contains(&0) || !has_slash && directories().any(|directory| directory.contains(&0));
    let Some(paths) = paths else { return assert!(holds_nul) };
    if has_slash {
        return assert!(matches!(&paths[..], [path] if path.as_bytes() == program));
    }
    assert_eq!(paths.len(), directories().count());
    for (path, directory) in paths.iter().map(|path| path.as_bytes()).zip(directories()) {
        assert!(path.starts_with(directory), "another directory, or another order");
        assert!(path.ends_with(program));
        let slashes = path.len() - directory.len() - program.len();
        assert_eq!(slashes, usize::from(!directory.ends_with(b"/")));
    }
});
