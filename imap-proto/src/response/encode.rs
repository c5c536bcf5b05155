//! From responses to octets.

use bytes::BytesMut;

use super::data::{Data, Envelope, EnvelopeAddress, Esearch, FetchItem, Listed, Response, Value};
use super::write::{self, Out, Pen};
use crate::command::write_part_name;
use crate::grammar::{Dialect, SeqBound, SequenceSet};
use crate::stack::Stack;

impl Response {
    /// Writes it, with its CRLF. What a string may not hold, NUL, is left out but for BINARY.
    pub fn encode(&self, dialect: Dialect, out: &mut BytesMut) {
        match self {
            Self::Continue(text) => {
                out.octets(b"+ ");
                // It is one line, whatever it was made of (attack row I1).
                out.extend(text.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n' | 0)));
                out.octets(b"\r\n");
            }
            Self::Status(tag, status) => status.encode(tag.as_ref(), out),
            Self::Data(data) => {
                let pen = &mut Pen::new(out);
                pen.octets(b"* ");
                data.write(dialect, pen);
                pen.octets(b"\r\n");
            }
        }
    }
}

impl Data {
    fn write(&self, dialect: Dialect, out: &mut Pen<'_>) {
        let words = |name: &str, words: &[Box<str>], out: &mut Pen<'_>| {
            out.octets(name.as_bytes());
            for word in words {
                out.octet(b' ');
                out.octets(word.as_bytes());
            }
        };
        let numbered = |number: u32, name: &str, out: &mut Pen<'_>| {
            write::number(u64::from(number), out);
            out.octets(name.as_bytes());
        };
        match self {
            Self::Capability(names) => words("CAPABILITY", names, out),
            Self::Enabled(names) => words("ENABLED", names, out),
            Self::Flags(flags) => {
                out.octets(b"FLAGS ");
                write::flag_list(flags.iter().map(|flag| &**flag), out);
            }
            Self::Exists(number) => numbered(*number, " EXISTS", out),
            Self::Recent(number) => numbered(*number, " RECENT", out),
            Self::Expunge(number) => numbered(*number, " EXPUNGE", out),
            Self::Vanished(earlier, uids) => {
                out.octets(if *earlier { b"VANISHED (EARLIER) " } else { b"VANISHED " });
                write::uid_set(uids, out);
            }
            Self::List(listed) => listed.write("LIST", dialect, out),
            Self::Lsub(listed) => listed.write("LSUB", dialect, out),
            Self::Status(mailbox, items) => {
                out.octets(b"STATUS ");
                write::mailbox(mailbox, dialect, out);
                out.octets(b" (");
                for (at, (item, value)) in items.iter().enumerate() {
                    out.octets(if at > 0 { b" " } else { b"" });
                    out.octets(item.as_str().as_bytes());
                    out.octet(b' ');
                    write::number(*value, out);
                }
                out.octet(b')');
            }
            Self::Search(numbers, modseq) => {
                out.octets(b"SEARCH");
                for number in numbers {
                    out.octet(b' ');
                    write::number(u64::from(*number), out);
                }
                if let Some(modseq) = modseq {
                    out.octets(b" (MODSEQ ");
                    write::number(*modseq, out);
                    out.octet(b')');
                }
            }
            Self::Esearch(esearch) => esearch.write(out),
            Self::Namespace(kinds) => {
                out.octets(b"NAMESPACE");
                for kind in kinds {
                    out.octet(b' ');
                    if kind.is_empty() {
                        write::nil(out);
                        continue;
                    }
                    out.octet(b'(');
                    for (prefix, delimiter) in kind {
                        out.octet(b'(');
                        write::string(&prefix.encoded(dialect), dialect, out);
                        out.octet(b' ');
                        write_delimiter(*delimiter, out);
                        out.octet(b')');
                    }
                    out.octet(b')');
                }
            }
            Self::Id(None) => out.octets(b"ID NIL"),
            Self::Id(Some(fields)) => {
                out.octets(b"ID (");
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.octets(if at > 0 { b" " } else { b"" });
                    write::string(name, dialect, out);
                    out.octet(b' ');
                    write::nstring(value.as_deref(), dialect, out);
                }
                out.octet(b')');
            }
            Self::Fetch(number, items) => {
                numbered(*number, " FETCH (", out);
                for (at, item) in items.iter().enumerate() {
                    out.octets(if at > 0 { b" " } else { b"" });
                    item.write(dialect, out);
                }
                out.octet(b')');
            }
            Self::Other(name, rest) => {
                out.octets(name.as_bytes());
                if !rest.is_empty() {
                    out.octet(b' ');
                    out.octets(rest);
                }
            }
        }
    }
}

