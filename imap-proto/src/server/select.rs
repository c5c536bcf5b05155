//! SELECT, EXAMINE and CLOSE (RFC 9051 §6.3.2, §6.3.3, §6.4.1).

use futures::StreamExt;
use mailstore_traits::{Account, Authenticator, MailStore, UidSet};

use super::connection::{Connection, Handled, Stop, ok, to_the_end};
use super::selected::Selected;
use crate::command::Select;
use crate::response::{Code, write};

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    pub(super) async fn select(&mut self, select: Select) -> Handled {
        // Whatever comes of it, the mailbox that was selected no longer is (RFC 9051 §6.3.2).
        if self.selected.take().is_some() {
            ok("Previous mailbox is closed").with_code(Code::Closed).encode(None, self.driver.output());
        }
        let account = self.account()?;
        let (_, id) = self.find(&select.mailbox).await?;
        // First to listen and then to look: what happens in between is heard of.
        let watch = account.watch(std::slice::from_ref(&id)).await?.boxed();
        let examines = select.read_only || !account.features().writable;
        let snapshot = account.snapshot(&id, !examines).await?;
        let selected = Selected::new(id, &snapshot, examines, watch);
        let (rev2, dialect) = (self.session.enabled().rev2, self.session.dialect());
        let out = self.driver.output();
        selected.write_flags(out);
        out.extend_from_slice(b"* ");
        write::number(u64::from(selected.view.exists()), out);
        out.extend_from_slice(b" EXISTS\r\n");
        if !rev2 {
            out.extend_from_slice(b"* ");
            write::number(u64::from(selected.view.recent()), out);
            out.extend_from_slice(b" RECENT\r\n");
            let unseen = snapshot.first_unseen.and_then(|uid| selected.view.number(uid));
            if let Some(number) = unseen {
                ok("First unseen").with_code(Code::Unseen(number)).encode(None, out);
            }
        }
        ok("UIDs valid").with_code(Code::UidValidity(snapshot.uid_validity)).encode(None, out);
        if let Some(uid_next) = snapshot.uid_next {
            ok("Predicted next UID").with_code(Code::UidNext(uid_next)).encode(None, out);
        }
        ok("Highest").with_code(Code::HighestModSeq(snapshot.highest_modseq)).encode(None, out);
        if rev2 {
            // RFC 9051 §6.3.2: the name as the server spells it.
            out.extend_from_slice(b"* LIST () \"/\" ");
            write::mailbox(&select.mailbox, dialect, out);
            out.extend_from_slice(b"\r\n");
        }
        let read_only = selected.read_only;
        self.selected = Some(selected);
        let words = if select.read_only { "EXAMINE completed" } else { "SELECT completed" };
        Ok(ok(words).with_code(if read_only { Code::ReadOnly } else { Code::ReadWrite }))
    }

    /// Removes what is marked as deleted, without a word of it, and lets the mailbox go (RFC 9051 §6.4.1).
    pub(super) async fn close(&mut self) -> Handled {
        let account = self.account()?;
        let Some(selected) = self.selected.take() else { return Ok(ok("CLOSE completed")) };
        if !selected.read_only {
            let removed =
                to_the_end(async move { account.expunge(&selected.id, &UidSet::all(), true).await.map(|_| ()) });
            if let Err(error) = removed.await {
                // The mailbox is closed all the same: CLOSE has no other answer.
                tracing::warn!(%error, "messages marked as deleted were not removed at CLOSE");
            }
        }
        Ok(ok("CLOSE completed"))
    }

    /// The mailbox that was selected has been deleted by this very session.
    pub(super) fn let_go(&mut self) -> Result<(), Stop> {
        self.selected = None;
        self.session.unselect();
        ok("Mailbox is deleted").with_code(Code::Closed).encode(None, self.driver.output());
        Ok(())
    }
}
