//! Whether a store's mail is all there: what the store says of itself, and every message read from its first octet to
//! its last.

use futures::TryStreamExt;
use indicatif::ProgressBar;
use mail_message::{Digest, Digester};
use mailstore_traits::{
    Account, AccountId, Actor, ByteRange, ErrorKind, ListHint, MailStore, MailboxId, MailboxName, MailboxStatus,
    MessageMeta, MetaFields, MetaFilter, Snapshot, StoreError, SystemFlag, UidSet,
};

use crate::error::{Failure, Outcome};
use crate::out::{note, say};
use crate::transfer::{count, progress};

/// Reads everything that these accounts have, and says what is wrong; mends what can be if asked.
pub(crate) async fn check<S: MailStore>(store: &S, names: &[AccountId], repair: bool) -> Outcome {
    let bar = progress(0, "{spinner} {pos} messages read  {msg}");
    let mut run = Run { repair, read: 0, mended: 0, damaged: 0, bar };
    let findings = store.check(repair).await;
    for finding in findings.map_err(|error| Failure::failed(format!("cannot look at the store: {error}")))? {
        run.tell(&finding.what, finding.mended);
    }
    for name in names {
        run.bar.set_message(name.as_str().to_owned());
        run.account(store, name)
            .await
            .map_err(|error| Failure::failed(format!("cannot read {name}'s mail: {error}")))?;
    }
    run.bar.finish_and_clear();
    let (read, mended) = (count(run.read), run.mended);
    match (run.damaged, mended) {
        (0, 0) => say!("{read} read; all is as it has to be"),
        (0, _) => say!("{read} read; {mended} of what was wrong has been put right"),
        (damaged, _) if !repair => {
            return Err(Failure::failed(format!(
                "{read} read, and something wrong {damaged} times; check --repair mends what can be"
            )));
        }
        (damaged, _) => {
            return Err(Failure::failed(format!(
                "{read} read; {mended} of what was wrong has been put right and {damaged} could not be"
            )));
        }
    }
    Ok(())
}

struct Run {
    repair: bool,
    read: u64,
    mended: u64,
    damaged: u64,
    bar: ProgressBar,
}

/// What is wrong with a message.
enum Wrong {
    /// It cannot be read as it has to be: nobody can have it.
    Octets(String),
    /// What the store has noted of its structure is another message's.
    Digest,
}

impl Run {
    fn tell(&mut self, what: &str, mended: bool) {
        let count = if mended { &mut self.mended } else { &mut self.damaged };
        *count = count.saturating_add(1);
        let what = Failure::failed(what);
        self.bar.suspend(|| if mended { note!("mended: {what}") } else { note!("wrong: {what}") });
    }

    async fn account<S: MailStore>(&mut self, store: &S, name: &AccountId) -> Result<(), StoreError> {
        let account = store.open(name, &Actor::Service).await?;
        let listed: Vec<_> = account.list(ListHint::default()).try_collect().await?;
        for info in listed {
            if let Some(id) = &info.id {
                match self.mailbox(&account, name, &info.name, id).await {
                    // Somebody has just deleted it.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    done => done?,
                }
            }
        }
        Ok(())
    }

    async fn mailbox<A: Account>(
        &mut self,
        account: &A,
        owner: &AccountId,
        name: &MailboxName,
        id: &MailboxId,
    ) -> Result<(), StoreError> {
        let place = format!("{owner}'s {}", name.as_str());
        let before = account.snapshot(id, false).await?;
        let status = account.status(std::slice::from_ref(id)).await?.pop();
        let (mut metas, mut seen) = (Vec::new(), UidSet::new());
        let mut found = std::pin::pin!(account.fetch_meta(id, &UidSet::all(), MetaFields::ALL, MetaFilter::default()));
        let mut counted = Counted::default();
        while let Some(meta) = found.try_next().await? {
            seen.insert(meta.uid);
            counted.add(&meta);
            metas.push(meta);
            // Some at a time: a mailbox may be larger than memory.
            if metas.len() >= 256 {
                self.messages(account, &place, id, std::mem::take(&mut metas)).await?;
            }
        }
        self.messages(account, &place, id, metas).await?;
        // A mailbox that changes meanwhile cannot be compared with itself, and is no worse for it.
        if account.snapshot(id, false).await?.highest_modseq == before.highest_modseq {
            for what in disagreements(&before, status.as_ref(), &seen, &counted) {
                self.tell(&format!("{place}: {what}"), false);
            }
        }
        Ok(())
    }

    async fn messages<A: Account>(
        &mut self,
        account: &A,
        place: &str,
        id: &MailboxId,
        metas: Vec<MessageMeta>,
    ) -> Result<(), StoreError> {
        for meta in metas {
            self.read = self.read.saturating_add(1);
            self.bar.inc(1);
            let place = format!("{place}, UID {}", meta.uid);
            match read(account, id, &meta).await? {
                None => {}
                Some((Wrong::Octets(why), _)) if self.repair => {
                    account.expunge(id, &meta.uid.into(), false).await?;
                    self.tell(&format!("{place}: it cannot be read ({why}) and has been taken out"), true);
                }
                Some((Wrong::Octets(why), _)) => self.tell(&format!("{place}: it cannot be read ({why})"), false),
                Some((Wrong::Digest, digest)) => {
                    if self.repair {
                        account.put_digest(id, meta.uid, digest.to_octets()).await?;
                    }
                    self.tell(&format!("{place}: what is noted of its structure is not so"), self.repair);
                }
            }
        }
        Ok(())
    }
}

