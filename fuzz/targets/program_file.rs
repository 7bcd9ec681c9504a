//! Files that could not be executed, as the parent looks at them for the cause: the interpreter of a script, the loader of an
//! ELF program.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::ffi::OsStrExt;

thread_local! {
    static FILE: RefCell<File> = RefCell::new(tempfile::tempfile().expect("a file can be made"));
}

fuzz_target!(|bytes: &[u8]| {
    FILE.with_borrow_mut(|file| {
        file.set_len(0).expect("a file in memory can be cut");
        file.rewind().expect("it can be rewound");
        file.write_all(bytes).expect("it can be written");
        file.rewind().expect("it can be rewound");
        let (interpreter, loader) = forkexec::fuzzing::named_by(file).expect("it can be read");
        assert!(interpreter.is_none() || bytes.starts_with(b"#!"));
        assert!(loader.is_none() || bytes.starts_with(b"\x7fELF"));
        if let Some(path) = interpreter {
            let path = path.as_os_str().as_bytes();
            assert!(!path.is_empty() && path.iter().all(|byte| !b" \t\n".contains(byte)), "{path:?}");
        }
        let is_path = |path: &[u8]| path.len() <= 4096 && !path.contains(&0);
        assert!(loader.is_none_or(|path| is_path(path.as_os_str().as_bytes())));
    });
});
