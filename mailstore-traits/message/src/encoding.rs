//! The octets of a digest, as a store keeps them: numbers in LEB128, strings behind their length.
//!
//! ```text
//! digest := size-of-blob size-of-prefix line-ends unfinished? defects
//!           count*26                                    one for each known field name
//!           number field*        field := owner name offset(zigzag) truncated? string
//!           number part*         part  := parent+1 kind defects start header-octets body-octets line-ends unfinished?
//!                                         typed? string(type) string(subtype) parameters
//!                                         optional*5(encoding id description md5 disposition) parameters
//!                                         optional*2(language location)
//!           0 / part+1 string                           preview
//! parameters := number (string string)*
//! string     := length octets
//! optional   := 0 / length+1 octets
//! ```
//!
//! The form has no recursion. Reading is total: what it gives is a digest whose parts nest, or an error.

use bytes::Bytes;
use mailstore_traits::MessageDigest;

use crate::digest::FieldData;
use crate::field::KNOWN;
use crate::part::{Mime, PartData};
use crate::{Defects, Digest, MAX_DEPTH, Parameters, PartKind};

/// The version of the form that [`Digest::to_octets`] writes, the only one that [`Digest::from_octets`] reads. A digest
/// of another version is made anew from the message.
pub const DIGEST_VERSION: u16 = 1;

/// Why octets are no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// Of another version.
    #[error("digest of version {0}, expected version {DIGEST_VERSION}")]
    Version(u16),
    /// Not of the form that the version promises.
    #[error("expected {expected} at octet {offset} of the digest")]
    Malformed {
        /// What should stand there.
        expected: &'static str,
        /// How many octets were good.
        offset: usize,
    },
}

impl Digest {
    /// The digest as octets for a store. Bounded as the digest is by the [`Limits`](crate::Limits) it was made under.
    pub fn to_octets(&self) -> MessageDigest {
        // Close to what it will be, so that it is not moved while it grows.
        let values: usize = self.fields.iter().map(|field| field.value.len().saturating_add(12)).sum();
        let preview = self.preview.as_ref().map_or(0, |(_, octets)| octets.len());
        let parts = self.parts.len().saturating_mul(96);
        let mut out = Vec::with_capacity(values.saturating_add(preview).saturating_add(parts).saturating_add(64));
        put(&mut out, self.blob);
        put(&mut out, self.prefix);
        put(&mut out, self.line_ends);
        put(&mut out, self.unfinished_line.into());
        put(&mut out, self.defects.bits().into());
        for count in self.counts {
            put(&mut out, count);
        }
        put(&mut out, self.fields.len() as u64);
        for field in &self.fields {
            put(&mut out, field.owner as u64);
            put(&mut out, field.name.into());
            put(&mut out, zigzag(field.offset));
            put(&mut out, field.truncated.into());
            put_string(&mut out, &field.value);
        }
        put(&mut out, self.parts.len() as u64);
        for part in self.parts.iter() {
            put_part(&mut out, part);
        }
        match &self.preview {
            None => put(&mut out, 0),
            Some((part, octets)) => {
                put(&mut out, (*part as u64).saturating_add(1));
                put_string(&mut out, octets);
            }
        }
        MessageDigest::new(DIGEST_VERSION, out)
    }

