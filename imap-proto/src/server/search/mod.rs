//! SEARCH (RFC 9051 §6.4.4): the cheapest conditions first, bodies last and only if they must be read.
//!
//! What is found is a set of ranges, and of a message no more than a chunk is held: memory stays flat whatever the mailbox.

mod evaluate;
mod program;

use std::time::Duration;

use bytes::BytesMut;
use futures::StreamExt;
use mailstore_traits::{
    Account, Authenticator, ErrorKind, MailStore, MetaFields, MetaFilter, ModSeq, SearchAnswer, Uid, UidSet,
};
use tokio::time::Instant;

use super::connection::{Connection, Handled, Stop, ok};
use crate::command::{Search, SearchReturn};
use crate::grammar::{MessageSet, Numbering};
use crate::response::{Code, Status, StatusKind, Text, write};
use crate::session::has_modseq;
use evaluate::Evaluation;
use program::{CompileError, Program, Test};

/// A client hears that the search goes on, and a server that the client does: every 10 seconds.
const STILL_SEARCHING: Duration = Duration::from_secs(10);

/// After so many messages others have their turn.
const TURN: u64 = 64;

/// What a search has found.
#[derive(Debug, Default)]
struct Found {
    uids: UidSet,
    /// The modification sequence of the first, of the last, and the highest.
    first: Option<ModSeq>,
    last: Option<ModSeq>,
    highest: Option<ModSeq>,
}

