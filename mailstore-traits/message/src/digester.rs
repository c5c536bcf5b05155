//! The machine that makes a digest of a message while its octets go by.
//!
//! It goes by lines. A line of a header is held up to the end of its field. Of a body's lines only those that begin with
//! a hyphen are held, as far as a delimiter reaches; those in which nothing can be found go by in blocks. Every decision
//! falls at a line's end, so that it cannot depend on where the octets were cut.

mod calm;
mod delimiter;
mod header;

use std::fmt;

use bytes::Bytes;

use crate::digest::FieldData;
use crate::encoding::tree;
use crate::field::{self, KNOWN};
use crate::kept::Kept;
use crate::part::PartData;
use crate::{Defect, Defects, Digest, Limits, PartKind};
use delimiter::{Delimiter, Overflow};
use header::Structure;

/// Finds the structure of a message as its octets arrive, in pieces of any size.
///
/// Never fails, never goes back, and holds no more than its [`Limits`] allow, whatever is fed.
///
/// ```
/// use mail_message::{Digest, Digester, Limits};
///
/// let mut digester = Digester::new(&Limits::default());
/// for chunk in ["Subject: he", "llo\r\n\r", "\nWorld\r\n"] {
///     digester.feed(chunk.as_bytes());
/// }
/// let digest = digester.finish();
/// assert_eq!(digest.size(), 25);
/// assert_eq!(digest.field("subject").unwrap().value, b" hello");
/// assert_eq!(digest.root().body(), 18..25);
///
/// // A store keeps the octets, and the structure is had from them again.
/// assert_eq!(Digest::from_octets(&digest.to_octets()), Ok(digest));
/// ```
pub struct Digester {
    limits: Limits,
    /// How many octets have been fed, and how many of them are LF.
    position: u64,
    line_ends: u64,
    crs: u64,
    crlfs: u64,

    // The line that is coming in.
    line_start: u64,
    line_len: u64,
    last: u8,
    first: u8,
    /// The line's octets, if they matter; in a header behind those of the field's lines before it.
    held: Vec<u8>,
    overflow: Overflow,
    /// Of the line before it: the octets of its end, and whether it had others.
    previous_end: u64,
    previous_text: bool,

    // The header that is coming in, if one is.
    in_header: bool,
    /// Where the field in `held` begins.
    field_start: Option<u64>,
    field_truncated: bool,
    field_eight_bit: bool,
    structure: Structure,

    /// The open parts, outermost first: never more than `limits.depth`.
    frames: Vec<Frame>,

    // What is found.
    kept: Kept,
    parts: Vec<PartData>,
    parts_octets: usize,
    types_octets: usize,
    fields: Vec<FieldData>,
    fields_octets: usize,
    counts: [u64; KNOWN.len()],
    defects: Defects,
    preview: Option<(usize, Vec<u8>)>,
    /// Whether octets of the body go into the preview.
    previewing: bool,
}

/// The longest line without its end (RFC 5322 §2.1.1).
const LINE_MOST: usize = 998;

/// What most messages need, and so has room from the start: octets of a held line, kept fields, parts.
const HELD: usize = 256;
const FIELDS: usize = 12;
const PARTS: usize = 4;

/// A part that has not come to its end.
#[derive(Debug)]
struct Frame {
    part: usize,
    /// The message itself, or the one inside a message/rfc822: its fields are kept.
    is_message: bool,
    /// What a multipart's delimiters are made of, until the close delimiter has come.
    boundary: Option<Vec<u8>>,
    /// LFs up to the body's start.
    line_ends: u64,
}

/// A place where parts end.
#[derive(Clone, Copy)]
struct End {
    offset: u64,
    line_ends: u64,
    /// Whether the last line there has no line end of its own.
    unfinished: bool,
}

