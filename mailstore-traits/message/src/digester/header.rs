//! A field that has come to its end, and what it says of the part whose header it stands in.

use bytes::Bytes;

use super::{Digester, is_blank};
use crate::content::{self, Structured};
use crate::digest::FieldData;
use crate::field::{self, Keep};
use crate::{Defect, Parameters};

/// What a header says of the structure of what follows it.
#[derive(Debug, Default)]
pub(super) struct Structure {
    /// The boundary parameter; empty if there is none that can be looked for.
    pub(super) boundary: Vec<u8>,
    /// Content-Type was there, readable or not.
    pub(super) typed: bool,
    /// Base64 or quoted-printable.
    pub(super) encoded: bool,
}

/// A field that can be read where it stands: its name is followed by the colon, its lines end with CRLF and are not too
/// long, and the octet behind it says that it is over.
struct PlainField<'a> {
    octets: &'a [u8],
    name: &'a [u8],
    /// Without the last line end.
    value: &'a [u8],
    lines: u64,
}

impl<'a> PlainField<'a> {
    fn at_start_of(header: &'a [u8]) -> Option<Self> {
        // What begins with a hyphen may be a delimiter.
        if header.first() == Some(&b'-') {
            return None;
        }
        let colon = header.iter().position(|octet| *octet == b':' || !octet.is_ascii_graphic())?;
        let (name, behind) = header.split_at_checked(colon)?;
        if name.is_empty() || behind.first() != Some(&b':') {
            return None;
        }
        let (mut lines, mut start, mut from) = (0_u64, 0_usize, colon);
        let end = loop {
            let lf = memchr::memchr(b'\n', header.get(from..)?)?.checked_add(from)?;
            let end = lf.checked_add(1)?;
            let text = header.get(start..lf)?.strip_suffix(b"\r")?.len();
            if text > super::LINE_MOST {
                return None;
            }
            lines = lines.saturating_add(1);
            if !is_blank(*header.get(end)?) {
                break end;
            }
            (start, from) = (end, end);
        };
        let octets = header.get(..end)?;
        let value = octets.get(colon.checked_add(1)?..end.checked_sub(2)?)?;
        Some(Self { octets, name, value, lines })
    }
}

