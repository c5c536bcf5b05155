//! One message: from MAIL to the reply to its end.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use futures::FutureExt;
use mail_wire::io::DriveError;
use mailstore_traits::{AccountId, Authenticator, Directory, MailStore, Resolution, SizeHint, StoreError};
use time::OffsetDateTime;
use tracing::{Instrument, Span};

use super::connection::Connection;
use super::delivery::{Arrived, Incoming, accepted};
use super::envelope::{self, Envelope, Strokes};
use super::policy::{Delivery, Disposition, Outcome, Policy, Staged, StagedMessage};
use super::report::{self, Report};
use super::trace::Arrival;
use super::{error, is_own_address, telemetry};
use crate::command::{Mail, Priority, Rcpt};
use crate::error::Error;
use crate::grammar::{EnhancedStatusCode as Status, ForwardPath};
use crate::response::Reply;
use crate::session::{Answer, DataBegin, Protocol};

/// A message that has begun.
pub(super) struct Transaction<S: MailStore> {
    /// The connection's id, and the how manieth on it: what the log and the Received field call it.
    id: String,
    /// What of the log belongs to it.
    span: Span,
    envelope: Envelope,
    /// The message, once it comes.
    pub(super) incoming: Option<Box<Incoming<S>>>,
}

impl<S: MailStore, A: Authenticator, D: Directory, P: Policy> Connection<S, A, D, P> {
    /// A message that was begun has not happened.
    pub(super) fn forget(&mut self) {
        self.transaction = None;
    }

    /// The span of the message that has begun, or none.
    pub(super) fn span(&self) -> Span {
        self.transaction.as_ref().map_or_else(Span::none, |transaction| transaction.span.clone())
    }

    /// What a client says that has not logged in is not believed, where the RFCs say so: who handed a message in (RFC 4954
    /// §5), and that it is more urgent than others (RFC 6710 §4.1). LMTP's client is the host's own queue.
    fn believed(&self, mut mail: Mail) -> Mail {
        mail.submitter = self.session.submitter(&mail).cloned();
        if self.session.identity().is_none() && self.session.config().protocol != Protocol::Lmtp {
            mail.priority = mail.priority.map(|priority| priority.min(Priority::default()));
        }
        mail
    }

    pub(super) async fn mail(&mut self, mail: Mail) -> Answer {
        self.forget();
        let mail = self.believed(mail);
        if let Some(identity) = self.session.identity().filter(|_| self.shared.own_senders)
            && let Err(reply) = own_sender(&self.shared.directory, &identity.account, &mail).await
        {
            return mail.refuse(reply);
        }
        let client = self.who.client(&self.session);
        match self.shared.ask(self.policy.mail(&client, &mail)).await {
            Ok(()) => {}
            Err(reply) => return mail.refuse(reply),
        }
        let answer = mail.accept();
        self.transactions = self.transactions.wrapping_add(1);
        let id = format!("{}.{}", self.who.id, self.transactions);
        let span = tracing::info_span!("transaction", %id);
        self.transaction = Some(Transaction { id, span, envelope: Envelope::new(mail), incoming: None });
        answer
    }

    pub(super) async fn rcpt(&mut self, rcpt: Rcpt) -> Answer {
        match self.take_recipient(&rcpt).await {
            Ok(()) => rcpt.accept(),
            Err(refusal) => {
                // Whatever script it is written in, it is not to write the log (attack row I6).
                let recipient = rcpt.path.to_string();
                tracing::info!(recipient = %recipient.escape_debug(), code = %refusal.code(), "recipient refused");
                rcpt.refuse(refusal)
            }
        }
    }

    async fn take_recipient(&mut self, rcpt: &Rcpt) -> Result<(), Reply> {
        let strokes = match self.session.config().protocol {
            _ if self.shared.store.features().atomic_delivery => Strokes::One,
            Protocol::Lmtp => Strokes::OneForEachRecipient,
            _ => Strokes::OneForEachDomain,
        };
        let envelope = &mut self.transaction.as_mut().ok_or_else(local_error)?.envelope;
        let destinations = match self.shared.directory.resolve(&envelope::recipient(&rcpt.path)).await {
            Ok(Resolution::Local(destinations)) if !destinations.is_empty() => destinations,
            Ok(Resolution::Local(_) | Resolution::UnknownUser) => {
                return Err(Reply::of(550, Status::permanent(1, 1), "no such user here"));
            }
            Ok(Resolution::NotLocal) if self.session.identity().is_some() => {
                let text = "relaying denied, this server delivers to its own domains only";
                return Err(Reply::of(550, Status::permanent(7, 1), text));
            }
            Ok(Resolution::NotLocal) => return Err(Reply::of(550, Status::permanent(7, 1), "relaying denied")),
            Ok(_) => {
                let text = "mailbox takes no mail now, try again later";
                return Err(Reply::of(450, Status::transient(2, 1), text));
            }
            Err(error) => {
                tracing::error!(%error, "the directory cannot say");
                return Err(local_error());
            }
        };
        let client = self.who.client(&self.session);
        self.shared.ask(self.policy.rcpt(&client, envelope, rcpt)).await?;
        envelope.accept(rcpt.clone(), destinations, strokes)
    }