    /// The digest that these octets are. Its strings are slices of them. Never panics, and holds no more than a fixed
    /// multiple of the octets.
    ///
    /// # Errors
    /// [`DigestError`], if the version is another or the octets are not what [`to_octets`](Self::to_octets) writes:
    /// parts that do not nest or are deeper than [`MAX_DEPTH`], names without a meaning, octets too few or too many.
    /// The caller then makes a new digest from the message.
    pub fn from_octets(digest: &MessageDigest) -> Result<Self, DigestError> {
        if digest.version != DIGEST_VERSION {
            return Err(DigestError::Version(digest.version));
        }
        let mut reader = Reader::new(&digest.octets);
        let (blob, prefix) = (reader.number("size")?, reader.number("prefix")?);
        // Message sizes are told to IMAP as number64, 63 bits (RFC 9051 §9), and sums of two must not overflow here.
        reader.check(blob < 1 << 62 && prefix < 1 << 62, "sizes of less than 63 bits")?;
        let line_ends = reader.number("line ends")?;
        let unfinished_line = reader.flag()?;
        let defects = reader.defects()?;
        let mut counts = [0; KNOWN.len()];
        for count in &mut counts {
            *count = reader.number("count of fields")?;
        }
        let fields = reader.list(FieldData::read)?;
        let mut parts = reader.list(PartData::read)?;
        reader.check(tree(&mut parts, blob), "parts that nest")?;
        reader.check(
            fields.iter().all(|field| {
                let of_message = parts.get(field.owner).is_some_and(|part| {
                    part.parent.is_none_or(|parent| parts.get(parent).is_some_and(|p| p.kind == PartKind::Message))
                });
                of_message && field.offset >= -(prefix as i64) && field.offset < blob as i64
            }),
            "fields of messages",
        )?;
        let preview = match reader.index("part of the preview")? {
            0 => None,
            index => Some((index.saturating_sub(1), reader.string("preview")?)),
        };
        reader.check(preview.as_ref().is_none_or(|(part, _)| *part < parts.len()), "a part for the preview")?;
        reader.check(reader.rest.is_empty(), "the end")?;
        Ok(Self { blob, prefix, line_ends, unfinished_line, defects, counts, fields, parts: parts.into(), preview })
    }
}

/// Checks that the parts are a tree in the order of its octets, of a depth that can be walked, each part within its
/// parent; and notes for each where what is in it ends.
pub(crate) fn tree(parts: &mut [PartData], blob: u64) -> bool {
    // The open parts, outermost first: index, kind, first octet that a child may have, last one, children.
    let mut open: Vec<(usize, PartKind, u64, u64, usize)> = Vec::new();
    let all = parts.len();
    let sound = |kind: PartKind, children: usize| match kind {
        PartKind::Leaf => children == 0,
        PartKind::Multipart => children > 0,
        PartKind::Message => children == 1,
    };
    for index in 0..all {
        let Some(part) = parts.get_mut(index) else { return false };
        part.end = all;
        let PartData { parent, kind, header_start, body_start, body_end, .. } = *part;
        while let Some((last, kind, _, _, children)) = open.pop_if(|(last, ..)| parent != Some(*last)) {
            if !sound(kind, children) {
                return false;
            }
            if let Some(part) = parts.get_mut(last) {
                part.end = index;
            }
        }
        let (from, to) = match (open.last_mut(), parent) {
            (Some((_, _, from, to, children)), Some(_)) => {
                *children = children.saturating_add(1);
                let within = (*from, *to);
                *from = body_end;
                within
            }
            (None, None) if index == 0 => (0, blob),
            _ => return false,
        };
        let ordered = from <= header_start && header_start <= body_start && body_start <= body_end && body_end <= to;
        if !ordered || open.len() >= MAX_DEPTH {
            return false;
        }
        open.push((index, kind, body_start, body_end, 0));
    }
    !parts.is_empty() && open.iter().all(|(_, kind, _, _, children)| sound(*kind, *children))
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    put(out, string.len() as u64);
    out.extend_from_slice(string);
}

fn put_optional(out: &mut Vec<u8>, string: Option<&Bytes>) {
    let Some(string) = string else { return put(out, 0) };
    put(out, (string.len() as u64).saturating_add(1));
    out.extend_from_slice(string);
}

fn put_parameters(out: &mut Vec<u8>, parameters: &Parameters) {
    put(out, parameters.len() as u64);
    for (name, value) in parameters.iter() {
        put_string(out, name);
        put_string(out, value);
    }
}

