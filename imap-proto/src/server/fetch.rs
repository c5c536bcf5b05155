//! FETCH (RFC 9051 §6.4.5): message by message, part by part, as the client takes them.
//!
//! Nothing is read before there is room for it: of `FETCH 1:* BODY[]` one chunk of one message is in memory (attack rows
//! M13, M19).

use std::ops::Range;

use bytes::BytesMut;
use futures::StreamExt;
use mail_message::transfer::TransferDecoder;
use mail_message::{Digest, Digester, Limits};
use mailstore_traits::{
    Account, Authenticator, Body, ByteRange, ErrorKind, FlagChange, Flags, MailStore, MailboxId, MessageMeta,
    MetaFields, MetaFilter, ModSeq, StoreError, SystemFlag, Uid, UidSet,
};

use super::connection::{Broken, Connection, Handled, Stop, ok};
use super::error::{refusal, refuse};
use super::selected::Telling;
use crate::command::{Fetch, FetchAttribute, Partial, Section, SectionText};
use crate::fetch::{FieldFilter, Octets, binary_part, octets_of, within, write_envelope, write_structure};
use crate::grammar::Numbering;
use crate::response::code::RefusalCode;
use crate::response::{Code, Status, StatusKind, Text, write};

/// After so many messages those that were shown are marked as seen: who goes in the middle has seen what came before.
const SEEN_PAGE: u64 = 100;

/// What is picked or decoded of a message is kept if it is no longer than this; of what is longer the length is found
/// first, and then it is read once more (attack row M13).
const KEPT_MOST: usize = 64 * 1024;

/// What a FETCH needs of every message.
struct Plan {
    attributes: Vec<FetchAttribute>,
    fields: MetaFields,
    needs_digest: bool,
    /// Showing it marks it as seen.
    marks_seen: bool,
}

impl Plan {
    fn new(fetch: Fetch, condstore: bool) -> Self {
        let mut attributes: Vec<FetchAttribute> = Vec::with_capacity(fetch.attributes.len().saturating_add(2));
        if fetch.numbering == Numbering::Uid {
            // RFC 9051 §6.4.9: always, and once.
            attributes.push(FetchAttribute::Uid);
        }
        for attribute in fetch.attributes {
            // Each is told once. A list of a thousand is short enough to be looked through for each of them.
            if !attributes.contains(&attribute) {
                attributes.push(attribute);
            }
        }
        // RFC 7162 §3.1.4.1, §3.1: always, once the client has shown that it knows of them.
        if (condstore || fetch.changed_since.is_some()) && !attributes.contains(&FetchAttribute::ModSeq) {
            attributes.push(FetchAttribute::ModSeq);
        }
        let marks_seen = attributes.iter().any(|attribute| {
            matches!(
                attribute,
                FetchAttribute::Rfc822 { peek: false }
                    | FetchAttribute::Rfc822Text { peek: false }
                    | FetchAttribute::Section { peek: false, .. }
                    | FetchAttribute::Binary { peek: false, .. }
            )
        });
        let needs_digest = attributes.iter().any(|attribute| match attribute {
            FetchAttribute::Envelope | FetchAttribute::Body | FetchAttribute::BodyStructure => true,
            FetchAttribute::Rfc822Header | FetchAttribute::Rfc822Text { .. } | FetchAttribute::BinarySize { .. } => {
                true
            }
            FetchAttribute::Section { section, .. } => !is_whole(section),
            FetchAttribute::Binary { part, .. } => !part.is_empty(),
            _ => false,
        });
        let mut fields = MetaFields::FIXED;
        fields.flags = marks_seen || attributes.contains(&FetchAttribute::Flags);
        fields.digest = needs_digest;
        Self { attributes, fields, needs_digest, marks_seen }
    }
}

fn is_whole(section: &Section) -> bool {
    section.part.is_empty() && section.text == SectionText::Whole
}

/// What of a message does not stand in it as it is sent: it goes through one of these.
enum Filter<'n> {
    Fields(FieldFilter<'n>),
    Transfer(TransferDecoder),
}

