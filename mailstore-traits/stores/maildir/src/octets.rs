//! Messages on the disk and as they are served.
//!
//! Line ends are LF on the disk: that is what every program that reads a Maildir expects, from mutt and mbsync to grep;
//! Dovecot's manual warns that others may take CRs for text. A message is served with CRLF, so its octets follow from the
//! file alone, in the way Dovecot counts `W=`: a CR goes in front of each LF that has none. A message of which the way
//! back would not be the same (a bare LF, or two CRs before an LF) is kept as it came, and the index says so.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use bytes::{Bytes, BytesMut};
use mailstore_traits::{ErrorKind, Result, StoreError};
use store_sqlite::outside::{Octets, Rewind};

const CHUNK: usize = 64 * 1024;

/// How a file's octets become those that are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// A CR is put in front of each LF that has none.
    Lines,
    /// As they are.
    Exact,
}

/// Puts a CR in front of each LF that has none.
#[derive(Default)]
struct Canonical {
    after_cr: bool,
}

impl Canonical {
    fn push(&mut self, octets: &[u8], out: &mut BytesMut) {
        let mut from = 0;
        for at in memchr::memchr_iter(b'\n', octets) {
            let before = if at == 0 { self.after_cr } else { octets.get(at.wrapping_sub(1)) == Some(&b'\r') };
            if !before {
                out.extend_from_slice(octets.get(from..at).unwrap_or_default());
                out.extend_from_slice(b"\r");
                from = at;
            }
        }
        out.extend_from_slice(octets.get(from..).unwrap_or_default());
        if let Some(last) = octets.last() {
            self.after_cr = *last == b'\r';
        }
    }

    /// How many octets they become.
    fn count(&mut self, octets: &[u8]) -> u64 {
        let mut more = 0_u64;
        for at in memchr::memchr_iter(b'\n', octets) {
            let before = if at == 0 { self.after_cr } else { octets.get(at.wrapping_sub(1)) == Some(&b'\r') };
            more = more.saturating_add(u64::from(!before));
        }
        if let Some(last) = octets.last() {
            self.after_cr = *last == b'\r';
        }
        more.saturating_add(octets.len() as u64)
    }
}

/// How many octets a file is on the disk, and how many when it is served.
pub(crate) fn measure(file: &mut File) -> io::Result<(u64, u64)> {
    let (mut canonical, mut octets, mut served) = (Canonical::default(), 0_u64, 0_u64);
    let mut buffer = vec![0; CHUNK];
    file.seek(SeekFrom::Start(0))?;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((octets, served));
        }
        octets = octets.saturating_add(read as u64);
        served = served.saturating_add(canonical.count(buffer.get(..read).unwrap_or_default()));
    }
}

/// Writes a message in the form that comes back as it is; tells which, and how many octets there are on the disk and were
/// given.
pub(crate) fn write(prefix: &[u8], body: &mut dyn Rewind, file: &mut File) -> io::Result<(Form, u64, u64)> {
    if let Some((octets, given)) = write_lines(prefix, body, file)? {
        return Ok((Form::Lines, octets, given));
    }
    body.rewind()?;
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(prefix)?;
    let given = io::copy(body, file)?.saturating_add(prefix.len() as u64);
    Ok((Form::Exact, given, given))
}

/// Without the CRs before LFs; `None` if the way back would not be the same.
fn write_lines(prefix: &[u8], body: &mut dyn Rewind, file: &mut File) -> io::Result<Option<(u64, u64)>> {
    let mut input = BufReader::with_capacity(CHUNK, prefix.chain(body));
    let mut output = BufWriter::with_capacity(CHUNK, file);
    let (mut octets, mut given, mut cr) = (0_u64, 0_u64, false);
    let mut put = |text: &[u8]| {
        octets = octets.saturating_add(text.len() as u64);
        output.write_all(text)
    };
    loop {
        let text = io::BufRead::fill_buf(&mut input)?;
        if text.is_empty() {
            break;
        }
        let len = text.len();
        let mut rest = text;
        while !rest.is_empty() {
            if std::mem::take(&mut cr) {
                match rest {
                    [b'\n', ..] => {}
                    // A second CR may be the one before an LF.
                    [b'\r', b'\n', ..] | [b'\r'] => return Ok(None),
                    _ => put(b"\r")?,
                }
            } else if rest.first() == Some(&b'\n') {
                return Ok(None);
            }
            // Up to the next CR or LF, or the LF that this begins with.
            let from = usize::from(rest.first() == Some(&b'\n'));
            let tail = rest.get(from..).unwrap_or_default();
            let next = memchr::memchr2(b'\r', b'\n', tail).map_or(rest.len(), |at| at.saturating_add(from));
            put(rest.get(..next).unwrap_or_default())?;
            rest = rest.get(next..).unwrap_or_default();
            if let [b'\r', more @ ..] = rest {
                cr = true;
                rest = more;
            } else if rest.first() == Some(&b'\n') {
                return Ok(None);
            }
        }
        given = given.saturating_add(len as u64);
        io::BufRead::consume(&mut input, len);
    }
    if cr {
        put(b"\r")?;
    }
    output.flush()?;
    Ok(Some((octets, given)))
}

