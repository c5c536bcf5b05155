//! `list-mailbox` (RFC 9051 §9): names with `*`, which stands for any octets, and `%`, which stands for any but the
//! separator.
//!
//! A matcher with two pointers goes back to the last wildcard when it is stuck. With `%` among them that is not enough:
//! where a `%` has met the separator, one has to go back to the `*` before it, and the work grows with the square of the
//! name. Here all positions of the pattern that the name's first octets can lead to are followed at once, 64 to a word,
//! and nothing is ever read twice (attack row M9).

use mailstore_traits::MailboxName;

/// So many words hold the positions of the longest pattern that can match: a name has at most
/// [`MailboxName::MAX_OCTETS`].
const WORDS_MOST: usize = MailboxName::MAX_OCTETS / 64 + 1;

/// A reference and a pattern, made one canonical pattern and ready to be tried (RFC 9051 §6.3.9).
#[derive(Clone)]
pub struct Pattern {
    /// The octets without the wildcards. A position is how many of them have been found.
    letters: usize,
    /// For each octet a row of words: the positions at which it is the next letter.
    next: Vec<u64>,
    /// Positions at which a `*` stands.
    stars: Vec<u64>,
    /// Positions at which a `%` stands.
    percents: Vec<u64>,
    /// What stands before the first wildcard.
    prefix: String,
    ends_in_percent: bool,
}

impl Pattern {
    /// Puts the pattern behind the reference: this server knows neither a working directory nor names that break out of
    /// one. What looks like a wildcard in the reference, which is a name, is none.
    ///
    /// `None` if both have more than `octets` octets together ([`Limits::pattern`](crate::limits::Limits::pattern)), or
    /// if no name is long enough: what a server does not take is silently ignored (RFC 9051 §6.3.9).
    pub fn new(reference: &str, pattern: &str, octets: usize) -> Option<Self> {
        if reference.len().saturating_add(pattern.len()) > octets {
            return None;
        }
        let wildcards = pattern.bytes().filter(|octet| is_wildcard(*octet)).count();
        let letters = reference.len() + pattern.len() - wildcards;
        if letters > MailboxName::MAX_OCTETS {
            return None;
        }
        let words = letters / 64 + 1;
        let mut compiled = Self {
            letters,
            next: vec![0; words * 256],
            stars: vec![0; words],
            percents: vec![0; words],
            prefix: reference.to_owned(),
            ends_in_percent: pattern.ends_with('%'),
        };
        compiled.prefix.push_str(pattern.split(['*', '%']).next().unwrap_or_default());
        let (reference, pattern) = (reference.bytes().map(|octet| (octet, true)), pattern.bytes());
        let mut position = 0;
        for (octet, is_name) in reference.chain(pattern.map(|octet| (octet, false))) {
            let set = match octet {
                b'*' if !is_name => compiled.stars.get_mut(position / 64),
                b'%' if !is_name => compiled.percents.get_mut(position / 64),
                _ => compiled.next.get_mut(usize::from(octet) * words + position / 64),
            };
            if let Some(set) = set {
                *set |= 1 << (position % 64);
            }
            if is_name || !is_wildcard(octet) {
                position += 1;
            }
        }
        Some(compiled)
    }

    /// Whether a name fits, as [`MailboxName`] writes it. Case counts, but for INBOX at the root (RFC 9051 §5.1).
    pub fn matches(&self, name: &str) -> bool {
        self.try_name(name, &mut 0)
    }

    /// What each name that fits begins with, but for the case of INBOX.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the last character is `%`: then levels of hierarchy are told too, mailboxes or not (RFC 9051 §6.3.9).
    pub fn ends_in_percent(&self) -> bool {
        self.ends_in_percent
    }

    /// Words that are looked at for each octet of a name.
    pub(super) fn words(&self) -> usize {
        self.stars.len()
    }

    fn try_name(&self, name: &str, steps: &mut u64) -> bool {
        let mut room = [0u64; WORDS_MOST];
        let Some(positions) = room.get_mut(..self.words()) else { return false };
        if let Some(first) = positions.first_mut() {
            *first = 1;
        }
        let end = (self.letters / 64, 1u64 << (self.letters % 64));
        let is_at_end = |positions: &[u64]| positions.get(end.0).is_some_and(|word| word & end.1 != 0);
        let takes_the_rest = self.stars.get(end.0).is_some_and(|word| word & end.1 != 0);
        let any_case = if name == "INBOX" || name.starts_with("INBOX/") { "INBOX".len() } else { 0 };
        for (at, octet) in name.bytes().enumerate() {
            if takes_the_rest && is_at_end(positions) {
                return true;
            }
            let other_case = if at < any_case { octet.to_ascii_lowercase() } else { octet };
            let wild = if octet == b'/' { 0 } else { u64::MAX };
            let (mut carried, mut alive) = (0, 0);
            let next = self.next_letters(octet).iter().zip(self.next_letters(other_case));
            let wildcards = self.stars.iter().zip(&self.percents);
            for ((position, (one, other)), (star, percent)) in positions.iter_mut().zip(next).zip(wildcards) {
                let found = *position & (one | other);
                *position = (found << 1) | carried | (*position & (star | (percent & wild)));
                carried = found >> 63;
                alive |= *position;
                *steps += 1;
            }
            if alive == 0 {
                return false;
            }
        }
        is_at_end(positions)
    }