impl Filter<'_> {
    fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Fields(filter) => filter.feed(chunk, out),
            Self::Transfer(decoder) => decoder.decode(chunk, out),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Fields(filter) => filter.finish(out),
            Self::Transfer(decoder) => decoder.finish(out),
        }
    }
}

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    pub(super) async fn fetch(&mut self, fetch: Fetch) -> Handled {
        let uids = self.resolve(&fetch.messages, fetch.numbering)?;
        let by_number = fetch.numbering == Numbering::Sequence;
        let enabled = self.session.enabled();
        let account = self.account()?;
        let selected = self.selected()?;
        let (id, read_only) = (selected.id.clone(), selected.read_only);
        let words = if by_number { "FETCH completed" } else { "UID FETCH completed" };
        let mut filter = MetaFilter::default();
        // 0 is before every message (`extensions`: what clients send).
        filter.changed_since = fetch.changed_since.and_then(ModSeq::new);
        let is_filtered = filter.changed_since.is_some();
        let plan = Plan::new(fetch, enabled.condstore);
        let seen_telling = Telling::to(enabled, !by_number);
        let mut told = 0u64;
        let mut seen = UidSet::new();
        let mut trouble: Option<Status> = None;
        let mut metas = account.fetch_meta(&id, &uids, plan.fields, filter).boxed();
        while let Some(meta) = metas.next().await {
            let meta = meta?;
            told = told.saturating_add(1);
            self.fetch_one(&account, &id, &plan, &meta, &mut trouble).await?;
            if plan.marks_seen && !read_only && !meta.flags.has(SystemFlag::Seen) {
                seen.insert(meta.uid);
            }
            if seen.len() >= SEEN_PAGE {
                self.mark_seen(&std::mem::take(&mut seen), seen_telling).await?;
            }
            self.driver.flush_if_full().await?;
        }
        if !seen.is_empty() {
            self.mark_seen(&seen, seen_telling).await?;
        }
        if let Some(status) = trouble {
            return Ok(status);
        }
        if told < uids.len() && !is_filtered {
            // Somebody has removed some, which is to be heard of as soon as it may be.
            self.selected()?.dirty = true;
            if by_number {
                // RFC 2180 §4.1.2: the others are told, and that some are missing.
                return Ok(refuse(RefusalCode::ExpungeIssued, "Some of the messages have been expunged"));
            }
        }
        Ok(ok(words))
    }

    async fn mark_seen(&mut self, uids: &UidSet, telling: Telling) -> Result<(), Stop> {
        let change = FlagChange::Add([SystemFlag::Seen].into_iter().collect::<Flags>());
        match self.change_flags(uids, &change, None, telling).await {
            // They have been shown: that is what was asked for.
            Err(Stop::Refused(_)) => {
                tracing::warn!("messages could not be marked as seen");
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }

    /// One message's answer. What cannot be had is NIL, and why is told at the end: a line that has begun must end.
    async fn fetch_one(
        &mut self,
        account: &S::Account,
        id: &MailboxId,
        plan: &Plan,
        meta: &MessageMeta,
        trouble: &mut Option<Status>,
    ) -> Result<(), Stop> {
        let digest = match plan.needs_digest {
            true => match digest_of(account, id, meta).await {
                Ok(digest) => Some(digest),
                Err(error) => {
                    *trouble = Some(told_trouble(&error));
                    None
                }
            },
            false => None,
        };
        let (enabled, dialect) = (self.session.enabled(), self.session.dialect());
        let Some(selected) = &mut self.selected else { return Ok(()) };
        let Some(number) = selected.view.number(meta.uid) else { return Ok(()) };
        let is_recent = !enabled.rev2 && selected.view.is_recent(meta.uid);
        if plan.fields.flags {
            selected.meet(&meta.flags, self.driver.output());
        }
        let out = self.driver.output();
        let begin = out.len();
        out.extend_from_slice(b"* ");
        write::number(u64::from(number), out);
        out.extend_from_slice(b" FETCH ");
        let mut between: &[u8] = b"(";
        for attribute in &plan.attributes {
            let out = self.driver.output();
            let mut name = |name: &str, out: &mut BytesMut| {
                out.extend_from_slice(std::mem::replace(&mut between, b" "));
                out.extend_from_slice(name.as_bytes());
            };
            match (attribute, &digest) {
                (FetchAttribute::Uid, _) => {
                    name("UID ", out);
                    write::number(u64::from(meta.uid.value()), out);
                }
                (FetchAttribute::Flags, _) => {
                    name("FLAGS ", out);
                    write::flags(&meta.flags, is_recent, out);
                }
                (FetchAttribute::InternalDate, _) => {
                    name("INTERNALDATE ", out);
                    write::date_time(meta.internal_date, out);
                }
                (FetchAttribute::Rfc822Size, _) => {
                    name("RFC822.SIZE ", out);
                    write::number(meta.size, out);
                }
                (FetchAttribute::ModSeq, _) => {
                    name("MODSEQ (", out);
                    write::number(meta.modseq.value(), out);
                    out.extend_from_slice(b")");
                }
                // Without a digest there is nothing to tell them from, and the grammar has no NIL for them.
                (FetchAttribute::Envelope | FetchAttribute::Body | FetchAttribute::BodyStructure, None) => {}
                (FetchAttribute::Envelope, Some(digest)) => {
                    name("ENVELOPE ", out);
                    write_envelope(digest.root(), dialect, out);
                }
                (FetchAttribute::Body, Some(digest)) => {
                    name("BODY ", out);
                    write_structure(digest, false, dialect, out);
                }
                (FetchAttribute::BodyStructure, Some(digest)) => {
                    name("BODYSTRUCTURE ", out);
                    write_structure(digest, true, dialect, out);
                }
                (FetchAttribute::Rfc822 { .. }, _) => {
                    name("RFC822 ", out);
                    self.send_range(account, id, meta, Some(0..meta.size), trouble).await?;
                }
                (FetchAttribute::Rfc822Header, digest) => {
                    name("RFC822.HEADER ", out);
                    let range = digest.as_ref().map(|digest| digest.root().header());
                    self.send_range(account, id, meta, range, trouble).await?;
                }
                (FetchAttribute::Rfc822Text { .. }, digest) => {
                    name("RFC822.TEXT ", out);
                    let range = digest.as_ref().map(|digest| digest.root().header().end..meta.size);
                    self.send_range(account, id, meta, range, trouble).await?;
                }
                (FetchAttribute::Section { section, partial, .. }, digest) => {
                    name("BODY[", out);
                    section.write_name(dialect, out);
                    out.extend_from_slice(b"]");
                    write_origin(*partial, out);
                    let octets = match digest {
                        _ if is_whole(section) => Octets::Range(0..meta.size),
                        Some(digest) => octets_of(digest, section),
                        None => Octets::Nothing,
                    };
                    match octets {
                        Octets::Range(range) => {
                            let range = within(&range, *partial);
                            self.send_range(account, id, meta, Some(range), trouble).await?;
                        }
                        Octets::Fields(range) => {
                            let filter = || FieldFilter::new(&section.text).map(Filter::Fields);
                            self.send_filtered(account, id, meta, range, *partial, filter, false, trouble).await?;
                        }
                        Octets::Nothing => write::nil(self.driver.output()),
                    }
                }
                (FetchAttribute::Binary { part, partial, .. }, digest) => {
                    name("BINARY[", out);
                    crate::command::write_part_name(part, out);
                    out.extend_from_slice(b"]");
                    write_origin(*partial, out);
                    let found = match digest {
                        _ if part.is_empty() => Some((0..meta.size, None)),
                        Some(digest) => binary_part(digest, part),
                        None => None,
                    };
                    match found {
                        Some((range, encoding)) => match TransferDecoder::new(encoding) {
                            Some(_) => {
                                let filter = || TransferDecoder::new(encoding).map(Filter::Transfer);
                                self.send_filtered(account, id, meta, range, *partial, filter, true, trouble).await?;
                            }
                            None => {
                                *trouble = Some(unknown_cte());
                                write::nil(self.driver.output());
                            }
                        },
                        None => write::nil(self.driver.output()),
                    }
                }
                (FetchAttribute::BinarySize { part }, digest) => {
                    name("BINARY.SIZE[", out);
                    crate::command::write_part_name(part, out);
                    out.extend_from_slice(b"] ");
                    let found = digest.as_ref().and_then(|digest| binary_part(digest, part));
                    let size = match found {
                        Some((range, encoding)) => match TransferDecoder::new(encoding) {
                            Some(decoder) if decoder.is_identity() => range.end.saturating_sub(range.start),
                            Some(decoder) => {
                                match measure(account, id, meta.uid, &range, Filter::Transfer(decoder), 0).await {
                                    Ok(measured) => measured.total,
                                    Err(error) => {
                                        *trouble = Some(told_trouble(&error));
                                        0
                                    }
                                }
                            }
                            None => {
                                *trouble = Some(unknown_cte());
                                0
                            }
                        },
                        None => 0,
                    };
                    write::number(size, self.driver.output());
                }
            }
        }
        let out = self.driver.output();
        if between == b"(" {
            // There was nothing to tell, and so nothing has been sent of it: the grammar has no empty answer.
            out.truncate(begin);
        } else {
            out.extend_from_slice(b")\r\n");
        }
        Ok(())
    }

    /// Octets of a message as they stand there, as a literal; NIL if they cannot be had.
    async fn send_range(
        &mut self,
        account: &S::Account,
        id: &MailboxId,
        meta: &MessageMeta,
        range: Option<Range<u64>>,
        trouble: &mut Option<Status>,
    ) -> Result<(), Stop> {
        let Some(range) = range else {
            write::nil(self.driver.output());
            return Ok(());
        };
        let octets = range.end.saturating_sub(range.start);
        if octets == 0 {
            self.driver.output().extend_from_slice(b"\"\"");
            return Ok(());
        }
        match open(account, id, meta.uid, &range).await {
            Ok(body) => {
                write::literal_head(octets, self.driver.output());
                self.send_body(body, octets).await
            }
            Err(error) => {
                *trouble = Some(told_trouble(&error));
                write::nil(self.driver.output());
                Ok(())
            }
        }
    }

    async fn send_body(&mut self, mut body: Body, octets: u64) -> Result<(), Stop> {
        let mut left = octets;
        while left > 0 {
            // What is short must not look whole: the connection ends (store contract, rule 9).
            let chunk = body.next().await.ok_or(Broken::ShortMessage)?.map_err(Broken::Store)?;
            left = left.checked_sub(chunk.len() as u64).ok_or(Broken::ShortMessage)?;
            self.driver.output().extend_from_slice(&chunk);
            self.driver.flush_if_full().await?;
        }
        Ok(())
    }

    /// What a filter makes of octets of a message, as a literal; NIL if they cannot be had.
    #[allow(clippy::too_many_arguments, reason = "they are what a part of a message is told by")]
    async fn send_filtered<'n>(
        &mut self,
        account: &S::Account,
        id: &MailboxId,
        meta: &MessageMeta,
        range: Range<u64>,
        partial: Option<Partial>,
        filter: impl Fn() -> Option<Filter<'n>>,
        binary: bool,
        trouble: &mut Option<Status>,
    ) -> Result<(), Stop> {
        let measured = match filter() {
            Some(filter) => measure(account, id, meta.uid, &range, filter, KEPT_MOST).await,
            None => Err(ErrorKind::Internal.into()),
        };
        let measured = match measured {
            Ok(measured) => measured,
            Err(error) => {
                *trouble = Some(told_trouble(&error));
                write::nil(self.driver.output());
                return Ok(());
            }
        };
        let wanted = within(&(0..measured.total), partial);
        let octets = wanted.end.saturating_sub(wanted.start);
        let out = self.driver.output();
        match binary && measured.has_nul {
            true => write::literal8_head(octets, out),
            false => write::literal_head(octets, out),
        }
        if let Some(kept) = measured.kept {
            let part = usize::try_from(wanted.start).ok().zip(usize::try_from(wanted.end).ok());
            out.extend_from_slice(part.and_then(|(start, end)| kept.get(start..end)).unwrap_or_default());
            return Ok(());
        }
        // Once more, and this time it is sent.
        let mut filter = filter().ok_or(Broken::ShortMessage)?;
        let mut body = open(account, id, meta.uid, &range).await.map_err(Broken::Store)?;
        let (mut at, mut piece) = (0u64, Vec::new());
        let mut last = false;
        while !last {
            piece.clear();
            match body.next().await {
                Some(chunk) => filter.feed(&chunk.map_err(Broken::Store)?, &mut piece),
                None => {
                    last = true;
                    filter.finish(&mut piece);
                }
            }
            let end = at.saturating_add(piece.len() as u64);
            let (from, to) = (wanted.start.clamp(at, end), wanted.end.clamp(at, end));
            let part = usize::try_from(from.saturating_sub(at)).ok().zip(usize::try_from(to.saturating_sub(at)).ok());
            let part = part.and_then(|(from, to)| piece.get(from..to)).unwrap_or_default();
            self.driver.output().extend_from_slice(part);
            self.driver.flush_if_full().await?;
            at = end;
        }
        // The message was another one the first time.
        if at == measured.total { Ok(()) } else { Err(Broken::ShortMessage.into()) }
    }
}

