//! BODY and BODYSTRUCTURE (RFC 9051 §7.5.2).

use bytes::BytesMut;
use mail_message::{Digest, Parameters, Part, PartKind};

use super::envelope::write_envelope_with;
use super::header_text;
use crate::grammar::Dialect;
use crate::response::write::{self, Out, Pen};
use crate::stack::Stack;

/// What is still to be written.
enum Todo<'a, C> {
    Part(Part<'a>),
    /// The children of a multipart that are left, and then what stands behind them.
    Children(C, Part<'a>),
    /// What stands behind the structure of the message in a message.
    MessageEnd(Part<'a>),
}

/// Writes the structure of a message: BODYSTRUCTURE, or without extension data BODY. Parts nest in a stack of our own
/// (attack row M11).
pub fn write_structure(digest: &Digest, extended: bool, dialect: Dialect, out: &mut BytesMut) {
    let out = &mut Pen::new(out);
    let mut left: Stack<Todo<'_, _>, 16> = Stack::new();
    left.push(Todo::Part(digest.root()));
    while let Some(todo) = left.pop() {
        match todo {
            Todo::Part(part) => {
                out.octet(b'(');
                match part.kind() {
                    PartKind::Multipart => {
                        left.push(Todo::Children(part.children(), part));
                    }
                    PartKind::Message => {
                        write_basic(part, dialect, out);
                        out.octet(b' ');
                        left.push(Todo::MessageEnd(part));
                        match part.message() {
                            Some(message) => {
                                write_envelope_with(message, dialect, out);
                                out.octet(b' ');
                                left.push(Todo::Part(message));
                            }
                            // A digest that says one thing and holds another.
                            None => out.octets(b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0)"),
                        }
                    }
                    _ => {
                        write_basic(part, dialect, out);
                        if part.media_type().eq_ignore_ascii_case(b"text") {
                            out.octet(b' ');
                            write::number(part.body_lines(), out);
                        }
                        if extended {
                            out.octet(b' ');
                            write_extension(part, true, dialect, out);
                        }
                        out.octet(b')');
                    }
                }
            }
            Todo::Children(mut children, part) => {
                if let Some(child) = children.next() {
                    // No space between the children (RFC 9051 §9, body-type-mpart).
                    left.push(Todo::Children(children, part));
                    left.push(Todo::Part(child));
                    continue;
                }
                out.octet(b' ');
                write::string(part.subtype(), dialect, out);
                if extended {
                    out.octet(b' ');
                    write_parameters(part.parameters(), dialect, out);
                    out.octet(b' ');
                    write_extension(part, false, dialect, out);
                }
                out.octet(b')');
            }
            Todo::MessageEnd(part) => {
                out.octet(b' ');
                write::number(part.body_lines(), out);
                if extended {
                    out.octet(b' ');
                    write_extension(part, true, dialect, out);
                }
                out.octet(b')');
            }
        }
    }
}

/// The type and the six fields that every part has that is no multipart.
fn write_basic(part: Part<'_>, dialect: Dialect, out: &mut Pen<'_>) {
    let is = |name: &str| part.media_type().eq_ignore_ascii_case(name.as_bytes());
    // A structure that was not looked into has nothing to tell of its inside, and the grammar wants it told (RFC 2046
    // §5.2.4 does so with messages that it does not know).
    let opaque = part.kind() == PartKind::Leaf
        && (is("multipart") || part.is("message", "rfc822") || part.is("message", "global"));
    if opaque {
        out.octets(b"\"application\" \"octet-stream\" NIL");
    } else {
        write::string(part.media_type(), dialect, out);
        out.octet(b' ');
        write::string(part.subtype(), dialect, out);
        out.octet(b' ');
        if part.has_content_type() || !is("text") {
            write_parameters(part.parameters(), dialect, out);
        } else {
            // RFC 2045 §5.2.
            out.octets(b"(\"charset\" \"us-ascii\")");
        }
    }
    for text in [part.id(), part.description()] {
        out.octet(b' ');
        optional(text, dialect, out);
    }
    out.octet(b' ');
    match part.encoding() {
        Some(encoding) => header_text(encoding, dialect, out),
        None => out.octets(b"\"7bit\""),
    }
    out.octet(b' ');
    write::number(part.body_octets(), out);
}

/// MD5 unless it is a multipart, disposition, language and location.
fn write_extension(part: Part<'_>, md5: bool, dialect: Dialect, out: &mut Pen<'_>) {
    if md5 {
        optional(part.md5(), dialect, out);
        out.octet(b' ');
    }
    match part.disposition() {
        Some(disposition) => {
            out.octet(b'(');
            header_text(disposition, dialect, out);
            out.octet(b' ');
            write_parameters(part.disposition_parameters(), dialect, out);
            out.octet(b')');
        }
        None => write::nil(out),
    }
    out.octet(b' ');
    write_languages(part.language(), dialect, out);
    out.octet(b' ');
    optional(part.location(), dialect, out);
}

fn optional(text: Option<&[u8]>, dialect: Dialect, out: &mut Pen<'_>) {
    match text {
        Some(text) => header_text(text, dialect, out),
        None => write::nil(out),
    }
}

fn write_parameters(parameters: &Parameters, dialect: Dialect, out: &mut Pen<'_>) {
    if parameters.is_empty() {
        return write::nil(out);
    }
    out.octet(b'(');
    for (at, (name, value)) in parameters.iter().enumerate() {
        if at > 0 {
            out.octet(b' ');
        }
        header_text(name, dialect, out);
        out.octet(b' ');
        header_text(value, dialect, out);
    }
    out.octet(b')');
}

/// One language as a string, several as a list (RFC 9051 §9, body-fld-lang).
fn write_languages(languages: Option<&[u8]>, dialect: Dialect, out: &mut Pen<'_>) {
    let tags = || languages.unwrap_or_default().split(|&octet| octet == b',').map(<[u8]>::trim_ascii);
    let mut tags = tags().filter(|tag| !tag.is_empty()).peekable();
    let Some(first) = tags.next() else { return write::nil(out) };
    if tags.peek().is_none() {
        return header_text(first, dialect, out);
    }
    out.octet(b'(');
    header_text(first, dialect, out);
    for tag in tags {
        out.octet(b' ');
        header_text(tag, dialect, out);
    }
    out.octet(b')');
}
