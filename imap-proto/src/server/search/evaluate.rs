//! Whether a message is what a search looks for: from metadata, then from the digest, then from the header, and from the
//! body only if nothing else could tell.

use std::ops::Range;

use futures::StreamExt;
use mail_message::charset::{CharsetDecoder, charset};
use mail_message::transfer::TransferDecoder;
use mail_message::{Digest, Part, PartKind, date, words};
use mailstore_traits::{Account, ByteRange, MailboxId, MessageMeta, StoreError, Uid};

use super::program::{Program, Step, Test, day_of};
use crate::grammar::Date;
use crate::server::fetch::digest_of;

/// So many octets of a header are looked into (attack row M12). The largest that anybody sends have a tenth of it.
const HEADER_MOST: u64 = 1024 * 1024;

/// So many octets of one field.
const FIELD_MOST: usize = 64 * 1024;

/// After so many octets of a body others have their turn: a store in memory would never wait.
const TURN: u64 = 256 * 1024;

/// Whose header is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeaderOf {
    /// The message's own, of which HEADER and its like are told too.
    Message,
    /// That of a message inside, which is body as well.
    Inner,
    /// The MIME fields of a part, which are looked into for TEXT alone (RFC 9051 §6.4.4).
    Part,
}

/// What is known of one condition.
type Known = Option<bool>;

/// Looks at message after message with the same program.
pub(super) struct Evaluation<'p> {
    program: &'p mut Program,
    /// What is known of each step that is a test.
    known: Vec<Known>,
}

impl<'p> Evaluation<'p> {
    pub(super) fn new(program: &'p mut Program) -> Self {
        let known = vec![None; program.steps.len()];
        Self { program, known }
    }

    /// Whether any condition wants flags, or a digest.
    pub(super) fn needs(&self) -> (bool, bool) {
        let tests =
            || self.program.steps.iter().filter_map(|step| if let Step::Test(test) = step { Some(test) } else { None });
        let flags = tests().any(|test| matches!(test, Test::Flag(..)));
        let digest =
            tests().any(|test| matches!(test, Test::Sent(_) | Test::Header(..) | Test::Body(..) | Test::Text(..)));
        (flags, digest)
    }

    /// Whether that message is one of them. Reads no more of it than it has to.
    pub(super) async fn holds<A: Account>(
        &mut self,
        account: &A,
        id: &MailboxId,
        meta: &MessageMeta,
    ) -> Result<bool, StoreError> {
        self.known.fill(None);
        for (step, known) in self.program.steps.iter().zip(&mut self.known) {
            if let Step::Test(test) = step {
                *known = of_meta(test, meta);
            }
        }
        if let Some(holds) = self.result() {
            return Ok(holds);
        }
        let digest = digest_of(account, id, meta).await?;
        for (step, known) in self.program.steps.iter_mut().zip(&mut self.known) {
            if let (Step::Test(test), None) = (step, &known) {
                *known = of_digest(test, &digest);
            }
        }
        if let Some(holds) = self.result() {
            return Ok(holds);
        }
        let header = digest.root().header();
        self.look_into_header(account, id, meta.uid, header, HeaderOf::Message).await?;
        if let Some(holds) = self.result() {
            return Ok(holds);
        }
        self.look_into_body(account, id, meta.uid, &digest).await?;
        // What was looked for everywhere and not found is not there.
        for (step, known) in self.program.steps.iter().zip(&mut self.known) {
            if matches!(step, Step::Test(_)) {
                known.get_or_insert(false);
            }
        }
        Ok(self.result().unwrap_or(false))
    }

    /// What follows from what is known, if it does.
    fn result(&self) -> Known {
        let mut stack: Vec<Known> = Vec::new();
        for (step, known) in self.program.steps.iter().zip(&self.known) {
            let value = match step {
                Step::Test(_) => *known,
                Step::Not => stack.pop().flatten().map(|value| !value),
                Step::And(count) => join(&mut stack, *count, false),
                Step::Or(count) => join(&mut stack, *count, true),
            };
            stack.push(value);
        }
        stack.pop().flatten()
    }

