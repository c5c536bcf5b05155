//! mbox files: messages one behind the other, each after a `From ` line and before an empty one (RFC 4155).
//!
//! Of the dialects this is mboxrd: a line that is `From ` behind any number of `>` gets one more when it is written and
//! loses one when it is read, so that every message comes back as it was. Flags stand in the header fields `Status`,
//! `X-Status` and `X-Keywords`, as Mutt, Dovecot and Python's `mailbox` have them; they belong to the file, not to the
//! message, and are taken out when it is read.

use std::collections::VecDeque;
use std::io::{BufRead, Read, Write};

use mailstore_traits::{Flags, Keyword, SystemFlag, Timestamp};

use super::Piece;
use super::crlf::ToLf;
use super::date::{asctime, from_line_date};

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

/// Writes an mbox file.
#[derive(Debug)]
pub(super) struct MboxWriter<W> {
    out: Counted<W>,
    lines: ToLf,
    quoting: Quoting,
    /// Where the message that is being written begins.
    begin: u64,
}

/// A writer that knows how much has been written.
#[derive(Debug)]
struct Counted<W> {
    to: W,
    count: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        let count = self.to.write(octets)?;
        self.count = self.count.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Where in a line the writer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// Behind nothing but `>`, and so many octets of `From `.
    Start(usize),
    /// Past the point where anything could have to be quoted.
    Inside,
}

const FROM: &[u8] = b"From ";

impl<W: Write> MboxWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out: Counted { to: out, count: 0 }, lines: ToLf::default(), quoting: Quoting::Start(0), begin: 0 }
    }

    /// Begins a message; `sender` is its envelope's, if it is known.
    pub(super) fn begin(&mut self, sender: Option<&str>, date: Timestamp, flags: &Flags) -> std::io::Result<()> {
        self.begin = self.out.count;
        writeln!(self.out, "From {} {}", sender.unwrap_or("MAILER-DAEMON"), asctime(date))?;
        let letters = |letters: &[(SystemFlag, char)]| {
            letters.iter().filter(|(flag, _)| flags.has(*flag)).map(|&(_, letter)| letter).collect::<String>()
        };
        writeln!(self.out, "Status: {}O", letters(&[(SystemFlag::Seen, 'R')]))?;
        let rest = letters(&[
            (SystemFlag::Answered, 'A'),
            (SystemFlag::Flagged, 'F'),
            (SystemFlag::Draft, 'T'),
            (SystemFlag::Deleted, 'D'),
        ]);
        if !rest.is_empty() {
            writeln!(self.out, "X-Status: {rest}")?;
        }
        let keywords: Vec<_> = flags.keywords().map(Keyword::as_str).collect();
        if !keywords.is_empty() {
            writeln!(self.out, "X-Keywords: {}", keywords.join(" "))?;
        }
        Ok(())
    }

    /// Writes some octets of the message, cut anywhere.
    pub(super) fn octets(&mut self, octets: &[u8]) -> std::io::Result<()> {
        let mut quoted = Vec::with_capacity(octets.len().saturating_add(64));
        let quoting = &mut self.quoting;
        self.lines.push(octets, |text| quote(text, quoting, &mut quoted));
        self.out.write_all(&quoted)
    }

    /// Ends the message.
    pub(super) fn end(&mut self) -> std::io::Result<()> {
        let mut quoted = Vec::new();
        let quoting = &mut self.quoting;
        std::mem::take(&mut self.lines).finish(|text| quote(text, quoting, &mut quoted));
        if let Quoting::Start(matched) = *quoting {
            quoted.extend_from_slice(FROM.get(..matched).unwrap_or_default());
        }
        if *quoting != Quoting::Start(0) {
            quoted.push(b'\n');
        }
        quoted.push(b'\n');
        self.quoting = Quoting::Start(0);
        self.out.write_all(&quoted)
    }

    /// What was written to.
    pub(super) fn into_inner(self) -> W {
        self.out.to
    }
}

impl MboxWriter<std::io::BufWriter<std::fs::File>> {
    /// Takes the message that was begun out again: half a message is none.
    pub(super) fn abandon(&mut self) -> std::io::Result<()> {
        self.out.flush()?;
        let file = self.out.to.get_mut();
        file.set_len(self.begin)?;
        std::io::Seek::seek(file, std::io::SeekFrom::Start(self.begin))?;
        self.out.count = self.begin;
        self.lines = ToLf::default();
        self.quoting = Quoting::Start(0);
        Ok(())
    }
}