/// Reads a message to its end. What is wrong with it, and the digest that it should have.
async fn read<A: Account>(
    account: &A,
    id: &MailboxId,
    meta: &MessageMeta,
) -> Result<Option<(Wrong, Digest)>, StoreError> {
    let noted = meta.digest.as_ref().and_then(|digest| Digest::from_octets(digest).ok());
    // A digest counts from behind what was put in front of the message when it came.
    let in_front = noted.as_ref().map_or(0, Digest::prefix_len);
    let mut digester = Digester::new(&mail_message::Limits::default());
    let (mut prefix, mut read) = (Vec::new(), 0_u64);
    let octets = async {
        let mut body = account.open_body(id, meta.uid, ByteRange::WHOLE).await?;
        while let Some(octets) = body.try_next().await? {
            let left = in_front.saturating_sub(read);
            let cut = usize::try_from(left).unwrap_or(usize::MAX).min(octets.len());
            let (front, behind) = octets.split_at(cut);
            prefix.extend_from_slice(front);
            digester.feed(behind);
            read = read.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
        }
        Ok::<_, StoreError>(())
    };
    let ended = octets.await;
    let digest = digester.finish().prefixed(&prefix);
    Ok(match ended {
        Err(error) if error.kind() == ErrorKind::Expunged => None,
        // What a busy or absent backend cannot read now is no damage, and must not be mended.
        Err(error) if error.is_retryable() => return Err(error),
        Err(error) => Some((Wrong::Octets(error.to_string()), digest)),
        Ok(()) if read != meta.size => {
            Some((Wrong::Octets(format!("{read} octets, and {} are announced", meta.size)), digest))
        }
        Ok(()) if noted.is_some_and(|noted| noted != digest) => Some((Wrong::Digest, digest)),
        Ok(()) => None,
    })
}

/// What a mailbox's messages add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    messages: u64,
    unseen: u64,
    deleted: u64,
    size: u64,
    highest_modseq: u64,
}

impl Counted {
    fn add(&mut self, meta: &MessageMeta) {
        self.messages = self.messages.saturating_add(1);
        self.unseen = self.unseen.saturating_add(u64::from(!meta.flags.has(SystemFlag::Seen)));
        self.deleted = self.deleted.saturating_add(u64::from(meta.flags.has(SystemFlag::Deleted)));
        self.size = self.size.saturating_add(meta.size);
        self.highest_modseq = self.highest_modseq.max(meta.modseq.value());
    }
}

fn disagreements(
    snapshot: &Snapshot,
    status: Option<&MailboxStatus>,
    seen: &UidSet,
    counted: &Counted,
) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    if snapshot.uids != *seen {
        wrong.push("the list of its messages and the messages are not the same");
    }
    if snapshot.uid_next.is_some_and(|next| seen.last().is_some_and(|last| last >= next)) {
        wrong.push("there is a message at or above UIDNEXT");
    }
    if counted.highest_modseq > snapshot.highest_modseq.value() {
        wrong.push("there is a message above HIGHESTMODSEQ");
    }
    if status.is_none_or(|status| {
        (status.messages, status.unseen, status.deleted, status.size)
            != (counted.messages, counted.unseen, counted.deleted, counted.size)
    }) {
        wrong.push("its counts are not those of its messages");
    }
    wrong
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mailstore_traits::memory::MemoryStore;
    use mailstore_traits::{Mode, Placement, SizeHint, Stage};

    use super::*;

    #[tokio::test]
    async fn what_is_noted_of_another_message_is_found_and_mended() {
        let (store, ada) = (MemoryStore::new(), AccountId::new("ada@example.org"));
        let account = store.open(&ada, &Actor::Service).await.unwrap();
        let inbox = account.find(&MailboxName::inbox()).await.unwrap();
        let (front, text): (&[u8], &[u8]) = (b"Received: here\r\n", b"Subject: x\r\n\r\nyes\r\n");
        let right = Digest::of(text);
        let wrong = Digest::of(b"Subject: other\r\n\r\nno\r\n");
        for (digest, prefix) in [
            (right.to_octets(), None),
            (wrong.to_octets(), None),
            (right.clone().prefixed(front).to_octets(), Some(front)),
            (wrong.prefixed(front).to_octets(), Some(front)),
        ] {
            let mut stage = account.stage(SizeHint::Unknown).await.unwrap();
            stage.write(Bytes::copy_from_slice(text)).await.unwrap();
            let blob = stage.finish(None).await.unwrap();
            let prefix = Bytes::from_static(prefix.unwrap_or_default());
            let placement = Placement::new(blob, inbox.clone()).with_prefix(prefix, Some(digest));
            account.commit(vec![placement], Mode::AllOrNothing).await.unwrap();
        }
        let names = [ada];
        let told = check(&store, &names, false).await.unwrap_err().to_string();
        assert_eq!(told, "4 messages read, and something wrong 2 times; check --repair mends what can be");
        check(&store, &names, true).await.unwrap();
        check(&store, &names, false).await.unwrap();
    }
}
