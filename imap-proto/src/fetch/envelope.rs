//! ENVELOPE (RFC 9051 §7.5.2).

use std::ops::Range;

use bytes::BytesMut;
use mail_message::Part;
use mail_message::address::{Address, AddressItem, addresses};

use super::header_text;
use crate::grammar::Dialect;
use crate::response::write::{self, Out, Pen};

/// Writes the envelope of a message: the message itself, or one that is a part of it.
pub fn write_envelope(message: Part<'_>, dialect: Dialect, out: &mut BytesMut) {
    write_envelope_with(message, dialect, &mut Pen::new(out));
}

pub(super) fn write_envelope_with(message: Part<'_>, dialect: Dialect, out: &mut Pen<'_>) {
    // One look at each field; of two with one name the first counts.
    let mut found: [Option<&[u8]>; NAMES.len()] = [None; NAMES.len()];
    for field in message.fields() {
        if let Some(slot) = NAMES.iter().position(|name| *name == field.name).and_then(|at| found.get_mut(at))
            && slot.is_none()
        {
            *slot = Some(whole_addresses(field.value, field.truncated));
        }
    }
    let [date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id] = found;
    let text = |value: Option<&[u8]>, out: &mut Pen<'_>| match value {
        Some(value) => header_text(value, dialect, out),
        None => write::nil(out),
    };
    out.octet(b'(');
    text(date, out);
    out.octet(b' ');
    text(subject, out);
    let from = write_addresses(from, dialect, out);
    if from.is_none() {
        write_no_addresses(out);
    }
    // Who has no Sender or Reply-To is the one in From (RFC 9051 §7.5.2).
    for list in [sender, reply_to] {
        if write_addresses(list, dialect, out).is_none() {
            match &from {
                Some(from) => out.again(from.clone()),
                None => write_no_addresses(out),
            }
        }
    }
    for list in [to, cc, bcc] {
        if write_addresses(list, dialect, out).is_none() {
            write_no_addresses(out);
        }
    }
    out.octet(b' ');
    text(in_reply_to, out);
    out.octet(b' ');
    text(message_id, out);
    out.octet(b')');
}

const NAMES: [&str; 10] =
    ["Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID"];

/// Of a field that was cut the last address is a piece of one, and is left out (attack row M11).
fn whole_addresses(value: &[u8], truncated: bool) -> &[u8] {
    match truncated.then(|| memchr::memrchr(b',', value)).flatten() {
        Some(end) => value.get(..end).unwrap_or_default(),
        None => value,
    }
}

fn write_no_addresses(out: &mut Pen<'_>) {
    out.octets(b" NIL");
}

/// Writes a space and the list; tells where. `None`, and nothing written, if there is no address in it.
fn write_addresses(list: Option<&[u8]>, dialect: Dialect, out: &mut Pen<'_>) -> Option<Range<usize>> {
    let begin = out.len();
    let mut items = addresses(list?);
    let first = items.next()?;
    out.octets(b" (");
    for item in std::iter::once(first).chain(items) {
        match item {
            AddressItem::Mailbox(Address { name, route, mailbox, host, .. }) => {
                out.octet(b'(');
                let optional = |text: Option<&[u8]>, out: &mut Pen<'_>| match text {
                    Some(text) => header_text(text, dialect, out),
                    None => write::nil(out),
                };
                optional(name.as_deref(), out);
                out.octet(b' ');
                optional(route.as_deref(), out);
                out.octet(b' ');
                header_text(&mailbox, dialect, out);
                out.octet(b' ');
                // NIL would be the mark of a group.
                header_text(&host, dialect, out);
                out.octet(b')');
            }
            AddressItem::GroupStart(name) => {
                out.octets(b"(NIL NIL ");
                header_text(&name, dialect, out);
                out.octets(b" NIL)");
            }
            AddressItem::GroupEnd => out.octets(b"(NIL NIL NIL NIL)"),
            _ => {}
        }
    }
    out.octet(b')');
    Some(begin..out.len())
}
