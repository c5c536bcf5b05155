//! Messages from files into an account.

use std::collections::HashMap;

use bytes::Bytes;
use indicatif::ProgressBar;
use mail_message::Digester;
use mailstore_traits::{
    Account, AccountId, Actor, ErrorKind, Flags, MailStore, MailboxId, MailboxName, Mode, Placement, SizeHint, Stage,
    StoreError, Timestamp,
};

use super::crlf::ToCrlf;
use super::{Piece, Reader, progress};
use crate::cli::ImportArgs;
use crate::error::{Failure, Outcome};
use crate::out::{note, say};

/// So many messages are committed in one go: each commit waits for the disk once.
pub(super) const BATCH: usize = 200;
/// Or so many octets, whichever comes first.
pub(super) const BATCH_OCTETS: u64 = 32 << 20;

/// Takes the messages of all paths in. A message that cannot be taken is told and does not stop the others.
pub(crate) async fn import<S: MailStore>(store: &S, name: &AccountId, args: &ImportArgs) -> Outcome {
    let base = MailboxName::parse(&args.mailbox)
        .map_err(|why| Failure::usage(format!("`{}` is no name for a mailbox: {why}", args.mailbox)))?;
    let account = store
        .open(name, &Actor::Service)
        .await
        .map_err(|error| Failure::failed(format!("cannot open the mail of {name}: {error}")))?;
    let mut readers = Vec::new();
    for path in &args.paths {
        readers.push(Reader::open(path, args.format)?);
    }
    let octets = readers.iter().map(Reader::size).sum();
    let bar = progress(octets, "{wide_bar} {bytes}/{total_bytes}  {msg}  {eta} left");
    let mut run =
        Run { account, base, mailboxes: HashMap::new(), batch: Vec::new(), octets: 0, taken: 0, lost: 0, bar };
    let mut done = 0_u64;
    for mut reader in readers {
        run.read(&mut reader, done).await;
        done = done.saturating_add(reader.size());
    }
    run.commit().await;
    run.bar.finish_and_clear();
    say!("imported {} into {name}", count(run.taken));
    match run.lost {
        0 => Ok(()),
        lost => Err(Failure::failed(format!("{} could not be imported; they are named above", count(lost)))),
    }
}

pub(crate) fn count(messages: u64) -> String {
    if messages == 1 { String::from("1 message") } else { format!("{messages} messages") }
}

struct Run<A: Account> {
    account: A,
    /// Where messages go that lie in no folder of their own.
    base: MailboxName,
    mailboxes: HashMap<Vec<String>, MailboxId>,
    batch: Vec<(String, Placement<A::Blob>)>,
    /// Octets of the batch.
    octets: u64,
    taken: u64,
    lost: u64,
    bar: ProgressBar,
}

/// A message that is being taken in.
struct Taking<A: Account> {
    place: String,
    below: Vec<String>,
    stage: A::Stage,
    lines: ToCrlf,
    digester: Digester,
    octets: u64,
}

impl<A: Account> Taking<A> {
    async fn write(&mut self, octets: Vec<u8>) -> Result<(), StoreError> {
        self.digester.feed(&octets);
        self.octets = self.octets.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
        if octets.is_empty() { Ok(()) } else { self.stage.write(Bytes::from(octets)).await }
    }
}

impl<A: Account> Run<A> {
    async fn read(&mut self, reader: &mut Reader, before: u64) {
        let mut open: Option<Taking<A>> = None;
        while let Some(piece) = reader.next() {
            self.bar.set_position(before.saturating_add(reader.position()));
            match piece {
                Piece::Begin { place, below } => match self.account.stage(SizeHint::Unknown).await {
                    Ok(stage) => {
                        let digester = Digester::new(&mail_message::Limits::default());
                        open = Some(Taking { place, below, stage, lines: ToCrlf::default(), digester, octets: 0 });
                    }
                    Err(error) => {
                        open = None;
                        self.lose(&place, &error);
                    }
                },
                Piece::Octets(octets) => {
                    let Some(mut taking) = open.take() else { continue };
                    let mut converted = Vec::with_capacity(octets.len().saturating_add(1024));
                    taking.lines.push(&octets, &mut converted);
                    match taking.write(converted).await {
                        Ok(()) => open = Some(taking),
                        Err(error) => self.lose(&taking.place, &error),
                    }
                }
                Piece::End { date, flags } => {
                    if let Some(taking) = open.take() {
                        self.finish(taking, date, flags).await;
                    }
                }
                Piece::Bad { place, why } => {
                    open = None;
                    self.lose(&place, &why);
                }
            }
        }
    }

    async fn finish(&mut self, mut taking: Taking<A>, date: Option<Timestamp>, flags: Flags) {
        let (mut rest, place, octets) = (Vec::new(), taking.place.clone(), taking.octets);
        std::mem::take(&mut taking.lines).finish(&mut rest);
        let placed = async {
            taking.write(rest).await?;
            let mailbox = self.mailbox(&taking.below).await?;
            let blob = taking.stage.finish(Some(taking.digester.finish().to_octets())).await?;
            let placement = Placement::new(blob, mailbox).with_flags(flags);
            Ok::<_, StoreError>(match date {
                Some(date) => placement.with_internal_date(date),
                None => placement,
            })
        };
        match placed.await {
            Ok(placement) => {
                self.batch.push((place, placement));
                self.octets = self.octets.saturating_add(octets);
            }
            Err(error) => self.lose(&place, &error),
        }
        if self.batch.len() >= BATCH || self.octets >= BATCH_OCTETS {
            self.commit().await;
        }
    }

    /// The mailbox for what lies in these folders; made if it is not there.
    async fn mailbox(&mut self, below: &[String]) -> Result<MailboxId, StoreError> {
        if let Some(known) = self.mailboxes.get(below) {
            return Ok(known.clone());
        }
        // Folders below INBOX's are mailboxes of their own, as in a Maildir.
        let above = if self.base.is_inbox() && !below.is_empty() { None } else { Some(&self.base) };
        let segments = above.into_iter().flat_map(MailboxName::segments).chain(below.iter().map(String::as_str));
        let name = MailboxName::from_segments(segments).map_err(|why| {
            StoreError::new(ErrorKind::Invalid, format!("its folder is no name for a mailbox: {why}"))
        })?;
        let id = match self.account.find(&name).await {
            Err(error) if error.kind() == ErrorKind::NotFound => self.account.create(&name, None).await?.id,
            found => found?,
        };
        self.mailboxes.insert(below.to_vec(), id.clone());
        Ok(id)
    }

    async fn commit(&mut self) {
        let (places, placements): (Vec<_>, Vec<_>) = std::mem::take(&mut self.batch).into_iter().unzip();
        self.octets = 0;
        if placements.is_empty() {
            return;
        }
        match self.account.commit(placements, Mode::PerTarget).await {
            Ok(results) => {
                for (place, result) in places.iter().zip(results) {
                    match result {
                        Ok(_) => self.taken = self.taken.saturating_add(1),
                        Err(error) => self.lose(place, &error),
                    }
                }
            }
            Err(error) => places.iter().for_each(|place| self.lose(place, &error)),
        }
        self.bar.set_message(count(self.taken));
    }

    fn lose(&mut self, place: &str, why: &dyn std::fmt::Display) {
        self.lost = self.lost.saturating_add(1);
        let failure = Failure::failed(format!("{place}: {why}"));
        self.bar.suspend(|| note!("not imported: {failure}"));
    }
}