    /// Goes through a header's fields.
    async fn look_into_header<A: Account>(
        &mut self,
        account: &A,
        id: &MailboxId,
        uid: Uid,
        header: Range<u64>,
        of: HeaderOf,
    ) -> Result<(), StoreError> {
        let octets = header.end.saturating_sub(header.start).min(HEADER_MOST);
        let mut body = account.open_body(id, uid, ByteRange::new(header.start, octets)).await?;
        let mut field: Vec<u8> = Vec::new();
        let mut begins_line = true;
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                // A line that is not folded begins another field.
                if begins_line && !matches!(rest.first(), Some(b' ' | b'\t')) && !field.is_empty() {
                    self.look_into_field(&field, of);
                    field.clear();
                }
                let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
                let (line, behind) = rest.split_at(end);
                let room = FIELD_MOST.saturating_sub(field.len());
                field.extend_from_slice(line.get(..room).unwrap_or(line));
                begins_line = line.ends_with(b"\n");
                rest = behind;
            }
        }
        self.look_into_field(&field, of);
        if of == HeaderOf::Message {
            // All fields have been seen.
            for (step, known) in self.program.steps.iter().zip(&mut self.known) {
                if let Step::Test(Test::Header(..)) = step {
                    known.get_or_insert(false);
                }
            }
        }
        Ok(())
    }

    fn look_into_field(&mut self, field: &[u8], of: HeaderOf) {
        let colon = memchr::memchr(b':', field);
        let (name, value) = match colon {
            Some(colon) => {
                (field.get(..colon).unwrap_or_default(), field.get(colon.saturating_add(1)..).unwrap_or_default())
            }
            None => return,
        };
        let name = name.trim_ascii();
        let mut decoded: Option<String> = None;
        for (step, known) in self.program.steps.iter_mut().zip(&mut self.known) {
            if known.is_some() {
                continue;
            }
            let Step::Test(test) = step else { continue };
            let found = match test {
                Test::Header(wanted, finder, _)
                    if of == HeaderOf::Message && wanted.as_bytes().eq_ignore_ascii_case(name) =>
                {
                    finder.is_in(decoded.get_or_insert_with(|| words::decode(value)))
                }
                // TEXT is the header as it reads: names too.
                Test::Text(finder, _) => {
                    let text = decoded.get_or_insert_with(|| words::decode(value));
                    finder.is_in(&format!("{}:{text}", String::from_utf8_lossy(name)))
                }
                // A message in a message is part of the body, its header too.
                Test::Body(finder, _) if of == HeaderOf::Inner => {
                    finder.is_in(decoded.get_or_insert_with(|| words::decode(value)))
                }
                _ => continue,
            };
            if found {
                *known = Some(true);
            }
        }
    }

    /// Goes through the parts that are text, with their encodings undone, and through the headers of parts and of messages
    /// inside.
    async fn look_into_body<A: Account>(
        &mut self,
        account: &A,
        id: &MailboxId,
        uid: Uid,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        for part in digest.parts() {
            let of = match part.parent() {
                None => HeaderOf::Message,
                Some(parent) if parent.kind() == PartKind::Message => HeaderOf::Inner,
                Some(_) => HeaderOf::Part,
            };
            if of == HeaderOf::Inner || (of == HeaderOf::Part && self.looks_for_text()) {
                self.look_into_header(account, id, uid, part.header(), of).await?;
            }
            if part.kind() == PartKind::Leaf && part.media_type().eq_ignore_ascii_case(b"text") {
                self.look_into_part(account, id, uid, part).await?;
            }
            if self.result().is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether a TEXT is still to be found.
    fn looks_for_text(&self) -> bool {
        let mut steps = self.program.steps.iter().zip(&self.known);
        steps.any(|(step, known)| known.is_none() && matches!(step, Step::Test(Test::Text(..))))
    }

    async fn look_into_part<A: Account>(
        &mut self,
        account: &A,
        id: &MailboxId,
        uid: Uid,
        part: Part<'_>,
    ) -> Result<(), StoreError> {
        let range = part.body();
        let octets = range.end.saturating_sub(range.start);
        if octets == 0 {
            return Ok(());
        }
        // Of an encoding that nobody knows the octets are looked into as they are.
        let mut transfer = TransferDecoder::new(part.encoding()).or_else(|| TransferDecoder::new(None));
        let named = part.charset().map(|value| value.octets.into_owned());
        // Who names none, or ASCII, and writes more than that, writes UTF-8 today.
        let named = named.filter(|name| !name.eq_ignore_ascii_case(b"us-ascii"));
        let mut reader = CharsetDecoder::new(named.as_deref().and_then(charset));
        let mut body = account.open_body(id, uid, ByteRange::new(range.start, octets)).await?;
        let (mut plain, mut text) = (Vec::new(), String::new());
        let mut is_last = false;
        let mut read = 0u64;
        self.pause();
        while !is_last {
            if read >= TURN {
                read = 0;
                tokio::task::yield_now().await;
            }
            plain.clear();
            text.clear();
            match (body.next().await, &mut transfer) {
                (Some(chunk), Some(transfer)) => {
                    let chunk = chunk?;
                    read = read.saturating_add(chunk.len() as u64);
                    transfer.decode(&chunk, &mut plain);
                }
                (None, Some(transfer)) => {
                    is_last = true;
                    transfer.finish(&mut plain);
                }
                (_, None) => return Ok(()),
            }
            reader.decode(&plain, is_last, &mut text);
            for (step, known) in self.program.steps.iter_mut().zip(&mut self.known) {
                if let Step::Test(Test::Body(finder, _) | Test::Text(finder, _)) = step
                    && known.is_none()
                    && finder.feed(&text)
                {
                    *known = Some(true);
                }
            }
            if self.result().is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Another part begins: nothing that was found of a text in the last one goes on in it.
    fn pause(&mut self) {
        for step in &mut self.program.steps {
            if let Step::Test(Test::Body(finder, _) | Test::Text(finder, _)) = step {
                finder.restart();
            }
        }
    }
}

fn join(stack: &mut Vec<Known>, count: usize, decisive: bool) -> Known {
    let from = stack.len().saturating_sub(count);
    let operands = stack.split_off(from);
    if operands.contains(&Some(decisive)) {
        Some(decisive)
    } else if operands.iter().all(Option::is_some) {
        Some(!decisive)
    } else {
        None
    }
}

fn of_meta(test: &Test, meta: &MessageMeta) -> Known {
    Some(match test {
        Test::All => true,
        Test::Flag(flag, wanted) => meta.flags.contains(flag) == *wanted,
        Test::Recent(range) => range.is_some_and(|(first, last)| (first..=last).contains(&meta.uid)),
        Test::Uids(uids) => uids.contains(meta.uid),
        Test::Received(day) => day.holds(day_of(meta.internal_date)),
        Test::Larger(octets) => meta.size > *octets,
        Test::Smaller(octets) => meta.size < *octets,
        Test::ModSeq(modseq) => meta.modseq.value() >= *modseq,
        Test::Sent(_) | Test::Header(..) | Test::Body(..) | Test::Text(..) => return None,
    })
}

fn of_digest(test: &mut Test, digest: &Digest) -> Known {
    match test {
        Test::Sent(day) => {
            let sent = digest.field("Date").and_then(|field| date::day_of(field.value));
            let sent = sent.and_then(|(year, month, of_month)| Date::new(year, month, of_month));
            Some(sent.is_some_and(|date| day.holds(date.days_since_epoch())))
        }
        Test::Header(name, finder, text) => {
            let count = digest.field_count(name)?;
            if count == 0 {
                return Some(false);
            }
            if text.is_empty() {
                return Some(true);
            }
            let fields = || digest.fields().filter(|field| field.name.eq_ignore_ascii_case(name));
            if fields().any(|field| finder.is_in(&words::decode(field.value))) {
                return Some(true);
            }
            // All of them have been looked at, unless some were not kept, or not whole.
            let all = fields().count() as u64 == count && fields().all(|field| !field.truncated);
            all.then_some(false)
        }
        Test::Body(finder, _) | Test::Text(finder, _) => finder.is_in("").then_some(true),
        _ => None,
    }
}