    pub(super) async fn data(&mut self, begin: DataBegin) -> Answer {
        let Some(transaction) = &mut self.transaction else { return begin.refuse(local_error()) };
        let envelope = &transaction.envelope;
        let client = self.who.client(&self.session);
        if let Err(reply) = self.shared.ask(self.policy.data(&client, envelope)).await {
            return begin.refuse(reply);
        }
        let hint = envelope.mail().size.map_or(SizeHint::Unknown, SizeHint::Octets);
        match self.shared.store.stage(hint).await {
            Ok(stage) => {
                transaction.incoming = Some(Box::new(Incoming::new(stage)));
                begin.accept()
            }
            Err(error) => {
                tracing::error!(%error, "the store takes no message");
                begin.refuse(error::reply(&error))
            }
        }
    }

    /// Why the message that comes cannot be kept, if that is known already.
    pub(super) fn trouble(&self) -> Option<Reply> {
        match &self.transaction {
            Some(Transaction { incoming: Some(incoming), .. }) => incoming.trouble(),
            _ => Some(local_error()),
        }
    }

    /// Delivers, and answers when it is done and not before. The peer may be gone by then; the message is there all the
    /// same.
    pub(super) async fn end_of_data(&mut self) -> Result<(), DriveError<Error>> {
        let Some(Transaction { id, envelope, incoming: Some(incoming), .. }) = self.transaction.take() else {
            return self.answer(Answer::ToAll(local_error()));
        };
        match self.dispose(&envelope, *incoming).await {
            Ok((message, how)) => self.deliver(id, Arc::new(envelope), message, how).await,
            Err(reply) => {
                tracing::info!(code = %reply.code(), "message");
                telemetry::message(self.shared.protocol(), std::slice::from_ref(&reply), None);
                self.answer(Answer::ToAll(reply))
            }
        }
    }

    /// What becomes of a message that has come whole: to be delivered so, or the reply to all of its recipients.
    async fn dispose(&mut self, envelope: &Envelope, incoming: Incoming<S>) -> Result<(Arrived<S>, Delivery), Reply> {
        let message = incoming.finish().await.map_err(|error| {
            tracing::error!(%error, "a message could not be stored");
            error::reply(&error)
        })?;
        let hops = message.digest.field_count("Received").unwrap_or_default();
        if hops >= self.shared.max_hops {
            return Err(Reply::of(554, Status::permanent(4, 6), "too many hops, this message goes round in circles"));
        }
        let staged = Staged { store: &self.shared.store, blob: &message.blob };
        let seen = StagedMessage::new(&message.digest, &staged);
        let client = self.who.client(&self.session);
        match self.shared.patient(self.policy.message(&client, envelope, &seen)).await {
            Some(Disposition::Deliver(how)) => Ok((message, how)),
            Some(Disposition::Discard) => {
                tracing::info!("message discarded by the policy");
                Err(accepted())
            }
            Some(Disposition::Refuse(reply)) => match Disposition::refuse(reply) {
                Disposition::Refuse(reply) => Err(reply),
                _ => Err(local_error()),
            },
            None => Err(local_error()),
        }
    }

