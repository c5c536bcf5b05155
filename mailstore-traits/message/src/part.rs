//! One part of a message: the message itself, a body part of a multipart, or the message inside a message/rfc822.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use crate::{Defect, Defects, Digest, Field, ParameterValue, Parameters};

/// What a part is made of. It follows from what was found, not from what the Content-Type says: a multipart whose
/// boundary never came is a [`Leaf`](Self::Leaf).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartKind {
    /// Octets, without structure that this digest knows of. No child.
    Leaf,
    /// A multipart: one child or more (RFC 2046 §5.1).
    Multipart,
    /// A message/rfc822 or message/global: exactly one child, the message in it (RFC 2046 §5.2.1, RFC 6532 §3.7).
    Message,
}

/// What a digest holds of a part. Offsets count from the blob's first octet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartData {
    pub(crate) parent: Option<usize>,
    /// The first part behind this one and all in it.
    pub(crate) end: usize,
    pub(crate) kind: PartKind,
    pub(crate) defects: Defects,
    pub(crate) header_start: u64,
    pub(crate) body_start: u64,
    pub(crate) body_end: u64,
    pub(crate) line_ends: u64,
    pub(crate) unfinished_line: bool,
    pub(crate) mime: Mime,
}

/// What the MIME fields of a part's header say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mime {
    /// Whether there was a Content-Type that could be read.
    pub(crate) typed: bool,
    pub(crate) media_type: Bytes,
    pub(crate) subtype: Bytes,
    pub(crate) parameters: Parameters,
    pub(crate) encoding: Option<Bytes>,
    pub(crate) id: Option<Bytes>,
    pub(crate) description: Option<Bytes>,
    pub(crate) md5: Option<Bytes>,
    pub(crate) disposition: Option<Bytes>,
    pub(crate) disposition_parameters: Parameters,
    pub(crate) language: Option<Bytes>,
    pub(crate) location: Option<Bytes>,
}

impl PartData {
    pub(crate) fn new(parent: Option<usize>, header_start: u64) -> Self {
        Self {
            parent,
            end: 0,
            kind: PartKind::Leaf,
            defects: Defects::NONE,
            header_start,
            body_start: header_start,
            body_end: header_start,
            line_ends: 0,
            unfinished_line: false,
            mime: Mime::default(),
        }
    }
}

/// A part of a message, seen in its [`Digest`].
#[derive(Clone, Copy)]
pub struct Part<'a> {
    pub(crate) digest: &'a Digest,
    pub(crate) data: &'a PartData,
    pub(crate) index: usize,
}

impl<'a> Part<'a> {
    /// Its place among [`Digest::parts`]; the message itself is 0.
    pub fn index(self) -> usize {
        self.index
    }

    /// What it is made of.
    pub fn kind(self) -> PartKind {
        self.data.kind
    }

