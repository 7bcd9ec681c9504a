//! An output, line by line.

/// Text for which the callback was not called yet.
///
/// The callback gets a line without its newline. It returns true if the run stops there.
#[derive(Debug)]
pub(super) struct Lines<T> {
    tell: T,
    text: Vec<u8>,
    /// The callback got the text before this index.
    told: usize,
    /// There is no end of a line between `told` and this index.
    searched: usize,
    /// The last line ended with a carriage return: a newline right after it belongs to the same end.
    after_return: bool,
}

impl<T: FnMut(&[u8]) -> bool> Lines<T> {
    pub(super) fn new(tell: T, text: Vec<u8>) -> Self {
        Self { tell, text, told: 0, searched: 0, after_return: false }
    }

    /// The text that the callback did not get.
    pub(super) fn into_text(mut self) -> Vec<u8> {
        self.forget_what_was_told();
        self.text
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    /// Calls back for each complete line, and for pieces of length `longest` of a longer one. Returns true if
    /// the callback asked to stop. With `returns`, a carriage return ends a line, too, and so does one with a newline
    /// after it.
    pub(super) fn tell_whole(&mut self, longest: usize, returns: bool) -> bool {
        while let Some((end, next)) = self.next(longest, returns) {
            if self.tell_until(end, next) {
                return true;
            }
        }
        self.forget_what_was_told();
        false
    }

    /// Calls back for all text that is left, also for a last line without a newline.
    pub(super) fn tell_all(&mut self, longest: usize, returns: bool) -> bool {
        if self.tell_whole(longest, returns) {
            return true;
        }
        let end = self.text.len();
        end > 0 && self.tell_until(end, end)
    }

    /// The end of the next line or piece, and the start of the one after it.
    fn next(&mut self, longest: usize, returns: bool) -> Option<(usize, usize)> {
        self.skip_second_half();
        let end = self.text.len().min(self.told.saturating_add(longest).saturating_add(1));
        // The limit may have been higher when the text was searched.
        let from = self.searched.min(end);
        if let Some(length) =
            self.text[from..end].iter().position(|&byte| byte == b'\n' || (returns && byte == b'\r'))
        {
            let end = from + length;
            self.after_return = self.text[end] == b'\r';
            return Some((end, end + 1));
        }
        self.searched = end;
        let cut = self.told.saturating_add(longest);
        (end > cut).then_some((cut, cut))
    }

    /// Skips the newline of a carriage return with a newline.
    fn skip_second_half(&mut self) {
        if self.after_return && self.told < self.text.len() {
            self.after_return = false;
            if self.text[self.told] == b'\n' {
                self.told += 1;
                self.searched = self.searched.max(self.told);
            }
        }
    }

    /// The line counts as told before the call, so that a callback that panics does not get it again.
    fn tell_until(&mut self, end: usize, next: usize) -> bool {
        let line = self.told..end;
        self.told = next;
        self.searched = next;
        let stops = (self.tell)(&self.text[line]);
        if stops {
            self.forget_what_was_told();
        }
        stops
    }

    fn forget_what_was_told(&mut self) {
        self.text.drain(..self.told);
        self.searched -= self.told;
        self.told = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;
    use proptest::prelude::*;
    use rstest::rstest;
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// The lines of a text that comes in these pieces.
    fn told(pieces: &[&[u8]], longest: usize, returns: bool) -> Vec<Vec<u8>> {
        let mut told = Vec::new();
        let tell = |line: &[u8]| {
            told.push(line.to_vec());
            false
        };
        let mut lines = Lines::new(tell, Vec::new());
        for piece in pieces {
            lines.add(piece);
            assert!(!lines.tell_whole(longest, returns));
        }
        assert!(!lines.tell_all(longest, returns));
        drop(lines);
        told
    }

    #[rstest]
    #[case::nothing(&[], &[])]
    #[case::one(&["a\n"], &["a"])]
    #[case::without_a_newline(&["a"], &["a"])]
    #[case::empty_ones(&["\n\n", "\n"], &["", "", ""])]
    #[case::in_pieces(&["a", "b", "\nc\nd", "e"], &["ab", "c", "de"])]
    #[case::as_long_as_may_be(&["abcd\n"], &["abcd"])]
    #[case::as_long_as_may_be_before_its_end_comes(&["abcd", "\n"], &["abcd"])]
    #[case::longer(&["abcde", "fghi\nj"], &["abcd", "efgh", "i", "j"])]
    #[case::longer_with_its_end_at_the_limit(&["abcdefgh\n"], &["abcd", "efgh"])]
    fn callback_gets_each_line_when_it_is_complete(#[case] pieces: &[&str], #[case] expected: &[&str]) {
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        let expected: Vec<Vec<u8>> = expected.iter().map(|line| line.as_bytes().to_vec()).collect();
        assert_eq!(told(&pieces, 4, false), expected);
    }

    #[rstest]
    #[case::progress(&["1%\r2%\r", "done\n"], &["1%", "2%", "done"])]
    #[case::both_are_one_end(&["a\r\nb\r", "\nc\r\r\n"], &["a", "b", "c", ""])]
    #[case::newline_after_a_line(&["a\r", "b\n\n"], &["a", "b", ""])]
    #[case::last_without_an_end(&["a\r", "\n", "b"], &["a", "b"])]
    fn carriage_return_ends_a_line_if_asked(#[case] pieces: &[&str], #[case] expected: &[&str]) {
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        let expected: Vec<Vec<u8>> = expected.iter().map(|line| line.as_bytes().to_vec()).collect();
        assert_eq!(told(&pieces, 100, true), expected);
    }

    #[test]
    fn text_after_the_awaited_line_waits() {
        let told = RefCell::new(Vec::new());
        let tell = |line: &[u8]| {
            told.borrow_mut().push(line.to_vec());
            line == b"b"
        };
        let mut lines = Lines::new(tell, b"a\nb\nc\nd".to_vec());
        assert!(lines.tell_whole(9, false));
        assert_eq!(told.take(), [b"a", b"b"]);
        assert!(!lines.tell_whole(9, false));
        assert_eq!(told.take(), [b"c"]);
        assert_eq!(lines.into_text(), b"d");
    }

    #[test]
    fn line_whose_callback_panicked_is_not_repeated() {
        let mut seen = Vec::new();
        let tell = |line: &[u8]| {
            seen.push(line.to_vec());
            assert_ne!(line, b"a");
            false
        };
        let mut lines = Lines::new(tell, b"a\nb\n".to_vec());
        assert!(catch_unwind(AssertUnwindSafe(|| lines.tell_whole(9, false))).is_err());
        lines.add(b"c\n");
        assert!(!lines.tell_whole(9, false));
        drop(lines);
        assert_eq!(seen, [b"a", b"b", b"c"]);
    }

    proptest! {
        #[test]
        fn cuts_in_a_text_change_no_line(text in "[ab\n]{0,60}", cuts in prop::collection::vec(1_usize..9, 60)) {
            let mut pieces = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert!(rest.is_empty());
            let whole = text.strip_suffix('\n').unwrap_or(&text);
            let mut expected: Vec<_> = whole.split('\n').map(|line| line.as_bytes().to_vec()).collect();
            if text.is_empty() {
                expected.clear();
            }
            prop_assert_eq!(told(&pieces, 100, false), expected);
        }
    }
}