/// `DQUOTE QUOTED-CHAR DQUOTE`, or `nil` (RFC 9051 §9): there is no literal here, so what cannot stand between quotes is no
/// delimiter, and whatever else there is stands there as it is.
fn write_delimiter(delimiter: Option<char>, out: &mut Pen<'_>) {
    match delimiter {
        None | Some('\0' | '\r' | '\n') => write::nil(out),
        Some(delimiter) => {
            let mut octets = [0u8; 4];
            write::quoted(delimiter.encode_utf8(&mut octets).as_bytes(), out);
        }
    }
}

impl Listed {
    fn write(&self, name: &str, dialect: Dialect, out: &mut Pen<'_>) {
        out.octets(name.as_bytes());
        out.octet(b' ');
        write::flag_list(self.attributes.iter().map(|attribute| &**attribute), out);
        out.octet(b' ');
        write_delimiter(self.delimiter, out);
        out.octet(b' ');
        write::mailbox(&self.mailbox, dialect, out);
        let old_name = self.old_name.as_ref();
        if self.child_info.is_empty() && old_name.is_none() {
            return;
        }
        out.octets(b" (");
        if !self.child_info.is_empty() {
            out.octets(b"\"CHILDINFO\" (");
            for (at, option) in self.child_info.iter().enumerate() {
                out.octets(if at > 0 { b" " } else { b"" });
                write::string(option.as_bytes(), dialect, out);
            }
            out.octet(b')');
        }
        if let Some(old_name) = old_name {
            out.octets(if self.child_info.is_empty() { b"\"OLDNAME\" (" } else { b" \"OLDNAME\" (" });
            write::mailbox(old_name, dialect, out);
            out.octet(b')');
        }
        out.octet(b')');
    }
}

impl Esearch {
    fn write(&self, out: &mut Pen<'_>) {
        out.octets(b"ESEARCH");
        if let Some(tag) = &self.tag {
            out.octets(b" (TAG ");
            write::string(tag.as_bytes(), Dialect::ASCII, out);
            out.octet(b')');
        }
        if self.uid {
            out.octets(b" UID");
        }
        let mut number = |name: &str, number: Option<u64>| {
            if let Some(number) = number {
                out.octets(name.as_bytes());
                write::number(number, out);
            }
        };
        number(" MIN ", self.min.map(u64::from));
        number(" MAX ", self.max.map(u64::from));
        number(" COUNT ", self.count.map(u64::from));
        number(" MODSEQ ", self.modseq);
        if let Some(all) = &self.all {
            out.octets(b" ALL ");
            write_set(all, out);
        }
    }
}

fn write_set(set: &SequenceSet, out: &mut Pen<'_>) {
    let bound = |bound: SeqBound, out: &mut Pen<'_>| match bound {
        SeqBound::Number(number) => write::number(u64::from(number.get()), out),
        SeqBound::Star => out.octet(b'*'),
    };
    for (at, &(first, last)) in set.ranges().iter().enumerate() {
        out.octets(if at > 0 { b"," } else { b"" });
        bound(first, out);
        if first != last {
            out.octet(b':');
            bound(last, out);
        }
    }
}