fn quote(text: &[u8], quoting: &mut Quoting, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&octet, more)) = rest.split_first() {
        match *quoting {
            // Each `>` may go out at once: the one that is added is like it.
            Quoting::Start(0) if octet == b'>' => out.push(octet),
            Quoting::Start(matched) if FROM.get(matched) == Some(&octet) => {
                let matched = matched.saturating_add(1);
                if matched == FROM.len() {
                    out.push(b'>');
                    out.extend_from_slice(FROM);
                    *quoting = Quoting::Inside;
                } else {
                    *quoting = Quoting::Start(matched);
                }
            }
            Quoting::Start(matched) => {
                out.extend_from_slice(FROM.get(..matched).unwrap_or_default());
                *quoting = Quoting::Inside;
                continue;
            }
            Quoting::Inside => {
                let end = memchr::memchr(b'\n', rest).map(|at| at.saturating_add(1));
                let (line, behind) = rest.split_at(end.unwrap_or(rest.len()));
                out.extend_from_slice(line);
                if end.is_some() {
                    *quoting = Quoting::Start(0);
                }
                rest = behind;
                continue;
            }
        }
        rest = more;
    }
}

/// The envelope's sender, if the header's beginning tells it.
pub(super) fn sender(beginning: &[u8]) -> Option<String> {
    let header = beginning.get(..beginning.len().min(8192))?;
    let line = header
        .split(|&octet| octet == b'\n')
        .take_while(|line| !line.is_empty() && *line != b"\r")
        .find(|line| line.get(..12).is_some_and(|name| name.eq_ignore_ascii_case(b"return-path:")))?;
    let value = std::str::from_utf8(line.get(12..)?).ok()?.trim();
    let address = value.strip_prefix('<')?.strip_suffix('>')?;
    let plain = !address.is_empty() && address.chars().all(|c| !c.is_whitespace() && !c.is_control());
    plain.then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use mailstore_traits::Flag;

    use super::*;

    /// Each message as (octets, flags, date), or the complaint.
    fn read(text: &[u8]) -> Vec<String> {
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

    #[test]
    fn what_was_written_is_read_again_wherever_it_was_cut() {
        let message = "A: b\r\n\r\nFrom a\r\n>From b\r\n>>>From c\r\n> From\r\nFro\r\n>\r\n\r\nFrom";
        let flags: Flags = [SystemFlag::Seen, SystemFlag::Flagged].into_iter().collect();
        for size in 1..message.len() {
            let mut writer = MboxWriter::new(Vec::new());
            for _ in 0..2 {
                writer.begin(Some("a@b"), Timestamp::from_unix(7), &flags).unwrap();
                message.as_bytes().chunks(size).for_each(|chunk| writer.octets(chunk).unwrap());
                writer.end().unwrap();
            }
            let expected = format!("{}\n|\\Flagged \\Seen|7", message.replace("\r\n", "\n"));
            assert_eq!(read(&writer.into_inner()), [expected.clone(), expected]);
        }
    }

    #[test]
    fn a_message_that_was_abandoned_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box");
        let mut writer = MboxWriter::new(std::io::BufWriter::new(std::fs::File::create(&path).unwrap()));
        for (text, whole) in [("A: one\r\n", true), ("A: half\r", false), ("A: two\r\n", true)] {
            writer.begin(None, Timestamp::from_unix(7), &Flags::new()).unwrap();
            writer.octets(text.as_bytes()).unwrap();
            if whole { writer.end().unwrap() } else { writer.abandon().unwrap() }
        }
        drop(writer.into_inner().into_inner().unwrap());
        assert_eq!(read(&std::fs::read(&path).unwrap()), ["A: one\n||7", "A: two\n||7"]);
    }

    #[test]
    fn the_sender_is_told_by_the_return_path() {
        assert_eq!(sender(b"Return-Path: <a@b.example>\r\nA: b\r\n").as_deref(), Some("a@b.example"));
        assert_eq!(sender(b"X: y\r\nreturn-path:<a@b>\r\n\r\n").as_deref(), Some("a@b"));
        for none in ["Return-Path: <>\r\n", "A: b\r\n\r\nReturn-Path: <a@b>\r\n", "Return-Path: <a b@c>\r\n", ""] {
            assert_eq!(sender(none.as_bytes()), None, "{none}");
        }
    }
}