/// A message as it is served.
pub(crate) struct Served {
    file: File,
    form: Form,
    canonical: Canonical,
    /// Octets that were made and not asked for yet, the first of them at `at`.
    ready: BytesMut,
    at: u64,
    ended: bool,
}

impl Served {
    pub(crate) fn new(file: File, form: Form) -> Self {
        Self { file, form, canonical: Canonical::default(), ready: BytesMut::new(), at: 0, ended: false }
    }

    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        while self.ready.len() < wanted && !self.ended {
            let read = self.file.read(&mut buffer)?;
            self.ended = read == 0;
            self.canonical.push(buffer.get(..read).unwrap_or_default(), &mut self.ready);
        }
        Ok(())
    }

    fn lines(&mut self, start: u64, len: usize) -> io::Result<Bytes> {
        if start < self.at {
            self.file.rewind()?;
            (self.canonical, self.at, self.ended) = (Canonical::default(), 0, false);
            self.ready.clear();
        }
        while self.at < start {
            self.fill(1)?;
            let skipped = usize::try_from(start.saturating_sub(self.at)).unwrap_or(usize::MAX).min(self.ready.len());
            if skipped == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            drop(self.ready.split_to(skipped));
            self.at = self.at.saturating_add(skipped as u64);
        }
        self.fill(len)?;
        if self.ready.len() < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at = self.at.saturating_add(len as u64);
        Ok(self.ready.split_to(len).freeze())
    }

    fn exact(&mut self, start: u64, len: usize) -> io::Result<Bytes> {
        let mut octets = vec![0; len];
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut octets)?;
        Ok(octets.into())
    }
}

impl Octets for Served {
    fn part(&mut self, start: u64, len: u64) -> Result<Bytes> {
        let len = usize::try_from(len).map_err(|_| ErrorKind::Internal)?;
        let octets = match self.form {
            Form::Lines => self.lines(start, len),
            Form::Exact => self.exact(start, len),
        };
        octets.map_err(|error| trouble("reading a message's file", &error))
    }
}

/// A file's trouble in the contract's words.
pub(crate) fn trouble(what: &'static str, error: &io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::NotPermitted,
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    };
    StoreError::new(kind, format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn round(message: &[u8], prefix: usize) -> (Form, Vec<u8>, Vec<u8>) {
        let mut file = tempfile::tempfile().unwrap();
        let (prefix, body) = message.split_at(prefix.min(message.len()));
        let (form, octets, given) = write(prefix, &mut Cursor::new(body), &mut file).unwrap();
        assert_eq!(given, message.len() as u64);
        let mut disk = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut disk).unwrap();
        assert_eq!(disk.len() as u64, octets);
        if form == Form::Lines {
            assert_eq!(measure(&mut file).unwrap(), (octets, given));
        }
        file.rewind().unwrap();
        let served = Served::new(file, form).part(0, given).unwrap();
        (form, disk, served.to_vec())
    }

    #[test]
    fn lines_end_in_lf_on_the_disk_where_that_can_be_undone() {
        for (message, form, disk) in [
            (&b"a\r\nb\r\n"[..], Form::Lines, &b"a\nb\n"[..]),
            (b"", Form::Lines, b""),
            (b"\r\n", Form::Lines, b"\n"),
            (b"a\rb\r\n\r\n\r", Form::Lines, b"a\rb\n\n\r"),
            (b"a\nb\r\n", Form::Exact, b"a\nb\r\n"),
            (b"\n", Form::Exact, b"\n"),
            (b"a\r\n\n", Form::Exact, b"a\r\n\n"),
            (b"a\r\r\n", Form::Exact, b"a\r\r\n"),
        ] {
            for prefix in 0..=message.len() {
                assert_eq!(
                    round(message, prefix),
                    (form, disk.to_vec(), message.to_vec()),
                    "{}",
                    message.escape_ascii()
                );
            }
        }
    }

    proptest! {
        #[test]
        fn what_comes_back_is_what_went_in_from_anywhere(
            message in prop::collection::vec(prop::sample::select(b"ab\r\n\0\xff".to_vec()), 0..40),
            repeat in prop::sample::select(vec![1_usize, 9000]),
            prefix in 0..20_usize,
            cuts in prop::collection::vec(0..1_000_000_u64, 4),
        ) {
            let message = message.repeat(repeat);
            prop_assert_eq!(&round(&message, prefix).2, &message);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&message).unwrap();
            let (_, served) = measure(&mut file).unwrap();
            file.rewind().unwrap();
            let mut reader = Served::new(file, Form::Lines);
            let whole = reader.part(0, served).unwrap();
            let bare = whole.iter().zip(std::iter::once(&0).chain(&whole)).any(|(octet, before)| *octet == b'\n' && *before != b'\r');
            prop_assert!(!bare);
            for cut in cuts {
                let start = cut.min(served);
                let len = (served - start).min(70_000);
                prop_assert_eq!(reader.part(start, len).unwrap(), whole.slice(start as usize..(start + len) as usize));
            }
        }
    }
}
