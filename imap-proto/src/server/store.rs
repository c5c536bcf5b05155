//! STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use futures::StreamExt;
use mailstore_traits::{Account, Authenticator, Changed, FlagChange, FlagOutcome, MailStore, ModSeq, UidSet};

use super::connection::{Connection, Handled, Stop, ok};
use super::error::refuse;
use super::selected::Telling;
use crate::command::Store;
use crate::grammar::Numbering;
use crate::response::Code;
use crate::response::code::RefusalCode;

/// How often a silent STORE is tried again for messages that others have changed meanwhile.
const ROUNDS: usize = 3;

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    pub(super) async fn store(&mut self, store: Store) -> Handled {
        self.demand_read_write()?;
        let uids = self.resolve(&store.messages, store.numbering)?;
        let telling = Telling::to(self.session.enabled(), store.numbering == Numbering::Uid);
        // The client has to know where it stands, silent or not: MODSEQ stays (RFC 7162 §3.1.3).
        let telling = Telling { with_flags: !store.silent, ..telling };
        // What has gone has no flags (RFC 2180 §4.2.1): the others are changed, and the client hears of it.
        let gone = store.numbering == Numbering::Sequence && self.selected()?.view.any_expunged(&uids);
        let failed = match (store.unchanged_since, store.silent) {
            // 0 is older than every message (RFC 7162 §3.1.3).
            (Some(0), _) => uids,
            (Some(since), _) => {
                let since = ModSeq::new(since).unwrap_or(ModSeq::MIN);
                self.change_flags(&uids, &store.change, Some(since), telling).await?
            }
            (None, false) => {
                self.change_flags(&uids, &store.change, None, telling).await?;
                UidSet::new()
            }
            (None, true) => {
                self.store_silently(uids, &store.change, telling).await?;
                UidSet::new()
            }
        };
        if !failed.is_empty() {
            let done = if gone { "Some of the messages have been expunged" } else { "Conditional STORE failed" };
            return Ok(ok(done).with_code(Code::Modified(self.numbered(&failed, store.numbering)?)));
        }
        match gone {
            true => Err(refuse(RefusalCode::ExpungeIssued, "Some of the messages have been expunged").into()),
            false => Ok(ok("STORE completed")),
        }
    }

    /// A silent STORE hides one's own change and nobody else's. So only messages of which all is known are changed
    /// without a word; for those that somebody else has changed since, that is heard first, and then it is tried again.
    async fn store_silently(&mut self, uids: UidSet, change: &FlagChange, telling: Telling) -> Result<(), Stop> {
        let mut left = uids;
        for _ in 0..ROUNDS {
            if left.is_empty() {
                return Ok(());
            }
            self.pull(true).await?;
            let since = self.selected()?.view.cursor();
            left = self.change_flags(&left, change, Some(since), telling).await?;
        }
        // Somebody is very busy with them: the client hears what they came to.
        let loud = Telling { with_flags: true, ..telling };
        self.change_flags(&left, change, None, loud).await.map(|_| ())
    }

    /// Changes flags, and tells what they came to. Gives those that were left alone.
    pub(super) async fn change_flags(
        &mut self,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
        telling: Telling,
    ) -> Result<UidSet, Stop> {
        let account = self.account()?;
        let selected = self.selected()?;
        selected.view.begin_own();
        let id = selected.id.clone();
        let mut failed = UidSet::new();
        let mut outcomes = account.store_flags(&id, uids, change.clone(), unchanged_since).boxed();
        while let Some(outcome) = outcomes.next().await {
            match outcome? {
                FlagOutcome::Stored { uid, modseq, flags } => {
                    self.flags_stored(&Changed::new(uid, modseq, flags), telling).await?;
                }
                FlagOutcome::Failed(uids) => failed.extend_from(&uids),
                // A kind that this crate does not know yet says nothing that could be told.
                _ => {}
            }
        }
        Ok(failed)
    }

    async fn flags_stored(&mut self, changed: &Changed, telling: Telling) -> Result<(), Stop> {
        let Some(selected) = &mut self.selected else { return Ok(()) };
        let has_room = selected.view.own(changed.uid, changed.modseq, !telling.with_flags);
        if let Some(number) = selected.view.number(changed.uid)
            && (telling.with_flags || telling.with_modseq)
        {
            selected.write_changed(number, changed, telling, self.driver.output());
            self.driver.flush_if_full().await?;
        }
        if !has_room {
            self.pull(true).await?;
        }
        Ok(())
    }

    /// UIDs as the client numbers messages.
    pub(super) fn numbered(&mut self, uids: &UidSet, numbering: Numbering) -> Result<Vec<(u32, u32)>, Stop> {
        let view = &self.selected()?.view;
        Ok(match numbering {
            Numbering::Uid => uids.ranges().map(|range| (range.start().value(), range.end().value())).collect(),
            Numbering::Sequence => view.numbers_of(uids),
        })
    }
}
