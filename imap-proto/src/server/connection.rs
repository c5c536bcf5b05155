//! One connection, from its first octet to its last.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::task::Poll;

use futures::FutureExt as _;
use mail_wire::io::{DriveError, Driver, Link, Shutdown};
use mailstore_traits::{
    Actor, Authenticator, ErrorKind, MailStore, MailboxId, MailboxName, Result as StoreResult, StoreError,
};
use tracing::Instrument as _;

use super::append::Appending;
use super::error::{refusal, refuse};
use super::mailboxes::make_default_mailboxes;
use super::selected::Selected;
use super::{Shared, metrics};
use crate::command::CommandBody;
use crate::error::{Error, UsageError};
use crate::grammar::{Mailbox, Numbering};
use crate::response::code::RefusalCode;
use crate::response::{Status, StatusKind, Text};
use crate::session::{Answer, Authenticated, Event, LoginFailure, ServerSession};

/// Why a connection ended in another way than it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Drive(#[from] DriveError<Error>),
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// A greeting in clear text is not what was asked for.
    #[error("TLS is to come first, and there is no certificate")]
    NoCertificate,
    /// In the middle of a literal: what is short must not look whole.
    #[error("store, in the middle of a message: {0}")]
    Store(StoreError),
    #[error("store: a message ended before its last octet")]
    ShortMessage,
    #[error("the server misused its session: {0}")]
    Usage(#[from] UsageError),
}

/// Why a command was not carried out.
pub(super) enum Stop {
    /// The client is told so.
    Refused(Status),
    /// There is nobody to tell, or nothing that could be told.
    Broken(Broken),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Internal | ErrorKind::Unavailable) {
            tracing::error!(%error, "store");
        } else {
            tracing::debug!(%error, "store");
        }
        Self::Refused(refusal(&error))
    }
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// What a command comes to: its tagged answer.
pub(super) type Handled = Result<Status, Stop>;

/// An OK in these words.
pub(super) const fn ok(words: &'static str) -> Status {
    Status::new(StatusKind::Ok, Text::literal(words))
}

/// Serves one connection.
pub(super) async fn serve_link<S: MailStore, A: Authenticator>(
    shared: &Shared<S, A>,
    link: Link,
    peer: SocketAddr,
    shutdown: Shutdown,
) {
    let mut connection = Connection {
        shared,
        peer,
        driver: Driver::new(link, shared.driver, shutdown),
        session: ServerSession::new(shared.config.clone()),
        account: None,
        selected: None,
        appending: None,
    };
    match connection.converse().await {
        Ok(()) => Box::pin(connection.driver.close()).await,
        Err(error @ (Broken::Store(_) | Broken::ShortMessage | Broken::Usage(_) | Broken::NoCertificate)) => {
            tracing::error!(%peer, %error, "IMAP connection cut off");
        }
        Err(error) => tracing::debug!(%peer, %error, "IMAP connection broken"),
    }
}