    fn next_letters(&self, octet: u8) -> &[u64] {
        let row = usize::from(octet) * self.words();
        self.next.get(row..row + self.words()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pattern").field("prefix", &self.prefix).field("letters", &self.letters).finish_non_exhaustive()
    }
}

fn is_wildcard(octet: u8) -> bool {
    matches!(octet, b'*' | b'%')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(pattern: &str) -> Pattern {
        Pattern::new("", pattern, 1000).unwrap()
    }

    /// The definition, without a thought of time.
    fn fits(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) | (Some((b'%', rest)), None) => fits(rest, name),
            (Some((b'*', rest)), Some((_, tail))) => fits(rest, name) || fits(pattern, tail),
            (Some((b'%', rest)), Some((b'/', _))) => fits(rest, name),
            (Some((b'%', rest)), Some((_, tail))) => fits(rest, name) || fits(pattern, tail),
            (Some((letter, rest)), Some((octet, tail))) => letter == octet && fits(rest, tail),
            _ => false,
        }
    }

    #[test]
    fn a_percent_stops_at_the_separator_and_a_star_does_not() {
        for (text, taken, refused) in [
            ("*", &["a", "a/b", "INBOX", "ü"][..], &[][..]),
            ("%", &["a", "INBOX", "日本"], &["a/b"]),
            ("", &[], &["a"]),
            ("a", &["a"], &["A", "aa", "a/b", "b"]),
            ("a/%", &["a/b", "a/bc"], &["a", "a/b/c", "b/a"]),
            ("a%", &["a", "ab"], &["a/b", "ba"]),
            ("%/%", &["a/b"], &["a", "a/b/c"]),
            ("*/b", &["a/b", "a/c/b"], &["b", "a/b/c"]),
            ("%*%", &["a", "a/b/c"], &[]),
            ("*a%b", &["a/ab", "ab", "a/a/xaxb"], &["a/b", "ab/"]),
            ("*x%/y", &["x/xa/y", "xa/b/xc/y"], &["x/a/y/z", "a/y"]),
            ("%2", &["foo2"], &["foo2/bar2", "foo"]),
            ("*2", &["foo2", "foo2/bar2"], &["foo2/bar1"]),
        ] {
            for name in taken {
                assert!(pattern(text).matches(name), "{text} {name}");
            }
            for name in refused {
                assert!(!pattern(text).matches(name), "{text} {name}");
            }
        }
    }

    #[test]
    fn inbox_has_no_case_at_the_root_and_all_else_has() {
        for text in ["inbox", "InBox", "i%", "inbox*", "*X", "%nbo%"] {
            assert!(pattern(text).matches("INBOX"), "{text}");
        }
        assert!(pattern("inbox/%").matches("INBOX/Work"));
        assert!(!pattern("inbox/work").matches("INBOX/Work"));
        assert!(!pattern("inbox").matches("Inbox2"));
        assert!(!pattern("a/inbox").matches("a/INBOX"));
        assert!(!pattern("*inbox").matches("a/INBOX"));
        assert!(!pattern("inboxes").matches("INBOXES"));
    }

    #[test]
    fn a_reference_is_a_name_and_stands_before_the_pattern() {
        // RFC 3501 §6.3.8, but for what breaks out on Unix.
        for (reference, text, name) in [
            ("~smith/Mail/", "foo.*", "~smith/Mail/foo.bar"),
            ("archive/", "%", "archive/2024"),
            ("#news.", "comp.mail.*", "#news.comp.mail.misc"),
            ("100%/", "*", "100%/a/b"),
            ("inb", "ox", "INBOX"),
        ] {
            assert!(Pattern::new(reference, text, 1000).unwrap().matches(name));
        }
        assert!(!Pattern::new("100%/", "*", 1000).unwrap().matches("1000/a"));
        let compiled = Pattern::new("a/", "bé%c*", 1000).unwrap();
        assert_eq!((compiled.prefix(), compiled.ends_in_percent()), ("a/bé", false));
        assert!(pattern("*%").ends_in_percent());
    }

    #[test]
    fn sec_m9_wildcards_cost_a_fraction_of_pattern_times_name() {
        let name = "a".repeat(1000);
        for text in [
            "*%".repeat(500),
            "*%".repeat(500) + "b",
            "*a".repeat(499) + "*b",
            "%a".repeat(500),
            "*".to_owned() + &"a".repeat(998) + "b",
            "*a%b".repeat(250),
        ] {
            let compiled = Pattern::new("", &text, 1001).unwrap();
            let mut steps = 0;
            assert_eq!(compiled.try_name(&name, &mut steps), text == "*%".repeat(500) || text == "%a".repeat(500));
            assert!(steps <= (text.len() as u64 / 64 + 1) * 1000, "{steps}");
        }
    }

    #[test]
    fn sec_m9_a_pattern_has_a_length() {
        assert!(Pattern::new("", &"*".repeat(1001), 1000).is_none());
        assert!(Pattern::new(&"a".repeat(500), &"b".repeat(501), 1000).is_none());
        // Taken, but as no name has so many octets nothing is kept of it.
        assert!(Pattern::new("", &"a".repeat(1001), 5000).is_none());
        let long = Pattern::new("", &("a".repeat(1000) + &"*".repeat(1000)), 5000).unwrap();
        assert!(long.matches(&"a".repeat(1000)));
        assert!(!long.matches(&"a".repeat(999)));
    }

    proptest! {
        #[test]
        fn what_fits_by_the_definition_matches(text in "[ab/*%]{0,9}", name in "[ab/]{1,12}") {
            prop_assert_eq!(pattern(&text).matches(&name), fits(text.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn longer_than_a_word_is_no_different(
            text in "[a/]{60,70}[ab/*%]{0,6}[ab/]{0,70}[*%]?", cut in 0..70usize, tail in "[ab/]{0,6}") {
            let name = text.replace(['*', '%'], "a");
            let name = name.get(..name.len() - cut.min(name.len())).unwrap().to_owned() + &tail;
            prop_assert_eq!(pattern(&text).matches(&name), fits(text.as_bytes(), name.as_bytes()));
        }
    }
}
