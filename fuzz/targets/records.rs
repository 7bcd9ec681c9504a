//! Directory records from a hostile kernel: lengths of 0, cut, huge; names that are no numbers, or too large.

#![no_main]

use forkexec_core::{Fd, RecordLayout, RecordLength, parse_fd};
use libfuzzer_sys::fuzz_target;

const LINUX: RecordLayout = RecordLayout { length: RecordLength::At(16), name_at: 19 };
const DRAGONFLY: RecordLayout = RecordLayout { length: RecordLength::OfNameAt(8), name_at: 16 };

fuzz_target!(|records: &[u8]| {
    for layout in [LINUX, DRAGONFLY] {
        let mut bytes = 0;
        let done = layout.names(records, &mut |name| {
            assert!(records.as_ptr_range().contains(&name.as_ptr()), "a name from elsewhere");
            assert!(!name.contains(&0));
            bytes += layout.name_at + name.len() + 1;
            let number =
                std::str::from_utf8(name).ok().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
            assert_eq!(parse_fd(name), number.and_then(|name| name.parse::<Fd>().ok()));
        });
        assert!(bytes <= records.len(), "two records share bytes");
        assert!(done.is_ok() || !records.is_empty());
    }
});
