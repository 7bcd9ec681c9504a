//! Conversion of numbers on the command line to descriptors. No other module does that.

use std::ops::RangeInclusive;
use std::os::fd::BorrowedFd;

use crate::exit::Failure;
use crate::started;

/// Parses the number of a descriptor.
///
/// # Errors
///
/// Returns a message if `text` has other characters than decimal digits, or is too high for a descriptor.
pub(crate) fn number(text: &str) -> Result<i32, String> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_decimal {
        return Err(format!("{text:?} is not a file descriptor number"));
    }
    text.parse().map_err(|_| format!("{text} is above the highest file descriptor number"))
}

/// Parses a number, or a range such as `5-9`.
///
/// # Errors
///
/// Returns a message if `text` is neither, or if the second number is below the first.
pub(crate) fn range(text: &str) -> Result<RangeInclusive<i32>, String> {
    let Some((first, last)) = text.split_once('-').filter(|(first, _)| !first.is_empty()) else {
        let fd = number(text)?;
        return Ok(fd..=fd);
    };
    let (first, last) = (number(first)?, number(last)?);
    if last < first { Err(format!("{last} is below {first}")) } else { Ok(first..=last) }
}

/// Formats a range as it was typed.
pub(crate) fn typed(range: &RangeInclusive<i32>) -> String {
    let (first, last) = (range.start(), range.end());
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// Borrows the descriptor with this number. `option` is the option as it was typed, for the error.
///
/// # Errors
///
/// Fails if the descriptor is not open, or was not open when this process started.
pub(crate) fn borrow(option: &str, fd: i32) -> Result<BorrowedFd<'static>, Failure> {
    if started::was_closed(fd) || !is_open(fd) {
        return Err(Failure::refused(format!("{option}: cannot use fd {fd}: it is not open")));
    }
    // SAFETY: the descriptor is open. It was open when this process started, because this command opens nothing before all
    // numbers are borrowed, and it closes only descriptors that it opened.
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
    fn range_is_a_number_or_two_in_order() {
        for (text, range_of) in [("3", 3..=3), ("3-3", 3..=3), ("5-9", 5..=9)] {
            assert_eq!(range(text), Ok(range_of));
        }
        for text in ["", "-1", "3-", "-3-4", "9-3", "3-x", "3-4-5"] {
            assert!(range(text).is_err(), "{text:?}");
        }
    }

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