    async fn deliver(
        &mut self,
        id: String,
        envelope: Arc<Envelope>,
        message: Arrived<S>,
        how: Delivery,
    ) -> Result<(), DriveError<Error>> {
        let for_each = self.session.config().protocol == Protocol::Lmtp;
        let Some(prefix) = self.prefix(&id, &envelope, &how) else {
            return self.answer(Answer::ToAll(local_error()));
        };
        let reports = self.shared.dsn && envelope.wants_success();
        let header = if reports { message.header(&self.shared.store).await } else { Bytes::new() };
        tracing::debug!("delivering");
        let since = Instant::now();
        let delivery = message.deliver(self.shared.store.clone(), Arc::clone(&envelope), prefix, how, for_each);
        let replies = spawned(delivery).await.unwrap_or_else(|| vec![local_error(); self.session.replies_owed()]);
        telemetry::message(self.shared.protocol(), &replies, Some(since.elapsed()));
        let recipients = envelope.recipients().len();
        let outcomes: Vec<Outcome> = match for_each {
            true => replies.iter().cloned().map(|reply| Outcome { reply }).collect(),
            false => replies.iter().cycle().take(recipients).cloned().map(|reply| Outcome { reply }).collect(),
        };
        let report = if reports { self.report(&id, &envelope, &outcomes, &header) } else { None };
        if let Some(report) = report
            && let Some(Err(error)) = spawned(report).await
        {
            tracing::error!(%error, "a report of a delivery could not be delivered");
        }
        let client = self.who.client(&self.session);
        // The message is in its mailboxes: a panic here must not keep its client from hearing so, who would send it again.
        let told = AssertUnwindSafe(self.policy.delivered(&client, &envelope, &outcomes)).catch_unwind();
        if let Some(Err(_)) = self.shared.patient(told).await {
            tracing::error!("the policy panicked on hearing of a delivery");
        }
        for reply in replies {
            tracing::info!(code = %reply.code(), "message");
            self.answer(reply.into())?;
        }
        Ok(())
    }

    /// The report for a sender who asked to hear who has the message (RFC 3461 §4.1), if anybody has, and what becomes of
    /// it. The message is in its mailboxes by now, and stays there whatever that is.
    fn report(
        &self,
        id: &str,
        envelope: &Envelope,
        outcomes: &[Outcome],
        header: &[u8],
    ) -> Option<impl Future<Output = Result<(), StoreError>> + Send + 'static + use<S, A, D, P>> {
        let wanted: Vec<_> = envelope
            .recipients_for_store()
            .zip(outcomes)
            .filter(|(recipient, outcome)| {
                outcome.is_delivered() && recipient.notify.is_some_and(|notify| notify.success)
            })
            .map(|(recipient, _)| recipient)
            .collect();
        let sender = envelope.mail().path.address().cloned().filter(|_| !wanted.is_empty())?;
        let report = Report {
            by: &self.session.config().host_name,
            id,
            at: now(),
            envelope: &envelope.for_store(),
            recipients: &wanted,
            header,
        };
        let report = report.octets();
        let (store, directory) = (self.shared.store.clone(), self.shared.directory.clone());
        Some(async move { report::deliver(&store, &directory, ForwardPath::from(sender), report).await })
    }

    /// What stands in front of the message: trace fields, with the policy's own among them.
    fn prefix(&self, id: &str, envelope: &Envelope, how: &Delivery) -> Option<Bytes> {
        let mail = envelope.mail();
        let arrival = Arrival {
            protocol: self.session.config().protocol,
            by: &self.session.config().host_name,
            hello: self.session.hello()?,
            peer: self.who.address,
            tls: self.session.tls(),
            is_authenticated: self.session.identity().is_some(),
            smtp_utf8: mail.smtp_utf8,
            id,
            sender: &mail.path,
            only_recipient: envelope.only_recipient(),
            at: now(),
            added: &how.fields,
        };
        Some(arrival.fields())
    }
}

/// Where users are to send in their own names only: whether this is theirs, or why it is refused (attack row R3).
async fn own_sender(directory: &impl Directory, account: &AccountId, mail: &Mail) -> Result<(), Reply> {
    match is_own_address(directory, account, &mail.path).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Reply::of(553, Status::permanent(7, 1), "that sender's address is not yours")),
        Err(error) => {
            tracing::error!(%error, "the directory cannot say");
            Err(local_error())
        }
    }
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc())
}

/// Runs a future to its end, whether anybody still waits for it or not. `None` if it panicked.
///
/// What is done at its first step needs no task of its own: nothing can come between.
async fn spawned<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let mut future = Box::pin(AssertUnwindSafe(future).catch_unwind());
    let first = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    let ended = match first {
        Poll::Ready(ended) => ended.ok(),
        Poll::Pending => tokio::spawn(future.in_current_span()).await.ok().and_then(Result::ok),
    };
    if ended.is_none() {
        tracing::error!("a delivery ended by a panic in the store");
    }
    ended
}

pub(super) fn local_error() -> Reply {
    Reply::of(451, Status::transient(3, 0), "local error, try again later")
}
