//! Looking for text in text that goes by.

/// Looks for a text without regard to case, in text that comes in pieces cut anywhere. What it holds is the text that it
/// looks for; each character is looked at once.
///
/// Case is that of Unicode's simple lower case letters (`char::to_lowercase`), character by character.
#[derive(Debug, Clone)]
pub struct Finder {
    needle: Vec<char>,
    /// How long the longest beginning of the needle is that ends at each of its places: where to go on after a mismatch.
    back: Vec<usize>,
    matched: usize,
    found: bool,
}

impl Finder {
    /// For that text. The empty text is found in any.
    pub fn new(needle: &str) -> Self {
        let needle: Vec<char> = needle.chars().flat_map(char::to_lowercase).collect();
        let mut back = vec![0; needle.len()];
        let mut matched = 0usize;
        for (at, char) in needle.iter().enumerate().skip(1) {
            while matched > 0 && needle.get(matched) != Some(char) {
                matched = back.get(matched.saturating_sub(1)).copied().unwrap_or(0);
            }
            if needle.get(matched) == Some(char) {
                matched = matched.saturating_add(1);
            }
            if let Some(slot) = back.get_mut(at) {
                *slot = matched;
            }
        }
        let found = needle.is_empty();
        Self { needle, back, matched: 0, found }
    }

    /// Takes the next piece. Answers whether the text has been found by now.
    pub fn feed(&mut self, text: &str) -> bool {
        if self.found {
            return true;
        }
        for char in text.chars() {
            if char.is_ascii() {
                self.step(char.to_ascii_lowercase());
            } else {
                char.to_lowercase().for_each(|char| self.step(char));
            }
            if self.found {
                return true;
            }
        }
        false
    }

    fn step(&mut self, char: char) {
        while self.matched > 0 && self.needle.get(self.matched) != Some(&char) {
            self.matched = self.back.get(self.matched.saturating_sub(1)).copied().unwrap_or(0);
        }
        if self.needle.get(self.matched) == Some(&char) {
            self.matched = self.matched.saturating_add(1);
            self.found |= self.matched >= self.needle.len();
        }
    }

    /// Whether it has been found.
    pub fn is_found(&self) -> bool {
        self.found
    }

    /// Something else begins: nothing has been found in it, and what was matched before does not go on there.
    pub fn restart(&mut self) {
        self.found = self.needle.is_empty();
        self.matched = 0;
    }

    /// Whether a whole text holds it. What was fed before is forgotten.
    pub fn is_in(&mut self, text: &str) -> bool {
        self.restart();
        self.feed(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_found_in_any_case_and_across_pieces() {
        for (needle, pieces, found) in [
            ("grüße", &["Viele GR", "ÜßE"][..], true),
            ("aab", &["aaa", "ab"], true),
            ("ПРИВЕТ", &["привет"], true),
            ("", &[], true),
            ("a", &["b"], false),
            ("abab", &["aba", "cabab"], true),
        ] {
            let mut finder = Finder::new(needle);
            pieces.iter().for_each(|piece| {
                finder.feed(piece);
            });
            assert_eq!(finder.is_found(), found, "{needle}");
        }
        let mut finder = Finder::new("ab");
        finder.feed("a");
        finder.restart();
        assert!(!finder.feed("b"));
    }

    proptest! {
        #[test]
        fn it_finds_what_is_there(needle in "[abAB]{0,5}", text in "[abAB]{0,40}", cut in 1usize..7) {
            let mut finder = Finder::new(&needle);
            let chars: Vec<char> = text.chars().collect();
            for piece in chars.chunks(cut) {
                finder.feed(&piece.iter().collect::<String>());
            }
            let expected = text.to_lowercase().contains(&needle.to_lowercase());
            prop_assert_eq!(finder.is_found(), expected);
            prop_assert_eq!(Finder::new(&needle).is_in(&text), expected);
        }
    }
}