    /// The part that it is a child of; `None` for the message itself.
    pub fn parent(self) -> Option<Part<'a>> {
        self.digest.part(self.data.parent?)
    }

    /// Its children, in order.
    pub fn children(self) -> impl Iterator<Item = Part<'a>> {
        let first = self.index.saturating_add(1);
        let first = (first < self.data.end).then_some(first);
        let after = move |part: &Part<'a>| (part.data.end < self.data.end).then_some(part.data.end);
        std::iter::successors(first.and_then(|first| self.digest.part(first)), move |part| {
            self.digest.part(after(part)?)
        })
    }

    /// The message inside, if this is a [`PartKind::Message`]: its [`fields`](Self::fields) make the ENVELOPE that
    /// BODYSTRUCTURE tells of this part.
    pub fn message(self) -> Option<Part<'a>> {
        if self.kind() == PartKind::Message { self.children().next() } else { None }
    }

    /// Where its header stands in the message, the empty line behind it included (MIME and HEADER of RFC 9051
    /// §6.4.5.1). Empty where there is none. Octets, counted from the message's first one (the prefix included).
    pub fn header(self) -> Range<u64> {
        // The prefix is the first piece of the message's own header.
        let start = if self.index == 0 { 0 } else { self.digest.in_message(self.data.header_start) };
        start..self.digest.in_message(self.data.body_start)
    }

    /// Where its body stands in the message. For a body part without the line end that belongs to the delimiter behind
    /// it (RFC 2046 §5.1.1); for a multipart with preamble and epilogue.
    pub fn body(self) -> Range<u64> {
        self.digest.in_message(self.data.body_start)..self.digest.in_message(self.data.body_end)
    }

    /// How many octets its body has, encoded as it stands there: `body-fld-octets` (RFC 9051 §9).
    pub fn body_octets(self) -> u64 {
        self.data.body_end.saturating_sub(self.data.body_start)
    }

    /// How many lines its body has: `body-fld-lines` (RFC 9051 §9). A last line without a line end counts as one.
    pub fn body_lines(self) -> u64 {
        self.data.line_ends.saturating_add(self.data.unfinished_line.into())
    }

    /// How many line ends its body has: the other way in which servers count `body-fld-lines`.
    pub fn body_line_ends(self) -> u64 {
        self.data.line_ends
    }

    /// Its type, as sent; without one `text`, or `message` in a multipart/digest (RFC 2046 §5.1.5). 1 to 127 octets.
    pub fn media_type(self) -> &'a [u8] {
        &self.data.mime.media_type
    }

    /// Its subtype, as sent; without one `plain` or `rfc822`. 1 to 127 octets.
    pub fn subtype(self) -> &'a [u8] {
        &self.data.mime.subtype
    }

    /// Whether it says itself of what type it is, in a Content-Type field that could be read. Of what does not, the
    /// charset is us-ascii (RFC 2045 §5.2).
    pub fn has_content_type(self) -> bool {
        self.data.mime.typed
    }

    /// Whether it is of this type, in any case.
    pub fn is(self, media_type: &str, subtype: &str) -> bool {
        self.media_type().eq_ignore_ascii_case(media_type.as_bytes())
            && self.subtype().eq_ignore_ascii_case(subtype.as_bytes())
    }

    /// The parameters of its Content-Type.
    pub fn parameters(self) -> &'a Parameters {
        &self.data.mime.parameters
    }

    /// The charset that its Content-Type names.
    pub fn charset(self) -> Option<ParameterValue<'a>> {
        self.parameters().value("charset")
    }

    /// Its Content-Transfer-Encoding, as sent (RFC 2045 §6); `None` means 7bit.
    pub fn encoding(self) -> Option<&'a [u8]> {
        self.data.mime.encoding.as_deref()
    }

    /// Its Content-ID, unfolded (RFC 2045 §7).
    pub fn id(self) -> Option<&'a [u8]> {
        self.data.mime.id.as_deref()
    }

    /// Its Content-Description, unfolded; encoded words are left (RFC 2045 §8).
    pub fn description(self) -> Option<&'a [u8]> {
        self.data.mime.description.as_deref()
    }

    /// Its Content-MD5, unfolded (RFC 1864). Nobody checked it.
    pub fn md5(self) -> Option<&'a [u8]> {
        self.data.mime.md5.as_deref()
    }

    /// Its Content-Disposition without the parameters, as sent (RFC 2183).
    pub fn disposition(self) -> Option<&'a [u8]> {
        self.data.mime.disposition.as_deref()
    }

    /// The parameters of its Content-Disposition.
    pub fn disposition_parameters(self) -> &'a Parameters {
        &self.data.mime.disposition_parameters
    }

    /// Its Content-Language, unfolded: tags with commas between them (RFC 3282 §2).
    pub fn language(self) -> Option<&'a [u8]> {
        self.data.mime.language.as_deref()
    }

    /// Its Content-Location, unfolded (RFC 2557 §4).
    pub fn location(self) -> Option<&'a [u8]> {
        self.data.mime.location.as_deref()
    }

    /// The header fields kept of it, in order: those of the message itself, and of each embedded message those that an
    /// ENVELOPE is made of. Body parts of a multipart have none.
    pub fn fields(self) -> impl Iterator<Item = Field<'a>> {
        self.digest.fields_of(self.index)
    }

    /// What is wrong with it.
    pub fn defects(self) -> Defects {
        self.data.defects
    }

    /// Whether this is wrong with it.
    pub fn has(self, defect: Defect) -> bool {
        self.data.defects.contains(defect)
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("index", &self.index)
            .field("kind", &self.kind())
            .field("header", &self.header())
            .field("body", &self.body())
            .field("media_type", &self.media_type().escape_ascii().to_string())
            .field("subtype", &self.subtype().escape_ascii().to_string())
            .field("defects", &self.defects())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_as_small_as_the_limits_say() {
        assert!(size_of::<PartData>() <= 512, "{}", size_of::<PartData>());
        assert!(size_of::<crate::digest::FieldData>() <= 512);
    }
}
