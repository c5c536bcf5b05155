//! mbox files: messages one behind the other, each after a `From ` line and before an empty one (RFC 4155).
//!
//! Of the dialects this is mboxrd: a line that is `From ` behind any number of `>` gets one more when it is written and
//! loses one when it is read, so that every message comes back as it was; `mbox_writer` is the other direction. Flags stand in the header fields `Status`,
//! `X-Status` and `X-Keywords`, as Mutt, Dovecot and Python's `mailbox` have them; they belong to the file, not to the
//! message, and are taken out when it is read.

use std::collections::VecDeque;
use std::io::{BufRead, Read};

use mailstore_traits::{Flags, Keyword, SystemFlag, Timestamp};

use super::Piece;
use super::date::from_line_date;

/// The most of a line that is looked at in one go; a longer one comes in several.
const MAX_PIECE: u64 = 64 * 1024;

/// Reads an mbox file, a piece at a time.
#[derive(Debug)]
pub(super) struct MboxReader<R> {
    input: R,
    /// What the file is called when something is wrong with it.
    name: String,
    message: u64,
    ready: VecDeque<Piece>,
    /// The next octets begin a line.
    at_line_start: bool,
    /// The line before was empty, or there was none.
    after_blank: bool,
    /// An empty line that is the message's only if more of the message follows.
    held_blank: Option<Vec<u8>>,
    open: Option<Open>,
    read: u64,
    ended: bool,
}

/// The message that is being read.
#[derive(Debug)]
struct Open {
    date: Option<Timestamp>,
    flags: Flags,
    in_header: bool,
    /// A field of the file's own is being passed over.
    passing: bool,
}

impl<R: BufRead> MboxReader<R> {
    /// Reads what `name` holds.
    pub(super) fn new(input: R, name: String) -> Self {
        Self {
            input,
            name,
            message: 0,
            ready: VecDeque::new(),
            at_line_start: true,
            after_blank: true,
            held_blank: None,
            open: None,
            read: 0,
            ended: false,
        }
    }

