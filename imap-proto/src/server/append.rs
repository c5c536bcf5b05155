//! APPEND: a message's way into a mailbox, chunk by chunk (RFC 9051 §6.3.12).

use bytes::{Bytes, BytesMut};
use mail_message::{Digester, Limits};
use mail_wire::line_ends::{LineEndPolicy, LineEnds};
use mailstore_traits::{
    Account, Authenticator, ErrorKind, Flags, MailStore, MailboxId, Mode, Placement, SizeHint, Stage, StoreError,
    Timestamp, UidSet,
};

use super::connection::{Broken, Connection, Handled, Stop, ok, to_the_end};
use super::error::refuse;
use crate::command::AppendHead;
use crate::response::code::RefusalCode;
use crate::response::{Code, Status, StatusKind, Text};
use crate::session::Answer;

/// A message on its way in. Dropped, it leaves nothing behind.
pub(super) struct Appending<S: MailStore> {
    mailbox: MailboxId,
    flags: Flags,
    date: Option<Timestamp>,
    /// Why it will not be kept, once that is known; the rest of it is let go by.
    stage: Result<S::Stage, StoreError>,
    digester: Digester,
    line_ends: LineEnds,
}

impl<S: MailStore> Appending<S> {
    async fn write(&mut self, octets: Bytes) {
        let mut left = octets.len() as u64;
        let mut input = BytesMut::from(octets);
        while let Some(piece) = self.line_ends.next(&mut input, &mut left) {
            let Ok(stage) = &mut self.stage else { return };
            self.digester.feed(&piece);
            if let Err(error) = stage.write(piece).await {
                self.stage = Err(error);
            }
        }
    }
}

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    /// Everything that can be known before the message is said before it, so that it need not be sent.
    pub(super) async fn append(&mut self, head: AppendHead) -> Result<(), Broken> {
        match self.begin_append(head).await {
            Ok(appending) => {
                self.appending = Some(Box::new(appending));
                self.answer(Answer::Ok)
            }
            Err(Stop::Refused(status)) => self.answer(status),
            Err(Stop::Broken(broken)) => Err(broken),
        }
    }

    async fn begin_append(&mut self, head: AppendHead) -> Result<Appending<S>, Stop> {
        let account = self.account_to_change()?;
        let mailbox = self.destination(&head.mailbox).await?;
        let stage = account.stage(SizeHint::Octets(head.literal.octets)).await?;
        Ok(Appending {
            mailbox,
            flags: head.flags,
            date: head.date,
            stage: Ok(stage),
            digester: Digester::new(&Limits::default()),
            line_ends: LineEnds::new(LineEndPolicy::Normalize),
        })
    }

    pub(super) async fn append_data(&mut self, octets: Bytes) {
        if let Some(appending) = &mut self.appending {
            appending.write(octets).await;
        }
    }

    pub(super) async fn append_end(&mut self) -> Result<(), Broken> {
        let appending = self.appending.take();
        let mut pull = false;
        let handled = match appending {
            Some(appending) => {
                // EXISTS comes before the tagged OK if it is the selected mailbox (RFC 9051 §6.3.12).
                pull = self.selected.as_ref().is_some_and(|selected| selected.id == appending.mailbox);
                self.keep(*appending).await
            }
            None => Ok(refuse(RefusalCode::ServerBug, "There is no message")),
        };
        self.finish(handled, pull, true).await
    }

    async fn keep(&mut self, mut appending: Appending<S>) -> Handled {
        // A line that was not ended is left as it is.
        if let Some(end) = appending.line_ends.finish_unended()
            && let Ok(stage) = &mut appending.stage
        {
            appending.digester.feed(&end);
            stage.write(end).await?;
        }
        if appending.line_ends.faults().nul {
            // NUL has no place in a literal that is not binary (RFC 9051 §4.3, CHAR8).
            return Ok(Status::new(StatusKind::No, Text::literal("A message without NUL was expected"))
                .with_code(Code::Refusal(RefusalCode::Cannot)));
        }
        let account = self.account()?;
        let Appending { mailbox, flags, date, stage, digester, .. } = appending;
        let stage = stage?;
        let placed = to_the_end(async move {
            let blob = stage.finish(Some(digester.finish().to_octets())).await?;
            let mut placement = Placement::new(blob, mailbox).with_flags(flags);
            placement.internal_date = date;
            let mut placed = account.commit(vec![placement], Mode::PerTarget).await?;
            placed.pop().unwrap_or_else(|| Err(ErrorKind::Internal.into()))
        })
        .await;
        match placed {
            Ok(placed) => {
                let code = Code::AppendUid(placed.uid_validity, UidSet::from(placed.uid));
                Ok(ok("APPEND completed").with_code(code))
            }
            // It was there when the message began.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(try_create()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The mailbox could be made, and then it would work (RFC 9051 §7.1).
pub(super) fn try_create() -> Status {
    Status::new(StatusKind::No, Text::literal("No such mailbox, create it first")).with_code(Code::TryCreate)
}
