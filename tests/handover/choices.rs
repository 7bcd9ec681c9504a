//! All sequences of choices, one after the other.

/// One sequence, played from its beginning. The next one differs in the last choice that has another option.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// The choices that were made, and of how many options each.
    taken: Vec<(usize, usize)>,
    next: usize,
}

impl Choices {
    /// One of so many options.
    pub(crate) fn choose(&mut self, options: usize) -> usize {
        if options < 2 {
            return 0;
        }
        if self.next == self.taken.len() {
            self.taken.push((0, options));
        }
        let (chosen, known) = self.taken[self.next];
        assert_eq!(known, options, "the same choices lead to the same question");
        self.next += 1;
        chosen
    }

    /// The next sequence; `false` if this was the last.
    pub(crate) fn go_on(&mut self) -> bool {
        assert_eq!(self.next, self.taken.len(), "all choices were played");
        self.next = 0;
        while let Some((chosen, options)) = self.taken.pop() {
            if chosen + 1 < options {
                self.taken.push((chosen + 1, options));
                return true;
            }
        }
        false
    }
}

#[test]
fn every_sequence_is_played_once() {
    let mut choices = Choices::default();
    let mut played = Vec::new();
    loop {
        let first = choices.choose(3);
        let second = if first == 1 { choices.choose(2) } else { 7 };
        played.push((first, second));
        if !choices.go_on() {
            break;
        }
    }
    assert_eq!(played, [(0, 7), (1, 0), (1, 1), (2, 7)]);
}