    /// How many octets of the file have been read.
    pub(super) fn position(&self) -> u64 {
        self.read
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Piece> {
        while self.ready.is_empty() && !self.ended {
            let mut piece = Vec::new();
            match self.input.by_ref().take(MAX_PIECE).read_until(b'\n', &mut piece) {
                Ok(0) => self.end(),
                Ok(count) => {
                    self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                    self.take(piece);
                }
                Err(error) => {
                    // Half a message is none: it is not ended, so that nobody keeps it.
                    let place = self.place();
                    self.ready.push_back(Piece::Bad { place, why: crate::error::reason(&error) });
                    self.open = None;
                    self.ended = true;
                }
            }
        }
        self.ready.pop_front()
    }

    fn place(&self) -> String {
        format!("{}, message {}", self.name, self.message)
    }

    fn end(&mut self) {
        self.ended = true;
        if let Some(Open { date, flags, .. }) = self.open.take() {
            self.ready.push_back(Piece::End { date, flags });
        }
    }

    fn take(&mut self, mut piece: Vec<u8>) {
        let starts = std::mem::replace(&mut self.at_line_start, piece.ends_with(b"\n"));
        let after_blank = std::mem::replace(&mut self.after_blank, false);
        if starts && after_blank && piece.starts_with(b"From ") {
            let date = from_line_date(&piece);
            if date.is_some() || self.message == 0 {
                self.begin(date);
                return;
            }
        }
        let Some(open) = &mut self.open else {
            if self.message == 0 {
                self.message = 1;
                let why = String::from("it does not begin with a `From ` line, so it is no mbox file");
                self.ready.push_back(Piece::Bad { place: self.name.clone(), why });
            }
            self.after_blank = starts && is_blank(&piece);
            return;
        };
        if let Some(blank) = self.held_blank.take() {
            self.ready.push_back(Piece::Octets(blank));
        }
        if starts && is_blank(&piece) {
            self.after_blank = true;
            open.in_header = false;
            self.held_blank = Some(piece);
            return;
        }
        if starts {
            let continues = piece.starts_with(b" ") || piece.starts_with(b"\t");
            open.passing = open.in_header && if continues { open.passing } else { note_flags(&piece, &mut open.flags) };
            unquote(&mut piece);
        }
        if !(open.in_header && open.passing) {
            self.ready.push_back(Piece::Octets(piece));
        }
    }

    fn begin(&mut self, date: Option<Timestamp>) {
        if let Some(Open { date, flags, .. }) = self.open.take() {
            self.ready.push_back(Piece::End { date, flags });
        }
        self.held_blank = None;
        self.message = self.message.saturating_add(1);
        self.ready.push_back(Piece::Begin { place: self.place(), below: Vec::new() });
        self.open = Some(Open { date, flags: Flags::new(), in_header: true, passing: false });
    }
}

fn is_blank(piece: &[u8]) -> bool {
    matches!(piece, b"\n" | b"\r\n")
}

/// Takes the flags out of a field that is the file's own; says whether it is one.
fn note_flags(line: &[u8], flags: &mut Flags) -> bool {
    let Some(colon) = line.iter().take(16).position(|&octet| octet == b':') else { return false };
    let (name, value) = line.split_at(colon);
    let value = String::from_utf8_lossy(value.get(1..).unwrap_or_default());
    if name.eq_ignore_ascii_case(b"Status") || name.eq_ignore_ascii_case(b"X-Status") {
        for letter in value.chars() {
            match letter {
                'R' => flags.insert(SystemFlag::Seen),
                'A' => flags.insert(SystemFlag::Answered),
                'F' => flags.insert(SystemFlag::Flagged),
                'T' => flags.insert(SystemFlag::Draft),
                'D' => flags.insert(SystemFlag::Deleted),
                _ => false,
            };
        }
        true
    } else if name.eq_ignore_ascii_case(b"X-Keywords") {
        for word in value.split_whitespace() {
            if let Ok(keyword) = Keyword::new(word) {
                flags.insert(keyword);
            }
        }
        true
    } else {
        false
    }
}

fn unquote(line: &mut Vec<u8>) {
    let quotes = line.iter().take_while(|&&octet| octet == b'>').count();
    if quotes > 0 && line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From ")) {
        line.remove(0);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use mailstore_traits::Flag;

    use super::*;

    /// Each message as (octets, flags, date), or the complaint.
    pub(in super::super) fn read(text: &[u8]) -> Vec<String> {
        let mut reader = MboxReader::new(text, String::from("box"));
        let (mut all, mut octets) = (Vec::new(), Vec::new());
        while let Some(piece) = reader.next() {
            match piece {
                Piece::Begin { .. } => octets.clear(),
                Piece::Octets(more) => octets.extend(more),
                Piece::End { date, flags } => {
                    let flags: Vec<_> = flags.iter().map(Flag::as_str).collect();
                    let date = date.map_or(0, Timestamp::unix_seconds);
                    all.push(format!("{}|{}|{date}", String::from_utf8_lossy(&octets), flags.join(" ")));
                }
                Piece::Bad { place, why } => all.push(format!("{place}: {why}")),
            }
        }
        assert_eq!(reader.position(), text.len() as u64);
        all
    }

    #[test]
    fn messages_are_cut_at_from_lines_with_dates() {
        let text = "From a Thu Jan  1 00:00:01 1970\nSubject: one\n\nbody\n\nFrom here on it is text\n\n\
            From b Thu Jan  1 00:00:02 1970\nSubject: two\n\n>From me\n>>From you\n> From\n\n\n\
            From c Thu Jan  1 00:00:03 1970\n\n\n";
        let expected = [
            "Subject: one\n\nbody\n\nFrom here on it is text\n||1",
            "Subject: two\n\nFrom me\n>From you\n> From\n\n||2",
            "\n||3",
        ];
        assert_eq!(read(text.as_bytes()), expected);
        let crlf: Vec<String> = read(text.replace('\n', "\r\n").as_bytes());
        assert_eq!(crlf, expected.map(|one| one.replace('\n', "\r\n")));
    }

    #[test]
    fn flags_are_the_files_and_not_the_messages() {
        let text = "From a Thu Jan  1 00:00:01 1970\nStatus: RO\nSubject: x\nX-Status: AF\n  T\nx-keywords: $Junk work \n\n\
            Status: D\n\n";
        assert_eq!(read(text.as_bytes()), ["Subject: x\n\nStatus: D\n|\\Answered \\Flagged \\Seen $Junk work|1"]);
    }

    #[test]
    fn what_is_no_mbox_is_told_once() {
        assert_eq!(read(b""), Vec::<String>::new());
        let told = read(b"Subject: x\n\nbody\n\nmore\n");
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("no mbox file"), "{told:?}");
    }

    #[test]
    fn lines_longer_than_a_piece_come_whole() {
        let long = "x".repeat(200_000);
        let text = format!("From a Thu Jan  1 00:00:01 1970\nA: b\n\n{long}\nFrom {long}\n\n");
        assert_eq!(read(text.as_bytes()), [format!("A: b\n\n{long}\nFrom {long}\n||1")]);
    }
}