pub(super) struct Connection<'a, S: MailStore, A> {
    pub(super) shared: &'a Shared<S, A>,
    peer: SocketAddr,
    pub(super) driver: Driver,
    pub(super) session: ServerSession,
    /// Whose mail it is, once somebody has logged in.
    account: Option<S::Account>,
    pub(super) selected: Option<Selected>,
    /// A message that is on its way in.
    pub(super) appending: Option<Box<Appending<S>>>,
}

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    async fn converse(&mut self) -> Result<(), Broken> {
        if self.shared.implicit_tls {
            let tls = self.shared.tls.as_ref().ok_or(Broken::NoCertificate)?;
            Box::pin(self.driver.start_tls(&mut self.session, tls)).await?;
        }
        // What a connection holds while it waits is as large as all that it awaits in place. Clients wait here and in
        // IDLE, by the thousand; everything else has its memory while it is done, and gives it back.
        while let Some(event) = self.driver.next_event(&mut self.session).await? {
            match event {
                Event::Command(CommandBody::Idle) => {
                    metrics::event(&event);
                    self.appending = None;
                    self.idle().await?;
                }
                event => Box::pin(self.event(event)).await?,
            }
        }
        Ok(())
    }

    pub(super) async fn event(&mut self, event: Event) -> Result<(), Broken> {
        metrics::event(&event);
        match event {
            Event::AppendData(octets) => {
                self.append_data(octets).await;
                return Ok(());
            }
            Event::AppendEnd => return self.append_end().await,
            _ => {}
        }
        // Anything else than its end means that it is to be dropped.
        self.appending = None;
        match event {
            Event::StartTls => match &self.shared.tls {
                Some(tls) => {
                    self.answer(Answer::Ok)?;
                    self.driver.start_tls(&mut self.session, tls).await?;
                    Ok(())
                }
                None => self.answer(event.default_answer()),
            },
            Event::Credentials(query) => {
                let answer = self.shared.authenticator.answer(query).await;
                self.answer(answer)
            }
            Event::Authenticated(who) => self.log_in(who).await,
            Event::AuthenticationFailed(failed) => {
                let LoginFailure { failure, rejected, .. } = failed;
                tracing::info!(peer = %self.peer, %failure, rejected, "IMAP login failed");
                if let Some(time) = self.shared.login_delay.of(failure, rejected) {
                    self.driver.delay(time).await;
                }
                self.answer(failed.default_answer())
            }
            Event::Command(body) => self.command(body).await,
            Event::Append(head) => self.append(head).await,
            event => {
                tracing::trace!(peer = %self.peer, ?event, "IMAP");
                self.answer(event.default_answer())
            }
        }
    }

    pub(super) fn answer(&mut self, answer: impl Into<Answer>) -> Result<(), Broken> {
        let answer = answer.into();
        let kind = match &answer {
            Answer::Status(status) => Some(status.kind),
            Answer::Ok => Some(StatusKind::Ok),
            Answer::Credential(_) => None,
        };
        let output = self.driver.output();
        let before = output.len();
        self.session.answer(answer, output)?;
        // A continuation is no answer yet.
        let is_answer = !output.get(before..).unwrap_or_default().starts_with(b"+");
        if let Some(kind) = kind.filter(|_| is_answer) {
            metrics::answered(kind);
        }
        Ok(())
    }

    async fn log_in(&mut self, who: Authenticated) -> Result<(), Broken> {
        let actor = Actor::User(who.account.clone());
        match self.shared.store.open(&who.account, &actor).await {
            Ok(account) => {
                metrics::login(&who, true);
                tracing::info!(peer = %self.peer, account = %who.account, "IMAP login");
                make_default_mailboxes(&account, &self.shared.default_mailboxes).await;
                self.account = Some(account);
                self.answer(Answer::Ok)
            }
            Err(error) => {
                metrics::login(&who, false);
                tracing::warn!(peer = %self.peer, account = %who.account, %error, "IMAP account not opened");
                // Nothing of what is there or not is told: one answer for all of it.
                self.answer(refuse(RefusalCode::Unavailable, "Mailboxes not available"))
            }
        }
    }

    /// Carries a command out, tells the news, and answers.
    async fn command(&mut self, body: CommandBody) -> Result<(), Broken> {
        // A client that numbers messages must not see the numbers change while it uses them (RFC 9051 §7.5.1).
        let may_expunge = !matches!(
            &body,
            CommandBody::Fetch(crate::command::Fetch { numbering: Numbering::Sequence, .. })
                | CommandBody::Store(crate::command::Store { numbering: Numbering::Sequence, .. })
                | CommandBody::Search(crate::command::Search { numbering: Numbering::Sequence, .. })
        );
        let pull = matches!(&body, CommandBody::Noop | CommandBody::Check);
        let handled = match body {
            CommandBody::Noop => Ok(ok("NOOP completed")),
            CommandBody::Check => Ok(ok("CHECK completed")),
            CommandBody::Idle => return Box::pin(self.idle()).await,
            CommandBody::Select(select) => self.select(select).await,
            CommandBody::Create(create) => self.create(create).await,
            CommandBody::Delete(mailbox) => self.delete(&mailbox).await,
            CommandBody::Rename(rename) => self.rename(rename).await,
            CommandBody::Subscribe(mailbox) => self.subscribe(&mailbox, true).await,
            CommandBody::Unsubscribe(mailbox) => self.subscribe(&mailbox, false).await,
            CommandBody::List(list) => self.list(list).await,
            CommandBody::Lsub(lsub) => self.lsub(lsub).await,
            CommandBody::Namespace => self.namespace().await,
            CommandBody::Status(status) => self.status(status).await,
            CommandBody::Close => self.close().await,
            CommandBody::Unselect => {
                self.selected = None;
                Ok(ok("UNSELECT completed"))
            }
            CommandBody::Expunge(uids) => self.expunge(uids).await,
            CommandBody::Search(search) => self.search(search).await,
            CommandBody::Fetch(fetch) => self.fetch(fetch).await,
            CommandBody::Store(store) => self.store(store).await,
            CommandBody::Copy(transfer) => self.copy(transfer).await,
            CommandBody::Move(transfer) => self.move_messages(transfer).await,
            // Those that are events of their own.
            CommandBody::Capability
            | CommandBody::Logout
            | CommandBody::StartTls
            | CommandBody::Authenticate(_)
            | CommandBody::Login(_)
            | CommandBody::Enable(_)
            | CommandBody::Id(_) => Ok(Status::new(StatusKind::Bad, Text::literal("Not now"))),
        };
        self.finish(handled, pull, may_expunge).await
    }

    /// The news, and then the tagged answer.
    pub(super) async fn finish(&mut self, handled: Handled, pull: bool, may_expunge: bool) -> Result<(), Broken> {
        let status = match handled {
            Ok(status) | Err(Stop::Refused(status)) => status,
            Err(Stop::Broken(broken)) => return Err(broken),
        };
        match self.news(pull, may_expunge).await {
            Ok(()) => self.answer(status),
            Err(Stop::Refused(bye)) => self.answer(bye),
            Err(Stop::Broken(broken)) => Err(broken),
        }
    }

    /// The account of whoever has logged in. The session lets no command that needs one come before.
    pub(super) fn account(&self) -> Result<S::Account, Stop> {
        self.account.clone().ok_or(Stop::Refused(refuse(RefusalCode::ServerBug, "Nobody has logged in")))
    }

    /// The account, for what changes something: a store that does not write is not asked to (store contract, row 76).
    pub(super) fn account_to_change(&self) -> Result<S::Account, Stop> {
        use mailstore_traits::Account as _;
        let account = self.account()?;
        if account.features().writable { Ok(account) } else { Err(StoreError::from(ErrorKind::NotPermitted).into()) }
    }

    /// The mailbox that is selected. The session lets no command that needs one come before.
    pub(super) fn selected(&mut self) -> Result<&mut Selected, Stop> {
        self.selected.as_mut().ok_or(Stop::Refused(refuse(RefusalCode::ServerBug, "No mailbox selected")))
    }

    /// The mailbox of that name.
    pub(super) async fn find(&mut self, mailbox: &Mailbox) -> Result<(MailboxName, MailboxId), Stop> {
        use mailstore_traits::Account as _;
        // What cannot be a name is the name of nothing.
        let name = mailbox.to_name().map_err(|_| StoreError::from(ErrorKind::NotFound))?;
        let id = self.account()?.find(&name).await?;
        Ok((name, id))
    }
}

/// Does something that must not be given up half way, whatever becomes of the connection (store contract, rule 7).
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = StoreResult<T>> + Send + 'static,
) -> StoreResult<T> {
    let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
    // What is done at its first step needs no task of its own: nothing can come between.
    let ended = match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
        Poll::Ready(ended) => ended.ok(),
        Poll::Pending => tokio::spawn(work.in_current_span()).await.ok().and_then(Result::ok),
    };
    // It has panicked, or the runtime is going down.
    ended.unwrap_or_else(|| Err(ErrorKind::Internal.into()))
}