impl Digester {
    /// One that has been fed nothing.
    pub fn new(limits: &Limits) -> Self {
        let mut frames = Vec::with_capacity(PARTS);
        frames.push(Frame { part: 0, is_message: true, boundary: None, line_ends: 0 });
        let mut parts = Vec::with_capacity(PARTS);
        parts.push(PartData::new(None, 0));
        Self {
            limits: limits.held(),
            position: 0,
            line_ends: 0,
            crs: 0,
            crlfs: 0,
            line_start: 0,
            line_len: 0,
            last: 0,
            first: 0,
            held: Vec::new(),
            overflow: Overflow::None,
            previous_end: 0,
            previous_text: false,
            in_header: true,
            field_start: None,
            field_truncated: false,
            field_eight_bit: false,
            structure: Structure::default(),
            frames,
            kept: Kept::default(),
            parts,
            parts_octets: 0,
            types_octets: 0,
            fields: Vec::with_capacity(FIELDS),
            fields_octets: 0,
            counts: [0; KNOWN.len()],
            defects: Defects::NONE,
            preview: None,
            previewing: false,
        }
    }

    /// Takes the next octets of the message: with CRLF line ends, or with the LF that files have.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !rest.is_empty() {
            rest = self.pass_over_fields(rest);
            rest = self.pass_over_calm_lines(rest);
            rest = self.feed_lines(rest);
        }
    }

    /// Takes the lines of a body in which there is nothing to find. Gives what is behind them.
    fn pass_over_calm_lines<'a>(&mut self, octets: &'a [u8]) -> &'a [u8] {
        if self.in_header || self.line_len > 0 {
            return octets;
        }
        let Some(found) = calm::calm(octets) else { return octets };
        let Some((lines, behind)) = octets.split_at_checked(found.octets) else { return octets };
        if found.eight_bit {
            self.defects.insert(Defect::EightBit);
        }
        if found.nul {
            self.defects.insert(Defect::Nul);
        }
        self.add_to_preview(lines);
        self.crs = self.crs.saturating_add(found.lines);
        // Whether something stands before the last CRLF that is no line end itself.
        let text = lines.iter().rev().nth(2).is_some_and(|octet| *octet != b'\n');
        self.pass(lines.len(), found.lines, text);
        behind
    }

    /// Takes lines of a body one by one as far as a block reaches, or one line of a header: then what follows may be plain
    /// again. Gives what is behind them.
    fn feed_lines<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let mut rest = chunk;
        let enough = chunk.len().saturating_sub(calm::BLOCK);
        while !rest.is_empty() && rest.len() > enough {
            let Some((line, behind)) =
                memchr::memchr(b'\n', rest).and_then(|lf| rest.split_at_checked(lf.saturating_add(1)))
            else {
                self.take(rest);
                rest = b"";
                break;
            };
            rest = behind;
            if let Some(text) = line.strip_suffix(b"\r\n")
                && text.len() <= LINE_MOST
                && !self.in_header
                && self.line_len == 0
                && text.first() != Some(&b'-')
            {
                // A line of a body in which there is nothing to find.
                self.add_to_preview(line);
                self.pass(line.len(), 1, !text.is_empty());
                continue;
            }
            // The octet before the LF may have come with the chunk before.
            let cr = line
                .len()
                .checked_sub(2)
                .map_or(self.line_len > 0 && self.last == b'\r', |before| line.get(before) == Some(&b'\r'));
            self.take(line);
            self.end_line(if cr { 2 } else { 1 });
            if self.in_header {
                break;
            }
        }
        self.look_at_octets(chunk.get(..chunk.len().saturating_sub(rest.len())).unwrap_or_default());
        rest
    }

    /// Whole lines have been dealt with: so many octets, and so many lines that end with CRLF. `text` is whether the last of
    /// them has other octets than its end.
    fn pass(&mut self, octets: usize, lines: u64, text: bool) {
        self.position = self.position.saturating_add(octets as u64);
        self.line_start = self.position;
        self.crlfs = self.crlfs.saturating_add(lines);
        self.line_ends = self.line_ends.saturating_add(lines);
        self.last = b'\n';
        self.previous_end = 2;
        self.previous_text = text;
    }

    /// The digest of what has been fed: the message ends here.
    pub fn finish(mut self) -> Digest {
        let end = End { offset: self.position, line_ends: self.line_ends, unfinished: self.line_len > 0 };
        if self.line_len > 0 {
            self.end_line(0);
        }
        self.end_field();
        while self.in_header {
            self.end_header(self.position, self.line_ends);
        }
        self.close(0, end);
        if self.crs > self.crlfs {
            self.defects.insert(Defect::BareCr);
        }
        let sound = tree(&mut self.parts, self.position);
        debug_assert!(sound, "parts nest by construction");
        Digest {
            blob: self.position,
            prefix: 0,
            line_ends: self.line_ends,
            unfinished_line: end.unfinished,
            defects: self.defects,
            counts: self.counts,
            fields: self.fields,
            parts: self.parts.into(),
            preview: self.preview.map(|(part, octets)| (part, Bytes::from(octets))),
        }
    }

    /// How many octets of the message are held: never more than [`Limits::octets`].
    pub fn buffered(&self) -> usize {
        let boundaries = self.frames.iter().flat_map(|frame| &frame.boundary).map(Vec::len).sum::<usize>();
        let preview = self.preview.as_ref().map_or(0, |(_, octets)| octets.len());
        [
            self.held.len(),
            self.structure.boundary.len(),
            boundaries,
            self.fields_octets,
            self.parts_octets,
            self.types_octets,
            preview,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    fn look_at_octets(&mut self, chunk: &[u8]) {
        if !self.defects.contains(Defect::EightBit) && !chunk.is_ascii() {
            self.defects.insert(Defect::EightBit);
        }
        if !self.defects.contains(Defect::Nul) && memchr::memchr(0, chunk).is_some() {
            self.defects.insert(Defect::Nul);
        }
        // Those of them that end lines are counted as lines end; the difference are bare ones.
        self.crs = self.crs.saturating_add(memchr::memchr_iter(b'\r', chunk).count() as u64);
    }

    /// Takes octets of one line: a piece of it, or the rest of it with its LF.
    fn take(&mut self, piece: &[u8]) {
        if self.line_len == 0 {
            self.begin_line(piece.first().copied().unwrap_or_default());
        }
        if self.in_header {
            self.field_eight_bit |= !piece.is_ascii();
            if self.field_start.is_some() || !is_blank(self.first) {
                self.hold(piece, self.limits.held_octets());
            }
        } else {
            if self.first == b'-' {
                self.hold(piece, self.limits.delimiter_octets());
            }
            self.add_to_preview(piece);
        }
        self.line_len = self.line_len.saturating_add(piece.len() as u64);
        self.position = self.position.saturating_add(piece.len() as u64);
        self.last = piece.last().copied().unwrap_or(self.last);
    }

    fn begin_line(&mut self, first: u8) {
        self.first = first;
        self.overflow = Overflow::None;
        // A line that begins with white space goes on with the field (RFC 5322 §2.2.3).
        if self.in_header && !is_blank(first) {
            self.end_field();
            self.field_truncated = false;
            self.field_eight_bit = false;
        }
    }

    fn hold(&mut self, piece: &[u8], ceiling: usize) {
        let room = ceiling.saturating_sub(self.held.len()).min(piece.len());
        let Some((kept, over)) = piece.split_at_checked(room) else { return };
        if self.held.capacity() == 0 {
            self.held.reserve(HELD);
        }
        self.held.extend_from_slice(kept);
        if !over.is_empty() {
            self.overflow.take(self.held.last().copied(), over);
            self.field_truncated |= self.in_header;
        }
    }

    fn add_to_preview(&mut self, piece: &[u8]) {
        if !self.previewing {
            return;
        }
        let Some((_, octets)) = &mut self.preview else { return };
        let room = self.limits.preview_octets.saturating_sub(octets.len());
        octets.extend_from_slice(piece.get(..room).unwrap_or(piece));
        self.previewing = piece.len() < room;
    }

    /// Decides what the line was. Its last `end` octets are its line end.
    fn end_line(&mut self, end: u64) {
        let before = self.line_ends;
        match end {
            0 => {}
            1 => self.defects.insert(Defect::BareLf),
            _ => self.crlfs = self.crlfs.saturating_add(1),
        }
        self.line_ends = before.saturating_add(u64::from(end > 0));
        let text = self.line_len.saturating_sub(end);
        if text > LINE_MOST as u64 {
            self.defects.insert(Defect::LongLine);
        }
        if self.in_header {
            self.header_line(text, before);
        } else if self.first == b'-' {
            self.body_line(before);
        }
        if self.field_start.is_none() {
            self.held.clear();
        }
        self.previous_end = end;
        self.previous_text = text > 0;
        self.line_start = self.position;
        self.line_len = 0;
    }

    /// A line of a header, `text` octets long without its end, `before` line ends before it.
    fn header_line(&mut self, text: u64, before: u64) {
        if is_blank(self.first) && text > 0 {
            // It is in `held` with its field; one without a field is passed over.
        } else if let Some((frame, delimiter)) = self.delimiter() {
            self.delimit(frame, delimiter, before);
        } else if text == 0 {
            self.end_header(self.position, self.line_ends);
        } else if field::split(&self.held).is_some() {
            self.field_start = Some(self.line_start);
        } else if self.held.starts_with(b"From ") || self.held.starts_with(b">From ") {
            self.defect(Defect::MboxFrom);
        } else {
            self.defect(Defect::NoHeaderEnd);
            // More than one header ends here, if this one is that of a message/rfc822.
            while self.in_header {
                self.end_header(self.line_start, before);
            }
            self.body_line(before);
            let line = std::mem::take(&mut self.held);
            self.add_to_preview(&line);
            self.previewing &= self.overflow == Overflow::None;
        }
    }

    fn body_line(&mut self, before: u64) {
        if let Some((frame, delimiter)) = self.delimiter() {
            self.delimit(frame, delimiter, before);
        }
    }

    /// Whether the held line is a delimiter, and of which open multipart: the innermost that it fits, for an outer one
    /// may end parts that an inner one began (RFC 2046 §5.1.2).
    fn delimiter(&self) -> Option<(usize, Delimiter)> {
        let candidate = delimiter::candidate(&self.held, self.overflow)?;
        self.frames.iter().enumerate().rev().find_map(|(index, frame)| {
            let boundary = frame.boundary.as_deref()?;
            delimiter::delimits(candidate, boundary).map(|delimiter| (index, delimiter))
        })
    }

    /// Ends what the delimiter ends, and begins the part that it begins.
    fn delimit(&mut self, frame: usize, delimiter: Delimiter, before: u64) {
        while self.in_header {
            self.end_header(self.line_start, before);
        }
        // The line end before the delimiter is its own (RFC 2046 §5.1.1).
        let end = End {
            offset: self.line_start.saturating_sub(self.previous_end),
            line_ends: before.saturating_sub(u64::from(self.previous_end > 0)),
            unfinished: self.previous_text,
        };
        self.close(frame.saturating_add(1), end);
        match delimiter {
            Delimiter::Next if self.parts.len() >= self.limits.parts => self.defect(Defect::TooManyParts),
            Delimiter::Next => self.open(self.position, self.line_ends, false),
            Delimiter::Close => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.boundary = None;
                }
            }
        }
    }

    /// Begins a part in the innermost one.
    fn open(&mut self, at: u64, line_ends: u64, is_message: bool) {
        let parent = self.frames.last().map(|frame| frame.part);
        self.frames.push(Frame { part: self.parts.len(), is_message, boundary: None, line_ends });
        self.parts.push(PartData::new(parent, at));
        self.in_header = true;
        self.structure = Structure::default();
    }

    /// Ends the header of the innermost part; its body, or the header of the message in it, begins there.
    fn end_header(&mut self, at: u64, line_ends: u64) {
        self.in_header = false;
        let structure = std::mem::take(&mut self.structure);
        let in_digest = self.in_multipart_digest();
        let room_below = self.frames.len() < self.limits.depth;
        let room_for_parts = self.parts.len() < self.limits.parts;
        if let Some(frame) = self.frames.last_mut() {
            frame.line_ends = line_ends;
        }
        let Some(part) = self.part() else { return };
        part.body_start = at;
        part.body_end = at;
        let mime = &mut part.mime;
        if !mime.typed {
            // RFC 2046 §5.1.5; a Content-Type that cannot be read is text/plain everywhere (RFC 2045 §5.2).
            let message = in_digest && !structure.typed;
            let (media_type, subtype) = if message { ("message", "rfc822") } else { ("text", "plain") };
            mime.media_type = Bytes::from_static(media_type.as_bytes());
            mime.subtype = Bytes::from_static(subtype.as_bytes());
        }
        let is = |known: &str, octets: &Bytes| octets.eq_ignore_ascii_case(known.as_bytes());
        let multipart = is("multipart", &mime.media_type);
        let message = is("message", &mime.media_type) && (is("rfc822", &mime.subtype) || is("global", &mime.subtype));
        let attachment = mime.disposition.as_ref().is_some_and(|disposition| is("attachment", disposition));
        let text = is("text", &mime.media_type) && is("plain", &mime.subtype) && !attachment;
        if multipart && structure.boundary.is_empty() {
            self.defect(Defect::NoBoundary);
        } else if message && structure.encoded {
            self.defect(Defect::EncodedMessage);
        } else if (multipart || message) && !room_below {
            self.defect(Defect::TooDeep);
        } else if (multipart || message) && !room_for_parts {
            self.defect(Defect::TooManyParts);
        } else if multipart {
            part.kind = PartKind::Multipart;
            if let Some(frame) = self.frames.last_mut() {
                frame.boundary = Some(structure.boundary);
            }
        } else if message {
            part.kind = PartKind::Message;
            self.open(at, line_ends, true);
        } else if text && self.preview.is_none() && self.limits.preview_octets > 0 {
            // Nearly every text fills it.
            let room = self.limits.preview_octets.min(1024);
            self.preview = self.frames.last().map(|frame| (frame.part, Vec::with_capacity(room)));
            self.previewing = true;
        }
    }

    /// Ends all parts but the outermost `keep`.
    fn close(&mut self, keep: usize, mut end: End) {
        let number = self.parts.len();
        while self.frames.len() > keep
            && let Some(frame) = self.frames.pop()
            && let Some(part) = self.parts.get_mut(frame.part)
        {
            if end.offset < part.body_start {
                // A delimiter right behind a header: the line end before it is the header's, here and further out.
                end = End { offset: part.body_start, line_ends: frame.line_ends, unfinished: false };
            }
            part.body_end = end.offset;
            part.line_ends = end.line_ends.saturating_sub(frame.line_ends);
            part.unfinished_line = end.unfinished && part.body_end > part.body_start;
            if part.kind == PartKind::Multipart && frame.part.saturating_add(1) == number {
                part.kind = PartKind::Leaf;
                part.defects.insert(Defect::NoParts);
                self.defects.insert(Defect::NoParts);
            } else if frame.boundary.is_some() {
                part.defects.insert(Defect::NoEndBoundary);
                self.defects.insert(Defect::NoEndBoundary);
            }
            let octets = part.body_end.saturating_sub(part.body_start);
            if let Some((_, preview)) = self.preview.as_mut().filter(|(part, _)| *part == frame.part) {
                preview.truncate(usize::try_from(octets).unwrap_or(usize::MAX));
                self.previewing = false;
            }
        }
    }

    /// The innermost open part.
    fn part(&mut self) -> Option<&mut PartData> {
        self.parts.get_mut(self.frames.last()?.part)
    }

    fn in_multipart_digest(&self) -> bool {
        let parent = self.frames.iter().rev().nth(1).and_then(|frame| self.parts.get(frame.part));
        parent.is_some_and(|parent| {
            parent.kind == PartKind::Multipart && parent.mime.subtype.eq_ignore_ascii_case(b"digest")
        })
    }

    /// Notes a defect of the innermost open part.
    fn defect(&mut self, defect: Defect) {
        self.defects.insert(defect);
        if let Some(part) = self.part() {
            part.defects.insert(defect);
        }
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is held is somebody's mail.
        write!(f, "Digester({} octets so far, {} parts, {:?})", self.position, self.parts.len(), self.defects)
    }
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}