/// What a filter makes of something.
struct Measured {
    total: u64,
    has_nul: bool,
    /// All of it, if it is short.
    kept: Option<Vec<u8>>,
}

async fn measure<A: Account>(
    account: &A,
    id: &MailboxId,
    uid: Uid,
    range: &Range<u64>,
    mut filter: Filter<'_>,
    most: usize,
) -> Result<Measured, StoreError> {
    let mut measured = Measured { total: 0, has_nul: false, kept: Some(Vec::new()) };
    let mut piece = Vec::new();
    let mut take = |piece: &[u8]| {
        measured.total = measured.total.saturating_add(piece.len() as u64);
        measured.has_nul |= memchr::memchr(0, piece).is_some();
        match &mut measured.kept {
            Some(kept) if kept.len().saturating_add(piece.len()) <= most => kept.extend_from_slice(piece),
            kept => *kept = None,
        }
    };
    if range.start < range.end {
        let mut body = open(account, id, uid, range).await?;
        while let Some(chunk) = body.next().await {
            piece.clear();
            filter.feed(&chunk?, &mut piece);
            take(&piece);
        }
    }
    piece.clear();
    filter.finish(&mut piece);
    take(&piece);
    Ok(measured)
}

/// Octets of a message, all of them.
async fn open<A: Account>(account: &A, id: &MailboxId, uid: Uid, range: &Range<u64>) -> Result<Body, StoreError> {
    let octets = range.end.saturating_sub(range.start);
    let body = account.open_body(id, uid, ByteRange::new(range.start, octets)).await?;
    if body.len() == octets {
        return Ok(body);
    }
    tracing::error!(uid = uid.value(), wanted = octets, opened = body.len(), "the store tells two sizes of a message");
    Err(ErrorKind::Corrupt.into())
}

