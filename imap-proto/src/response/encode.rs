//! From responses to octets.

use bytes::BytesMut;

use super::data::{Data, Envelope, EnvelopeAddress, Esearch, FetchItem, Listed, Response, Value};
use super::write;
use crate::command::write_part_name;
use crate::grammar::{Dialect, SeqBound, SequenceSet};

impl Response {
    /// Writes it, with its CRLF. What a string may not hold, NUL, is left out but for BINARY.
    pub fn encode(&self, dialect: Dialect, out: &mut BytesMut) {
        match self {
            Self::Continue(text) => {
                out.extend_from_slice(b"+ ");
                // It is one line, whatever it was made of (attack row I1).
                out.extend(text.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n' | 0)));
                out.extend_from_slice(b"\r\n");
            }
            Self::Status(tag, status) => status.encode(tag.as_ref(), out),
            Self::Data(data) => {
                out.extend_from_slice(b"* ");
                data.write(dialect, out);
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}

impl Data {
    fn write(&self, dialect: Dialect, out: &mut BytesMut) {
        let words = |name: &str, words: &[Box<str>], out: &mut BytesMut| {
            out.extend_from_slice(name.as_bytes());
            for word in words {
                out.extend_from_slice(b" ");
                out.extend_from_slice(word.as_bytes());
            }
        };
        let numbered = |number: u32, name: &str, out: &mut BytesMut| {
            write::number(u64::from(number), out);
            out.extend_from_slice(name.as_bytes());
        };
        match self {
            Self::Capability(names) => words("CAPABILITY", names, out),
            Self::Enabled(names) => words("ENABLED", names, out),
            Self::Flags(flags) => {
                out.extend_from_slice(b"FLAGS ");
                write::flag_list(flags.iter().map(|flag| &**flag), out);
            }
            Self::Exists(number) => numbered(*number, " EXISTS", out),
            Self::Recent(number) => numbered(*number, " RECENT", out),
            Self::Expunge(number) => numbered(*number, " EXPUNGE", out),
            Self::Vanished(earlier, uids) => {
                out.extend_from_slice(if *earlier { b"VANISHED (EARLIER) " } else { b"VANISHED " });
                write::uid_set(uids, out);
            }
            Self::List(listed) => listed.write("LIST", dialect, out),
            Self::Lsub(listed) => listed.write("LSUB", dialect, out),
            Self::Status(mailbox, items) => {
                out.extend_from_slice(b"STATUS ");
                write::mailbox(mailbox, dialect, out);
                out.extend_from_slice(b" (");
                for (at, (item, value)) in items.iter().enumerate() {
                    out.extend_from_slice(if at > 0 { b" " } else { b"" });
                    out.extend_from_slice(item.as_str().as_bytes());
                    out.extend_from_slice(b" ");
                    write::number(*value, out);
                }
                out.extend_from_slice(b")");
            }
            Self::Search(numbers, modseq) => {
                out.extend_from_slice(b"SEARCH");
                for number in numbers {
                    out.extend_from_slice(b" ");
                    write::number(u64::from(*number), out);
                }
                if let Some(modseq) = modseq {
                    out.extend_from_slice(b" (MODSEQ ");
                    write::number(*modseq, out);
                    out.extend_from_slice(b")");
                }
            }
            Self::Esearch(esearch) => esearch.write(out),
            Self::Namespace(kinds) => {
                out.extend_from_slice(b"NAMESPACE");
                for kind in kinds {
                    out.extend_from_slice(b" ");
                    if kind.is_empty() {
                        write::nil(out);
                        continue;
                    }
                    out.extend_from_slice(b"(");
                    for (prefix, delimiter) in kind {
                        out.extend_from_slice(b"(");
                        write::string(&prefix.encoded(dialect), dialect, out);
                        out.extend_from_slice(b" ");
                        write_delimiter(*delimiter, out);
                        out.extend_from_slice(b")");
                    }
                    out.extend_from_slice(b")");
                }
            }
            Self::Id(None) => out.extend_from_slice(b"ID NIL"),
            Self::Id(Some(fields)) => {
                out.extend_from_slice(b"ID (");
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.extend_from_slice(if at > 0 { b" " } else { b"" });
                    write::string(name, dialect, out);
                    out.extend_from_slice(b" ");
                    write::nstring(value.as_deref(), dialect, out);
                }
                out.extend_from_slice(b")");
            }
            Self::Fetch(number, items) => {
                numbered(*number, " FETCH (", out);
                for (at, item) in items.iter().enumerate() {
                    out.extend_from_slice(if at > 0 { b" " } else { b"" });
                    item.write(dialect, out);
                }
                out.extend_from_slice(b")");
            }
            Self::Other(name, rest) => {
                out.extend_from_slice(name.as_bytes());
                if !rest.is_empty() {
                    out.extend_from_slice(b" ");
                    out.extend_from_slice(rest);
                }
            }
        }
    }
}

fn write_delimiter(delimiter: Option<char>, out: &mut BytesMut) {
    match delimiter {
        Some(delimiter) => {
            let mut octets = [0u8; 4];
            write::string(delimiter.encode_utf8(&mut octets).as_bytes(), Dialect::ASCII, out);
        }
        None => write::nil(out),
    }
}

impl Listed {
    fn write(&self, name: &str, dialect: Dialect, out: &mut BytesMut) {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b" ");
        write::flag_list(self.attributes.iter().map(|attribute| &**attribute), out);
        out.extend_from_slice(b" ");
        write_delimiter(self.delimiter, out);
        out.extend_from_slice(b" ");
        write::mailbox(&self.mailbox, dialect, out);
        let old_name = self.old_name.as_ref();
        if self.child_info.is_empty() && old_name.is_none() {
            return;
        }
        out.extend_from_slice(b" (");
        if !self.child_info.is_empty() {
            out.extend_from_slice(b"\"CHILDINFO\" (");
            for (at, option) in self.child_info.iter().enumerate() {
                out.extend_from_slice(if at > 0 { b" " } else { b"" });
                write::string(option.as_bytes(), dialect, out);
            }
            out.extend_from_slice(b")");
        }
        if let Some(old_name) = old_name {
            out.extend_from_slice(if self.child_info.is_empty() { b"\"OLDNAME\" (" } else { b" \"OLDNAME\" (" });
            write::mailbox(old_name, dialect, out);
            out.extend_from_slice(b")");
        }
        out.extend_from_slice(b")");
    }
}

impl Esearch {
    fn write(&self, out: &mut BytesMut) {
        out.extend_from_slice(b"ESEARCH");
        if let Some(tag) = &self.tag {
            out.extend_from_slice(b" (TAG ");
            write::string(tag.as_bytes(), Dialect::ASCII, out);
            out.extend_from_slice(b")");
        }
        if self.uid {
            out.extend_from_slice(b" UID");
        }
        let mut number = |name: &str, number: Option<u64>| {
            if let Some(number) = number {
                out.extend_from_slice(name.as_bytes());
                write::number(number, out);
            }
        };
        number(" MIN ", self.min.map(u64::from));
        number(" MAX ", self.max.map(u64::from));
        number(" COUNT ", self.count.map(u64::from));
        number(" MODSEQ ", self.modseq);
        if let Some(all) = &self.all {
            out.extend_from_slice(b" ALL ");
            write_set(all, out);
        }
    }
}

fn write_set(set: &SequenceSet, out: &mut BytesMut) {
    let bound = |bound: SeqBound, out: &mut BytesMut| match bound {
        SeqBound::Number(number) => write::number(u64::from(number.get()), out),
        SeqBound::Star => out.extend_from_slice(b"*"),
    };
    for (at, &(first, last)) in set.ranges().iter().enumerate() {
        out.extend_from_slice(if at > 0 { b"," } else { b"" });
        bound(first, out);
        if first != last {
            out.extend_from_slice(b":");
            bound(last, out);
        }
    }
}

impl FetchItem {
    fn write(&self, dialect: Dialect, out: &mut BytesMut) {
        let origin = |origin: Option<u64>, out: &mut BytesMut| {
            if let Some(origin) = origin {
                out.extend_from_slice(b"<");
                write::number(origin, out);
                out.extend_from_slice(b">");
            }
            out.extend_from_slice(b" ");
        };
        let number = |name: &str, number: u64, out: &mut BytesMut| {
            out.extend_from_slice(name.as_bytes());
            write::number(number, out);
        };
        match self {
            Self::Flags(flags, recent) => {
                out.extend_from_slice(b"FLAGS ");
                write::flags(flags, *recent, out);
            }
            Self::Uid(uid) => number("UID ", u64::from(uid.value()), out),
            Self::ModSeq(modseq) => {
                number("MODSEQ (", *modseq, out);
                out.extend_from_slice(b")");
            }
            Self::InternalDate(date) => {
                out.extend_from_slice(b"INTERNALDATE ");
                write::date_time(*date, out);
            }
            Self::Size(octets) => number("RFC822.SIZE ", *octets, out),
            Self::Envelope(envelope) => {
                out.extend_from_slice(b"ENVELOPE ");
                envelope.write(dialect, out);
            }
            Self::Body(value) => {
                out.extend_from_slice(b"BODY ");
                value.write(dialect, out);
            }
            Self::BodyStructure(value) => {
                out.extend_from_slice(b"BODYSTRUCTURE ");
                value.write(dialect, out);
            }
            Self::Section(section, from, octets) => {
                out.extend_from_slice(b"BODY[");
                section.write_name(dialect, out);
                out.extend_from_slice(b"]");
                origin(*from, out);
                write::nstring(octets.as_deref(), dialect, out);
            }
            Self::Binary(part, from, octets) => {
                out.extend_from_slice(b"BINARY[");
                write_part_name(part, out);
                out.extend_from_slice(b"]");
                origin(*from, out);
                match octets.as_deref() {
                    Some(octets) if memchr::memchr(0, octets).is_some() => {
                        write::literal8_head(octets.len() as u64, out);
                        out.extend_from_slice(octets);
                    }
                    octets => write::nstring(octets, dialect, out),
                }
            }
            Self::BinarySize(part, octets) => {
                out.extend_from_slice(b"BINARY.SIZE[");
                write_part_name(part, out);
                number("] ", *octets, out);
            }
            Self::Rfc822(which, octets) => {
                out.extend_from_slice(which.as_str().as_bytes());
                out.extend_from_slice(b" ");
                write::nstring(octets.as_deref(), dialect, out);
            }
        }
    }
}

impl Envelope {
    fn write(&self, dialect: Dialect, out: &mut BytesMut) {
        out.extend_from_slice(b"(");
        write::nstring(self.date.as_deref(), dialect, out);
        out.extend_from_slice(b" ");
        write::nstring(self.subject.as_deref(), dialect, out);
        for list in [&self.from, &self.sender, &self.reply_to, &self.to, &self.cc, &self.bcc] {
            out.extend_from_slice(b" ");
            if list.is_empty() {
                write::nil(out);
                continue;
            }
            out.extend_from_slice(b"(");
            for EnvelopeAddress { name, route, mailbox, host } in list {
                for (at, text) in [name, route, mailbox, host].into_iter().enumerate() {
                    out.extend_from_slice(if at > 0 { b" " } else { b"(" });
                    write::nstring(text.as_deref(), dialect, out);
                }
                out.extend_from_slice(b")");
            }
            out.extend_from_slice(b")");
        }
        for text in [&self.in_reply_to, &self.message_id] {
            out.extend_from_slice(b" ");
            write::nstring(text.as_deref(), dialect, out);
        }
        out.extend_from_slice(b")");
    }
}

impl Value {
    /// Writes it with a stack of its own, however deep it is.
    fn write(&self, dialect: Dialect, out: &mut BytesMut) {
        enum Todo<'v> {
            Value(&'v Value),
            Text(&'static [u8]),
        }
        let mut left = vec![Todo::Value(self)];
        while let Some(todo) = left.pop() {
            match todo {
                Todo::Text(text) => out.extend_from_slice(text),
                Todo::Value(Self::Nil) => write::nil(out),
                Todo::Value(Self::Number(number)) => write::number(*number, out),
                Todo::Value(Self::Text(text)) => write::string(text, dialect, out),
                Todo::Value(Self::List(values)) => {
                    out.extend_from_slice(b"(");
                    left.push(Todo::Text(b")"));
                    for (at, value) in values.iter().enumerate().rev() {
                        left.push(Todo::Value(value));
                        // Between the children of a multipart there is no space (RFC 9051 §9, body-type-mpart).
                        let before = at.checked_sub(1).and_then(|before| values.get(before));
                        let joined = matches!((before, value), (Some(Self::List(_)), Self::List(_)));
                        if at > 0 && !joined {
                            left.push(Todo::Text(b" "));
                        }
                    }
                }
            }
        }
    }
}
