//! From a number on the command line to a descriptor: the only room where that is done.

use std::os::fd::BorrowedFd;

use crate::exit::Failure;
use crate::started;

/// A descriptor's number: decimal digits, no more than a descriptor can have.
///
/// # Errors
///
/// It is not.
pub(super) fn number(text: &str) -> Result<i32, String> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_decimal {
        return Err(format!("{text:?} is not the number of a descriptor"));
    }
    text.parse().map_err(|_| format!("{text} is higher than a descriptor can be"))
}

/// The descriptor with this number. `option` names it as it was typed.
///
/// # Errors
///
/// It is not open, or was not when this process started.
pub(super) fn borrow(option: &str, fd: i32) -> Result<BorrowedFd<'static>, Failure> {
    if started::was_closed(fd) || !is_open(fd) {
        return Err(Failure::refused(format!("{option}: descriptor {fd} is not open")));
    }
    // SAFETY: it is open, as just seen. It was so when this process started, because nothing is opened before all
    // numbers were borrowed, and nothing here closes what it did not open.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

fn is_open(fd: i32) -> bool {
    // SAFETY: F_GETFD takes any number and touches no memory.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_decimal_numbers_are_descriptors() {
        for (text, fd) in [("0", 0), ("61", 61), ("2147483647", i32::MAX)] {
            assert_eq!(number(text), Ok(fd));
        }
        for text in ["", "-1", "+1", "5x", " 5", "0x5", "2147483648", "1000000000000"] {
            assert!(number(text).is_err(), "{text:?}");
        }
    }
}