/// A message's digest: the one that the store kept, or one that is made anew and given to it.
pub(super) async fn digest_of<A: Account>(
    account: &A,
    id: &MailboxId,
    meta: &MessageMeta,
) -> Result<Digest, StoreError> {
    if let Some(digest) = meta.digest.as_ref().and_then(|kept| Digest::from_octets(kept).ok())
        && digest.size() == meta.size
    {
        return Ok(digest);
    }
    let mut digester = Digester::new(&Limits::default());
    let mut body = account.open_body(id, meta.uid, ByteRange::WHOLE).await?;
    while let Some(chunk) = body.next().await {
        digester.feed(&chunk?);
    }
    let digest = digester.finish();
    if let Err(error) = account.put_digest(id, meta.uid, digest.to_octets()).await {
        tracing::debug!(uid = meta.uid.value(), %error, "a digest that was made anew was not kept");
    }
    Ok(digest)
}

/// `<start>` behind a section, where a partial was asked for (RFC 9051 §7.5.2), and the space before its octets.
fn write_origin(partial: Option<Partial>, out: &mut BytesMut) {
    if let Some(partial) = partial {
        out.extend_from_slice(b"<");
        write::number(partial.start, out);
        out.extend_from_slice(b">");
    }
    out.extend_from_slice(b" ");
}

fn told_trouble(error: &StoreError) -> Status {
    if error.kind() == ErrorKind::Expunged {
        return refuse(RefusalCode::ExpungeIssued, "Some of the messages have been expunged");
    }
    tracing::error!(%error, "a message could not be read");
    refusal(error)
}

/// RFC 3516 §4.3.
fn unknown_cte() -> Status {
    Status::new(StatusKind::No, Text::literal("Unknown transfer encoding")).with_code(Code::UnknownCte)
}