fn put_part(out: &mut Vec<u8>, part: &PartData) {
    put(out, part.parent.map_or(0, |parent| (parent as u64).saturating_add(1)));
    put(out, part.kind as u64);
    put(out, part.defects.bits().into());
    put(out, part.header_start);
    put(out, part.body_start.saturating_sub(part.header_start));
    put(out, part.body_end.saturating_sub(part.body_start));
    put(out, part.line_ends);
    put(out, part.unfinished_line.into());
    let mime = &part.mime;
    put(out, mime.typed.into());
    put_string(out, &mime.media_type);
    put_string(out, &mime.subtype);
    put_parameters(out, &mime.parameters);
    for string in [&mime.encoding, &mime.id, &mime.description, &mime.md5, &mime.disposition] {
        put_optional(out, string.as_ref());
    }
    put_parameters(out, &mime.disposition_parameters);
    for string in [&mime.language, &mime.location] {
        put_optional(out, string.as_ref());
    }
}

/// Small negative numbers as small numbers.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

impl FieldData {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DigestError> {
        let owner = reader.index("owner of a field")?;
        let name = reader.number("name of a field")?;
        reader.check(name < KNOWN.len() as u64, "a known name")?;
        let offset = unzigzag(reader.number("offset of a field")?);
        Ok(Self { owner, name: name as u8, offset, truncated: reader.flag()?, value: reader.string("field")? })
    }
}

impl PartData {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DigestError> {
        let parent = reader.index("parent")?.checked_sub(1);
        let kind = match reader.number("kind")? {
            0 => PartKind::Leaf,
            1 => PartKind::Multipart,
            2 => PartKind::Message,
            _ => return Err(reader.malformed("a known kind")),
        };
        let defects = reader.defects()?;
        let header_start = reader.number("start of a part")?;
        let body_start = header_start.checked_add(reader.number("octets of a header")?);
        let body_end = body_start.and_then(|start| start.checked_add(reader.number("octets of a body").ok()?));
        let (Some(body_start), Some(body_end)) = (body_start, body_end) else {
            return Err(reader.malformed("octets of a part"));
        };
        let line_ends = reader.number("line ends")?;
        let unfinished_line = reader.flag()?;
        let mime = Mime::read(reader)?;
        Ok(Self { parent, end: 0, kind, defects, header_start, body_start, body_end, line_ends, unfinished_line, mime })
    }
}

impl Mime {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DigestError> {
        let (typed, media_type, subtype) = (reader.flag()?, reader.string("type")?, reader.string("subtype")?);
        reader.check(!media_type.is_empty() && !subtype.is_empty(), "a type and a subtype")?;
        let parameters = reader.parameters()?;
        let [encoding, id, description, md5, disposition] = reader.optionals()?;
        let disposition_parameters = reader.parameters()?;
        let [language, location] = reader.optionals()?;
        Ok(Self {
            typed,
            media_type,
            subtype,
            parameters,
            encoding,
            id,
            description,
            md5,
            disposition,
            disposition_parameters,
            language,
            location,
        })
    }
}

/// Reads on in a slice: taking each number off a `Bytes` would count its owners up and down once for each.
struct Reader<'d> {
    whole: &'d Bytes,
    rest: &'d [u8],
}

/// For so many things room is made at once, whatever number is told.
const ROOM: usize = 16;

impl<'d> Reader<'d> {
    fn new(whole: &'d Bytes) -> Self {
        Self { whole, rest: whole }
    }

    fn offset(&self) -> usize {
        self.whole.len().saturating_sub(self.rest.len())
    }

    #[cold]
    fn malformed(&self, expected: &'static str) -> DigestError {
        DigestError::Malformed { expected, offset: self.offset() }
    }

    fn check(&self, holds: bool, expected: &'static str) -> Result<(), DigestError> {
        if holds { Ok(()) } else { Err(self.malformed(expected)) }
    }

