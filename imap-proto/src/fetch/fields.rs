//! `HEADER.FIELDS` and `HEADER.FIELDS.NOT`: some fields of a header, picked as it goes by (RFC 9051 §6.4.5.1).

use crate::command::SectionText;
use crate::grammar::FieldNames;

/// Picks fields of a header that comes in chunks, cut anywhere. It holds the beginning of a line at the most: as much as
/// the longest name that was asked for, and a little.
#[derive(Debug)]
pub struct FieldFilter<'n> {
    names: &'n FieldNames,
    /// Whether the fields that are named are wanted, or the others.
    by_name: bool,
    state: State,
    /// Whether the field that the last line belonged to is wanted: a folded line goes on with it.
    wanted: bool,
    /// What has come of a line whose field is not known yet.
    line: Vec<u8>,
    longest: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the beginning of a line, which is held.
    Name,
    /// In a line whose field is known.
    Value,
    /// Behind the empty line.
    End,
}

/// White space between a name and its colon that obsolete programs write (RFC 5322 §4.5).
const BLANKS_MOST: usize = 8;

impl<'n> FieldFilter<'n> {
    /// For that section; `None` if it is another one.
    pub fn new(text: &'n SectionText) -> Option<Self> {
        let (names, by_name) = match text {
            SectionText::HeaderFields(names) => (names, true),
            SectionText::HeaderFieldsNot(names) => (names, false),
            _ => return None,
        };
        let longest = names.iter().map(|name| name.len()).max().unwrap_or(0).saturating_add(BLANKS_MOST);
        Some(Self { names, by_name, state: State::Name, wanted: false, line: Vec::new(), longest })
    }

    /// Takes a chunk and appends what is wanted of it.
    pub fn feed(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) {
        while let Some((&octet, behind)) = chunk.split_first() {
            match self.state {
                State::End => return,
                State::Name => {
                    chunk = behind;
                    self.line.push(octet);
                    let is_folded = self.line.len() == 1 && matches!(octet, b' ' | b'\t');
                    let is_long = self.line.len() > self.longest;
                    if !(is_folded || is_long || matches!(octet, b':' | b'\n')) {
                        continue;
                    }
                    if matches!(self.line.as_slice(), b"\n" | b"\r\n") {
                        self.state = State::End;
                        return;
                    }
                    if !is_folded {
                        // A line that has no colon is no field, and nobody has asked for it.
                        self.wanted = octet != b'\n' && self.is_named() == self.by_name;
                    }
                    if self.wanted {
                        out.extend_from_slice(&self.line);
                    }
                    self.line.clear();
                    self.state = if octet == b'\n' { State::Name } else { State::Value };
                }
                State::Value => {
                    let end = memchr::memchr(b'\n', chunk).map(|at| at.saturating_add(1));
                    let (line, behind) = chunk.split_at(end.unwrap_or(chunk.len()));
                    if self.wanted {
                        out.extend_from_slice(line);
                    }
                    chunk = behind;
                    if end.is_some() {
                        self.state = State::Name;
                    }
                }
            }
        }
    }

    /// The header is over: what was picked of it ends with an empty line (RFC 9051 §6.4.5.1).
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.state = State::End;
        out.extend_from_slice(b"\r\n");
    }

    fn is_named(&self) -> bool {
        let name = self.line.strip_suffix(b":").map(<[u8]>::trim_ascii_end);
        name.is_some_and(|name| self.names.iter().any(|named| named.as_bytes().eq_ignore_ascii_case(name)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picked(names: &[&str], by_name: bool, header: &[u8], cut: usize) -> String {
        let names = FieldNames::new(names).unwrap();
        let text = if by_name { SectionText::HeaderFields(names) } else { SectionText::HeaderFieldsNot(names) };
        let mut filter = FieldFilter::new(&text).unwrap();
        let mut out = Vec::new();
        header.chunks(cut.max(1)).for_each(|chunk| {
            filter.feed(chunk, &mut out);
            assert!(filter.line.len() <= 30);
        });
        filter.finish(&mut out);
        out.escape_ascii().to_string()
    }

    #[test]
    fn fields_are_picked_with_their_folded_lines() {
        let header = b"From: a\r\nSubject: one\r\n two\r\n\tthree\r\nTO : b\r\nsubject:again\r\nno field\r\nX-Long-Name-That-Goes-On-And-On: c\r\n\r\n";
        for cut in [1, 2, 5, 1000] {
            assert_eq!(
                picked(&["SUBJECT", "To"], true, header, cut),
                r"Subject: one\r\n two\r\n\tthree\r\nTO : b\r\nsubject:again\r\n\r\n"
            );
            assert_eq!(
                picked(&["subject"], false, header, cut),
                r"From: a\r\nTO : b\r\nX-Long-Name-That-Goes-On-And-On: c\r\n\r\n"
            );
            assert_eq!(picked(&["none"], true, header, cut), r"\r\n");
        }
        assert_eq!(picked(&["a"], true, b"a: 1\nb: 2\n\nbody", 3), r"a: 1\n\r\n");
        assert_eq!(picked(&["a"], true, b"a: no end", 3), r"a: no end\r\n");
    }

    proptest! {
        #[test]
        fn cutting_the_header_changes_nothing(header in "[aB: \r\n]{0,60}", cut in 1usize..9, by_name in any::<bool>()) {
            let whole = picked(&["a", "bb"], by_name, header.as_bytes(), header.len());
            prop_assert_eq!(picked(&["a", "bb"], by_name, header.as_bytes(), cut), whole);
        }
    }
}