impl Found {
    fn push(&mut self, uid: Uid, modseq: ModSeq) {
        self.uids.insert(uid);
        self.first.get_or_insert(modseq);
        self.last = Some(modseq);
        self.highest = self.highest.max(Some(modseq));
    }
}

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    pub(super) async fn search(&mut self, search: Search) -> Handled {
        let saves = search.returns.is_some_and(|returns| returns.save);
        match self.find_messages(&search).await {
            Ok(found) => {
                if saves {
                    self.selected()?.saved = saved(&found, search.returns.unwrap_or_default());
                }
                self.tell_found(&search, &found).await?;
                let words =
                    if search.numbering == Numbering::Uid { "UID SEARCH completed" } else { "SEARCH completed" };
                Ok(ok(words))
            }
            Err(stop) => {
                // RFC 9051 §6.4.4.1: a search that was to be saved and failed leaves nothing.
                if saves && matches!(&stop, Stop::Refused(status) if status.kind == StatusKind::No) {
                    self.selected()?.saved = UidSet::new();
                }
                Err(stop)
            }
        }
    }

    async fn find_messages(&mut self, search: &Search) -> Result<Found, Stop> {
        let account = self.account()?;
        let selected = self.selected()?;
        let (view, saved, id) = (&selected.view, &selected.saved, selected.id.clone());
        let known = view.uids();
        let compiled = Program::compile(search, view.recent_range(), |set, numbering| match set {
            MessageSet::Saved => Ok(saved.intersection(&known)),
            MessageSet::Set(set) => view.resolve(set, numbering),
        });
        let mut program = match compiled {
            Ok(program) => program,
            Err(CompileError::BadCharset) => return Err(bad_charset().into()),
            Err(CompileError::Messages(_)) => {
                return Err(Status::new(StatusKind::Bad, Text::literal("No message has that number")).into());
            }
        };
        let mut candidates = known;
        let mut filter = MetaFilter::default();
        for test in program.demands() {
            match test {
                Test::Uids(uids) => candidates = candidates.intersection(uids),
                Test::Flag(flag, true) => {
                    filter.with.insert(flag.clone());
                }
                Test::Flag(flag, false) => {
                    filter.without.insert(flag.clone());
                }
                Test::ModSeq(modseq) => filter.changed_since = ModSeq::new(modseq.saturating_sub(1)),
                _ => {}
            }
        }
        let wants_modseq = has_modseq(&search.keys);
        if account.features().search_index {
            match account.search(&id, &program.for_index()).await {
                Ok(SearchAnswer::Exact(uids)) if !wants_modseq => {
                    return Ok(Found { uids: uids.intersection(&candidates), ..Found::default() });
                }
                Ok(SearchAnswer::Exact(uids) | SearchAnswer::Candidates(uids)) => {
                    candidates = candidates.intersection(&uids);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the store's index did not answer"),
            }
        }
        let mut evaluation = Evaluation::new(&mut program);
        let (flags, digest) = evaluation.needs();
        let mut fields = MetaFields::FIXED;
        (fields.flags, fields.digest) = (flags, digest);
        let mut found = Found::default();
        let mut looked_at = 0u64;
        let mut told = Instant::now();
        let mut metas = account.fetch_meta(&id, &candidates, fields, filter).boxed();
        while let Some(meta) = metas.next().await {
            let meta = meta?;
            match evaluation.holds(&account, &id, &meta).await {
                Ok(true) => found.push(meta.uid, meta.modseq),
                Ok(false) => {}
                // It has gone while it was looked at.
                Err(error) if error.kind() == ErrorKind::Expunged => {}
                Err(error) => return Err(error.into()),
            }
            looked_at = looked_at.saturating_add(1);
            if looked_at.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
            if told.elapsed() >= STILL_SEARCHING {
                // Who has gone is noticed by it too: the search of a client that does not listen ends here.
                told = Instant::now();
                self.driver.output().extend_from_slice(b"* OK Still searching\r\n");
                self.driver.flush().await?;
            }
        }
        Ok(found)
    }

    async fn tell_found(&mut self, search: &Search, found: &Found) -> Result<(), Stop> {
        let rev2 = self.session.enabled().rev2;
        let by_uid = search.numbering == Numbering::Uid;
        let tag = self.session.tag().cloned();
        let wants_modseq = has_modseq(&search.keys);
        let ranges = self.numbered(&found.uids, search.numbering)?;
        let out = self.driver.output();
        let returns = match search.returns {
            // RFC 9051 §6.4.4: IMAP4rev2 has ESEARCH only.
            None if rev2 => SearchReturn { all: true, ..SearchReturn::default() },
            None => {
                out.extend_from_slice(b"* SEARCH");
                for (first, last) in ranges {
                    for number in first..=last {
                        let out = self.driver.output();
                        out.extend_from_slice(b" ");
                        write::number(u64::from(number), out);
                        self.driver.flush_if_full().await?;
                    }
                }
                if let Some(modseq) = found.highest.filter(|_| wants_modseq) {
                    write_modseq(b" (MODSEQ ", modseq, b")", self.driver.output());
                }
                self.driver.output().extend_from_slice(b"\r\n");
                return Ok(());
            }
            Some(returns) => returns,
        };
        let SearchReturn { min, max, all, count, save, .. } = returns;
        if save && !(min || max || all || count) {
            return Ok(());
        }
        out.extend_from_slice(b"* ESEARCH");
        if let Some(tag) = tag {
            out.extend_from_slice(b" (TAG ");
            // A tag is ASCII without quotes, and RFC 4466 has a string here.
            write::string(tag.as_str().as_bytes(), crate::grammar::Dialect::ASCII, out);
            out.extend_from_slice(b")");
        }
        if by_uid {
            out.extend_from_slice(b" UID");
        }
        let ends = ranges.first().zip(ranges.last()).map(|(first, last)| (first.0, last.1));
        if let Some((first, last)) = ends {
            if min {
                out.extend_from_slice(b" MIN ");
                write::number(u64::from(first), out);
            }
            if max {
                out.extend_from_slice(b" MAX ");
                write::number(u64::from(last), out);
            }
            if all {
                out.extend_from_slice(b" ALL ");
                write::ranges(ranges.iter().copied(), out);
            }
        }
        if count {
            out.extend_from_slice(b" COUNT ");
            write::number(found.uids.len(), out);
        }
        // RFC 7162 §3.1.10: of those that were told.
        let modseq = match (min, max, all || count) {
            (_, _, true) => found.highest,
            (true, true, _) => found.first.max(found.last),
            (true, false, _) => found.first,
            (false, true, _) => found.last,
            (false, false, false) => None,
        };
        if let Some(modseq) = modseq.filter(|_| wants_modseq) {
            write_modseq(b" MODSEQ ", modseq, b"", out);
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

fn write_modseq(before: &[u8], modseq: ModSeq, after: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(before);
    write::number(modseq.value(), out);
    out.extend_from_slice(after);
}

/// What `$` is after it: all that was found, or with MIN or MAX alone those (RFC 9051 §6.4.4.1, RFC 5182 §2.1).
fn saved(found: &Found, returns: SearchReturn) -> UidSet {
    if (returns.min || returns.max) && !returns.all && !returns.count {
        let min = found.uids.first().filter(|_| returns.min);
        let max = found.uids.last().filter(|_| returns.max);
        return min.into_iter().chain(max).collect();
    }
    found.uids.clone()
}

fn bad_charset() -> Status {
    let known = ["US-ASCII", "UTF-8", "ISO-8859-1"].into_iter().map(Box::from).collect();
    Status::new(StatusKind::No, Text::literal("Unknown charset, or text that is none in it"))
        .with_code(Code::BadCharset(known))
}
