//! BODY and BODYSTRUCTURE (RFC 9051 §7.5.2).

use bytes::BytesMut;
use mail_message::{Digest, Parameters, Part, PartKind};

use super::{header_text, write_envelope};
use crate::grammar::Dialect;
use crate::response::write;

/// What is still to be written.
enum Todo<'a> {
    Part(Part<'a>),
    /// What stands behind the children of a multipart.
    MultipartEnd(Part<'a>),
    /// What stands behind the structure of the message in a message.
    MessageEnd(Part<'a>),
}

/// Writes the structure of a message: BODYSTRUCTURE, or without extension data BODY. Parts nest in a stack of our own
/// (attack row M11).
pub fn write_structure(digest: &Digest, extended: bool, dialect: Dialect, out: &mut BytesMut) {
    let mut left = vec![Todo::Part(digest.root())];
    while let Some(todo) = left.pop() {
        match todo {
            Todo::Part(part) => {
                out.extend_from_slice(b"(");
                match part.kind() {
                    PartKind::Multipart => {
                        left.push(Todo::MultipartEnd(part));
                        // No space between the children (RFC 9051 §9, body-type-mpart).
                        let from = left.len();
                        left.extend(part.children().map(Todo::Part));
                        left.get_mut(from..).unwrap_or_default().reverse();
                    }
                    PartKind::Message => {
                        write_basic(part, dialect, out);
                        out.extend_from_slice(b" ");
                        left.push(Todo::MessageEnd(part));
                        match part.message() {
                            Some(message) => {
                                write_envelope(message, dialect, out);
                                out.extend_from_slice(b" ");
                                left.push(Todo::Part(message));
                            }
                            // A digest that says one thing and holds another.
                            None => out.extend_from_slice(b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0)"),
                        }
                    }
                    _ => {
                        write_basic(part, dialect, out);
                        if part.media_type().eq_ignore_ascii_case(b"text") {
                            out.extend_from_slice(b" ");
                            write::number(part.body_lines(), out);
                        }
                        if extended {
                            out.extend_from_slice(b" ");
                            write_extension(part, true, dialect, out);
                        }
                        out.extend_from_slice(b")");
                    }
                }
            }
            Todo::MultipartEnd(part) => {
                out.extend_from_slice(b" ");
                write::string(part.subtype(), dialect, out);
                if extended {
                    out.extend_from_slice(b" ");
                    write_parameters(part.parameters(), dialect, out);
                    out.extend_from_slice(b" ");
                    write_extension(part, false, dialect, out);
                }
                out.extend_from_slice(b")");
            }
            Todo::MessageEnd(part) => {
                out.extend_from_slice(b" ");
                write::number(part.body_lines(), out);
                if extended {
                    out.extend_from_slice(b" ");
                    write_extension(part, true, dialect, out);
                }
                out.extend_from_slice(b")");
            }
        }
    }
}

/// The type and the six fields that every part has that is no multipart.
fn write_basic(part: Part<'_>, dialect: Dialect, out: &mut BytesMut) {
    let is = |name: &str| part.media_type().eq_ignore_ascii_case(name.as_bytes());
    // A structure that was not looked into has nothing to tell of its inside, and the grammar wants it told (RFC 2046
    // §5.2.4 does so with messages that it does not know).
    let opaque = part.kind() == PartKind::Leaf
        && (is("multipart") || part.is("message", "rfc822") || part.is("message", "global"));
    if opaque {
        out.extend_from_slice(b"\"application\" \"octet-stream\" NIL");
    } else {
        write::string(part.media_type(), dialect, out);
        out.extend_from_slice(b" ");
        write::string(part.subtype(), dialect, out);
        out.extend_from_slice(b" ");
        if part.has_content_type() || !is("text") {
            write_parameters(part.parameters(), dialect, out);
        } else {
            // RFC 2045 §5.2.
            out.extend_from_slice(b"(\"charset\" \"us-ascii\")");
        }
    }
    for text in [part.id(), part.description()] {
        out.extend_from_slice(b" ");
        optional(text, dialect, out);
    }
    out.extend_from_slice(b" ");
    match part.encoding() {
        Some(encoding) => header_text(encoding, dialect, out),
        None => out.extend_from_slice(b"\"7bit\""),
    }
    out.extend_from_slice(b" ");
    write::number(part.body_octets(), out);
}

/// MD5 unless it is a multipart, disposition, language and location.
fn write_extension(part: Part<'_>, md5: bool, dialect: Dialect, out: &mut BytesMut) {
    if md5 {
        optional(part.md5(), dialect, out);
        out.extend_from_slice(b" ");
    }
    match part.disposition() {
        Some(disposition) => {
            out.extend_from_slice(b"(");
            header_text(disposition, dialect, out);
            out.extend_from_slice(b" ");
            write_parameters(part.disposition_parameters(), dialect, out);
            out.extend_from_slice(b")");
        }
        None => write::nil(out),
    }
    out.extend_from_slice(b" ");
    write_languages(part.language(), dialect, out);
    out.extend_from_slice(b" ");
    optional(part.location(), dialect, out);
}

fn optional(text: Option<&[u8]>, dialect: Dialect, out: &mut BytesMut) {
    match text {
        Some(text) => header_text(text, dialect, out),
        None => write::nil(out),
    }
}

fn write_parameters(parameters: &Parameters, dialect: Dialect, out: &mut BytesMut) {
    if parameters.is_empty() {
        return write::nil(out);
    }
    out.extend_from_slice(b"(");
    for (at, (name, value)) in parameters.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b" ");
        }
        header_text(name, dialect, out);
        out.extend_from_slice(b" ");
        header_text(value, dialect, out);
    }
    out.extend_from_slice(b")");
}

/// One language as a string, several as a list (RFC 9051 §9, body-fld-lang).
fn write_languages(languages: Option<&[u8]>, dialect: Dialect, out: &mut BytesMut) {
    let tags = || languages.unwrap_or_default().split(|&octet| octet == b',').map(<[u8]>::trim_ascii);
    let mut tags = tags().filter(|tag| !tag.is_empty()).peekable();
    let Some(first) = tags.next() else { return write::nil(out) };
    if tags.peek().is_none() {
        return header_text(first, dialect, out);
    }
    out.extend_from_slice(b"(");
    header_text(first, dialect, out);
    for tag in tags {
        out.extend_from_slice(b" ");
        header_text(tag, dialect, out);
    }
    out.extend_from_slice(b")");
}