impl FetchItem {
    fn write(&self, dialect: Dialect, out: &mut Pen<'_>) {
        let origin = |origin: Option<u64>, out: &mut Pen<'_>| {
            if let Some(origin) = origin {
                out.octet(b'<');
                write::number(origin, out);
                out.octet(b'>');
            }
            out.octet(b' ');
        };
        let number = |name: &str, number: u64, out: &mut Pen<'_>| {
            out.octets(name.as_bytes());
            write::number(number, out);
        };
        match self {
            Self::Flags(flags, recent) => {
                out.octets(b"FLAGS ");
                write::flags(flags, *recent, out);
            }
            Self::Uid(uid) => number("UID ", u64::from(uid.value()), out),
            Self::ModSeq(modseq) => {
                number("MODSEQ (", *modseq, out);
                out.octet(b')');
            }
            Self::InternalDate(date) => {
                out.octets(b"INTERNALDATE ");
                write::date_time(*date, out);
            }
            Self::Size(octets) => number("RFC822.SIZE ", *octets, out),
            Self::Envelope(envelope) => {
                out.octets(b"ENVELOPE ");
                envelope.write(dialect, out);
            }
            Self::Body(value) => {
                out.octets(b"BODY ");
                value.write(dialect, out);
            }
            Self::BodyStructure(value) => {
                out.octets(b"BODYSTRUCTURE ");
                value.write(dialect, out);
            }
            Self::Section(section, from, octets) => {
                out.octets(b"BODY[");
                section.write_name(dialect, out);
                out.octet(b']');
                origin(*from, out);
                write::nstring(octets.as_deref(), dialect, out);
            }
            Self::Binary(part, from, octets) => {
                out.octets(b"BINARY[");
                write_part_name(part, out);
                out.octet(b']');
                origin(*from, out);
                match octets.as_deref() {
                    Some(octets) if memchr::memchr(0, octets).is_some() => {
                        write::literal8_head(octets.len() as u64, out);
                        out.octets(octets);
                    }
                    octets => write::nstring(octets, dialect, out),
                }
            }
            Self::BinarySize(part, octets) => {
                out.octets(b"BINARY.SIZE[");
                write_part_name(part, out);
                number("] ", *octets, out);
            }
            Self::Rfc822(which, octets) => {
                out.octets(which.as_str().as_bytes());
                out.octet(b' ');
                write::nstring(octets.as_deref(), dialect, out);
            }
        }
    }
}

impl Envelope {
    fn write(&self, dialect: Dialect, out: &mut Pen<'_>) {
        out.octet(b'(');
        write::octet_nstring(self.date.as_ref(), dialect, out);
        out.octet(b' ');
        write::octet_nstring(self.subject.as_ref(), dialect, out);
        for list in [&self.from, &self.sender, &self.reply_to, &self.to, &self.cc, &self.bcc] {
            out.octet(b' ');
            if list.is_empty() {
                write::nil(out);
                continue;
            }
            out.octet(b'(');
            for EnvelopeAddress { name, route, mailbox, host } in list {
                for (at, text) in [name, route, mailbox, host].into_iter().enumerate() {
                    out.octets(if at > 0 { b" " } else { b"(" });
                    write::octet_nstring(text.as_ref(), dialect, out);
                }
                out.octet(b')');
            }
            out.octet(b')');
        }
        for text in [&self.in_reply_to, &self.message_id] {
            out.octet(b' ');
            write::octet_nstring(text.as_ref(), dialect, out);
        }
        out.octet(b')');
    }
}

/// Where the next value of a list stands in it.
#[derive(Clone, Copy)]
enum Place {
    First,
    /// Behind lists and nothing else.
    AmongLists,
    /// Behind something that is none.
    Behind,
}

impl Value {
    /// Writes it with a stack of its own, however deep it is.
    fn write(&self, dialect: Dialect, out: &mut Pen<'_>) {
        // The lists around the one whose values are being written, and where in them that stands.
        let mut around: Stack<(std::slice::Iter<'_, Self>, Place), 8> = Stack::new();
        let mut values = std::slice::from_ref(self).iter();
        let mut place = Place::First;
        loop {
            let Some(value) = values.next() else {
                // The end of this list, or of all.
                let Some(outer) = around.pop() else { return };
                (values, place) = outer;
                out.octet(b')');
                continue;
            };
            let is_list = matches!(value, Self::List(_));
            // RFC 9051 §9: the children of a multipart, and addresses, begin their list and have no space between them
            // (body-type-mpart, env-from); the lists behind a part's type have (body-ext-1part, body-type-msg).
            if !matches!((place, is_list), (Place::First, _) | (Place::AmongLists, true)) {
                out.octet(b' ');
            }
            place = match place {
                Place::First | Place::AmongLists if is_list => Place::AmongLists,
                _ => Place::Behind,
            };
            match value {
                Self::Nil => write::nil(out),
                Self::Number(number) => write::number(*number, out),
                Self::Text(text) => write::octet_string(text, dialect, out),
                Self::List(list) => {
                    out.octet(b'(');
                    around.push((std::mem::replace(&mut values, list.iter()), place));
                    place = Place::First;
                }
            }
        }
    }
}