    fn number(&mut self, expected: &'static str) -> Result<u64, DigestError> {
        // Nearly every one is of one octet.
        if let [octet @ ..=0x7f, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*octet));
        }
        self.long_number(expected)
    }

    fn long_number(&mut self, expected: &'static str) -> Result<u64, DigestError> {
        let mut number = 0;
        for (index, octet) in self.rest.iter().enumerate().take(10) {
            let bits = u64::from(octet & 0x7f);
            let shift = (index as u32).saturating_mul(7);
            // The tenth octet has room for one bit, and a last octet of 0 would be a second way to write a number.
            if (shift == 63 && bits > 1) || (*octet == 0 && index > 0) {
                break;
            }
            number |= bits << shift;
            if octet & 0x80 == 0 {
                self.rest = self.rest.get(index.saturating_add(1)..).unwrap_or_default();
                return Ok(number);
            }
        }
        Err(self.malformed(expected))
    }

    fn index(&mut self, expected: &'static str) -> Result<usize, DigestError> {
        let number = self.number(expected)?;
        usize::try_from(number).map_err(|_| self.malformed(expected))
    }

    fn flag(&mut self) -> Result<bool, DigestError> {
        match self.number("yes or no")? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed("yes or no")),
        }
    }

    fn defects(&mut self) -> Result<Defects, DigestError> {
        let bits = self.number("defects")?;
        Defects::from_bits(bits).ok_or_else(|| self.malformed("known defects"))
    }

    fn octets(&mut self, len: usize, expected: &'static str) -> Result<Bytes, DigestError> {
        let Some(rest) = self.rest.get(len..) else { return Err(self.malformed(expected)) };
        let from = self.offset();
        self.rest = rest;
        // What is empty owns nothing.
        Ok(if len == 0 { Bytes::new() } else { self.whole.slice(from..from.saturating_add(len)) })
    }

    fn string(&mut self, expected: &'static str) -> Result<Bytes, DigestError> {
        let len = self.index(expected)?;
        self.octets(len, expected)
    }

    fn optionals<const N: usize>(&mut self) -> Result<[Option<Bytes>; N], DigestError> {
        let mut strings = [const { None }; N];
        for string in &mut strings {
            if let Some(len) = self.index("optional string")?.checked_sub(1) {
                *string = Some(self.octets(len, "optional string")?);
            }
        }
        Ok(strings)
    }

    /// A number of things and the things. What it reserves follows what is read, not the number that is told.
    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, DigestError>) -> Result<Vec<T>, DigestError> {
        let number = self.index("number of things")?;
        self.check(number <= self.rest.len(), "as many things as were told")?;
        let mut list = Vec::with_capacity(number.min(ROOM));
        for _ in 0..number {
            list.push(read(self)?);
        }
        Ok(list)
    }

    fn parameters(&mut self) -> Result<Parameters, DigestError> {
        let list = self.list(|reader| Ok((reader.string("parameter")?, reader.string("value of a parameter")?)))?;
        Ok(Parameters { list })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for number in [0, 1, 127, 128, 300, 1 << 62, u64::MAX] {
            let mut out = Vec::new();
            put(&mut out, number);
            let out = Bytes::from(out);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.number("it").unwrap(), number);
            assert!(reader.rest.is_empty());
        }
        for octets in [&b""[..], b"\x80", b"\x80\x00", &[0xff; 10], &[0x80; 11]] {
            let octets = Bytes::copy_from_slice(octets);
            let mut reader = Reader::new(&octets);
            assert!(reader.number("it").is_err(), "{octets:?}");
        }
    }

    #[test]
    fn negative_offsets_survive() {
        for number in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(number)), number);
        }
    }

    #[test]
    fn another_version_is_told_apart() {
        let mut octets = Digest::of(b"").to_octets();
        octets.version = 2;
        assert_eq!(Digest::from_octets(&octets), Err(DigestError::Version(2)));
    }
}