impl Digester {
    /// Takes whole fields off the front of a header, and the empty line that ends it, as far as nothing is remarkable about
    /// them: they are read where they stand. Gives what is behind them, which goes line by line: the header's last field in
    /// these octets at least, of which the next ones say whether it goes on.
    pub(super) fn pass_over_fields<'a>(&mut self, octets: &'a [u8]) -> &'a [u8] {
        let mut rest = octets;
        while self.in_header && self.line_len == 0 {
            if let Some(behind) = rest.strip_prefix(b"\r\n") {
                self.end_field();
                self.pass(2, 1, false);
                self.end_header(self.position, self.line_ends);
                rest = behind;
            } else if let Some(field) = PlainField::at_start_of(rest)
                && field.octets.len() <= self.limits.held_octets()
            {
                // The one before it, that had to be held.
                self.end_field();
                self.field_truncated = false;
                self.field_eight_bit = !field.octets.is_ascii();
                self.read_field(field.name, field.value, self.position);
                self.pass(field.octets.len(), field.lines, true);
                rest = rest.get(field.octets.len()..).unwrap_or_default();
            } else {
                break;
            }
        }
        let passed = octets.len().saturating_sub(rest.len());
        self.look_at_octets(octets.get(..passed).unwrap_or_default());
        rest
    }

    /// Reads the field in `held` and empties it.
    pub(super) fn end_field(&mut self) {
        let Some(start) = self.field_start.take() else { return };
        let held = std::mem::take(&mut self.held);
        if let Some((name, value)) = field::split(&held) {
            self.read_field(name, value, start);
        }
        // The buffer is used again: its size is what the longest field so far needed.
        self.held = held;
        self.held.clear();
        self.field_truncated = false;
        self.field_eight_bit = false;
    }

    fn read_field(&mut self, name: &[u8], value: &[u8], start: u64) {
        if self.field_truncated {
            self.defect(Defect::HeaderTruncated);
        }
        if self.field_eight_bit {
            self.defect(Defect::EightBitHeader);
        }
        self.keep_field(name, value, start);
        if name.get(..8).is_some_and(|head| head.eq_ignore_ascii_case(b"content-")) {
            self.read_mime(name, value);
        }
    }

    /// Counts the field and keeps it, if it is one of those and stands in the header of a message.
    fn keep_field(&mut self, name: &[u8], value: &[u8], start: u64) {
        let Some(frame) = self.frames.last().filter(|frame| frame.is_message) else { return };
        let owner = frame.part;
        let Some((number, keep)) = field::known(name) else { return };
        if owner == 0
            && let Some(count) = self.counts.get_mut(usize::from(number))
        {
            *count = count.saturating_add(1);
        }
        if keep == Keep::Count || (keep == Keep::Top && owner != 0) {
            return;
        }
        let room = self.limits.fields_octets.saturating_sub(self.fields_octets);
        if self.fields.len() >= self.limits.fields || (room == 0 && !value.is_empty()) {
            return self.defect(Defect::TooManyFields);
        }
        let kept = value.get(..room).unwrap_or(value);
        let cut = kept.len() < value.len();
        if cut {
            self.defect(Defect::HeaderTruncated);
        }
        self.fields_octets = self.fields_octets.saturating_add(kept.len());
        let value = self.kept.keep(kept);
        self.fields.push(FieldData {
            owner,
            name: number,
            offset: i64::try_from(start).unwrap_or(i64::MAX),
            truncated: cut || self.field_truncated,
            value,
        });
    }

    /// Reads one of the fields that describe a part (RFC 2045 §3, RFC 2183, RFC 1864, RFC 3282, RFC 2557).
    fn read_mime(&mut self, name: &[u8], value: &[u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("Content-Type") {
            self.read_content_type(value);
        } else if is("Content-Disposition") {
            self.read_disposition(value);
        } else if is("Content-Transfer-Encoding") {
            let token = content::first_token(value).unwrap_or_default();
            self.structure.encoded |=
                token.eq_ignore_ascii_case(b"base64") || token.eq_ignore_ascii_case(b"quoted-printable");
            self.set(token, |mime| &mut mime.encoding);
        } else if is("Content-ID") {
            self.set(&field::unfold(value), |mime| &mut mime.id);
        } else if is("Content-Description") {
            self.set(&field::unfold(value), |mime| &mut mime.description);
        } else if is("Content-MD5") {
            self.set(&field::unfold(value), |mime| &mut mime.md5);
        } else if is("Content-Language") {
            self.set(&field::unfold(value), |mime| &mut mime.language);
        } else if is("Content-Location") {
            self.set(&field::unfold(value), |mime| &mut mime.location);
        }
    }

    fn read_content_type(&mut self, value: &[u8]) {
        if self.structure.typed {
            return self.defect(Defect::DuplicateField);
        }
        self.structure.typed = true;
        let Some(parsed) = content::content_type(value, &self.limits, &mut self.kept) else {
            return self.defect(Defect::BadContentType);
        };
        self.note_limits(&parsed);
        if let Some(boundary) = parsed.parameters.value("boundary") {
            // White space at its end is none of its own (RFC 2046 §5.1.1). An octet that ends lines can be in no line.
            let boundary = boundary.octets.trim_ascii_end();
            let fits = boundary.len() <= self.limits.boundary_octets;
            if fits && !boundary.iter().any(|octet| matches!(octet, b'\r' | b'\n')) {
                self.structure.boundary = boundary.to_vec();
            }
        }
        // Types are always kept: 127 octets each, and there are no more of them than parts.
        let (media_type, subtype) = (self.kept.keep_word(parsed.value), self.kept.keep_word(parsed.subtype));
        self.types_octets = self.types_octets.saturating_add(media_type.len()).saturating_add(subtype.len());
        let parameters = self.within_budget(parsed.parameters);
        if let Some(part) = self.part() {
            part.mime.typed = true;
            part.mime.media_type = media_type;
            part.mime.subtype = subtype;
            part.mime.parameters = parameters;
        }
    }

    fn read_disposition(&mut self, value: &[u8]) {
        let Some(parsed) = content::disposition(value, &self.limits, &mut self.kept) else { return };
        if self.part().is_some_and(|part| part.mime.disposition.is_some()) {
            return self.defect(Defect::DuplicateField);
        }
        self.note_limits(&parsed);
        let parameters = parsed.parameters;
        self.set(parsed.value, |mime| &mut mime.disposition);
        let parameters = self.within_budget(parameters);
        if let Some(part) = self.part() {
            part.mime.disposition_parameters = parameters;
        }
    }

    fn note_limits(&mut self, parsed: &Structured<'_>) {
        if parsed.too_many {
            self.defect(Defect::TooManyParameters);
        }
        if parsed.cut {
            self.defect(Defect::HeaderTruncated);
        }
    }

    /// Takes the octets off what all parts may have together; those that find no room any more are left out.
    fn within_budget(&mut self, mut parameters: Parameters) -> Parameters {
        let mut used = self.parts_octets;
        let fits = parameters.list.iter().take_while(|(name, value)| {
            let sum = used.saturating_add(name.len()).saturating_add(value.len());
            let fits = sum <= self.limits.parts_octets;
            used = if fits { sum } else { used };
            fits
        });
        let fits = fits.count();
        self.parts_octets = used;
        if fits < parameters.len() {
            parameters.list.truncate(fits);
            self.defect(Defect::HeaderTruncated);
        }
        parameters
    }

    /// Sets a value of the part that may be there once. The first holds; an empty one is none.
    fn set(&mut self, value: &[u8], of: impl Fn(&mut crate::part::Mime) -> &mut Option<Bytes>) {
        let Some(part) = self.part() else { return };
        if of(&mut part.mime).is_some() {
            return self.defect(Defect::DuplicateField);
        }
        let room = self.limits.parts_octets.saturating_sub(self.parts_octets).min(self.limits.parameter_octets);
        let kept = value.get(..room).unwrap_or(value);
        if kept.len() < value.len() {
            self.defect(Defect::HeaderTruncated);
        }
        if kept.is_empty() {
            return;
        }
        self.parts_octets = self.parts_octets.saturating_add(kept.len());
        let kept = self.kept.keep_word(kept);
        if let Some(part) = self.part() {
            *of(&mut part.mime) = Some(kept);
        }
    }
}
