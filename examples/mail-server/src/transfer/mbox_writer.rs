//! Writing mbox files, in the dialect that `mbox` reads.

use std::io::Write;

use mailstore_traits::{Flags, Keyword, SystemFlag, Timestamp};

use super::crlf::ToLf;
use super::date::asctime;

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
    use super::super::mbox::tests::read;
    use super::*;

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
