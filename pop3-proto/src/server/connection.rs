//! One connection, from its first octet to its last.

use std::io;
use std::net::SocketAddr;

use futures::StreamExt;
use mail_wire::io::{DriveError, Driver, Link, Shutdown, metrics};
use mailstore_traits::{
    Account, Authenticator, ByteRange, ErrorKind, FlagChange, Flags, MailStore, StoreError, SystemFlag, Uid, UidSet,
};
use tracing::Instrument as _;

use super::error::refusal;
use super::maildrop::Held;
use super::metrics::Tally;
use super::raw_header::has_raw_header;
use super::retrieved::Untold;
use super::{PROTOCOL, Shared};
use crate::error::{Error, UsageError};
use crate::grammar::ResponseText;
use crate::response::{Refusal, ResponseCode};
use crate::session::{Answer, Authenticated, Event, LoginFailure, ServerSession};

/// Octets of a message that are encoded at a time, whatever the size of the store's chunks.
const PIECE: usize = 32 * 1024;

/// Why a connection ended in another way than it should.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Drive(#[from] DriveError<Error>),
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// A greeting in clear text is not what was asked for.
    #[error("TLS is to come first, and there is no certificate")]
    NoCertificate,
    /// In the middle of a message: what is short must not look whole.
    #[error("store, in the middle of a message: {0}")]
    Store(#[from] StoreError),
    #[error("store: a message ended before its last octet")]
    ShortMessage,
    #[error("the server misused its session: {0}")]
    Usage(#[from] UsageError),
}

/// Serves one connection. Whatever ends it, the maildrop is free afterwards.
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
        held: None,
        tally: Tally::default(),
        untold: Untold::default(),
    };
    let ended = connection.converse().await;
    // The client may come back at once, so the maildrop is let go before anything is waited for.
    connection.held = None;
    connection.tell_retrieved().await;
    match ended {
        Ok(()) => connection.driver.close().await,
        Err(error @ (Broken::Store(_) | Broken::ShortMessage | Broken::Usage(_) | Broken::NoCertificate)) => {
            tracing::error!(%peer, %error, "POP3 connection cut off");
        }
        Err(error) => tracing::debug!(%peer, %error, "POP3 connection broken"),
    }
}

struct Connection<'a, S: MailStore, A> {
    shared: &'a Shared<S, A>,
    peer: SocketAddr,
    driver: Driver,
    session: ServerSession,
    held: Option<Held<S::Account>>,
    tally: Tally,
    /// What RETR has sent and the host has not been told.
    untold: Untold,
}

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    async fn converse(&mut self) -> Result<(), Broken> {
        if self.shared.implicit_tls {
            let tls = self.shared.tls.as_ref().ok_or(Broken::NoCertificate)?;
            self.driver.start_tls(&mut self.session, tls).await?;
        }
        while let Some(event) = self.driver.next_event(&mut self.session).await? {
            self.tally.event(&event);
            match event {
                Event::StartTls => match &self.shared.tls {
                    Some(tls) => {
                        self.answer(Answer::ok())?;
                        self.driver.start_tls(&mut self.session, tls).await?;
                    }
                    None => self.answer(event.default_answer())?,
                },
                Event::Credentials(query) => {
                    let answer = self.shared.authenticator.answer(query).await;
                    self.answer(answer)?;
                }
                Event::Authenticated(who) => self.log_in(who).await?,
                Event::AuthenticationFailed(failed) => {
                    let LoginFailure { failure, rejected, .. } = failed;
                    tracing::info!(peer = %self.peer, %failure, rejected, "POP3 login failed");
                    if let Some(time) = self.shared.login_delay.of(failure, rejected) {
                        self.driver.delay(time).await;
                    }
                    self.answer(failed.default_answer())?;
                }
                Event::Retrieve { key, size, .. } => {
                    if self.send(key, size).await? {
                        metrics::message(PROTOCOL, "retrieved");
                        self.mark_seen(key).await;
                        self.retrieved(key).await;
                    }
                }
                Event::Top { key, size, lines, .. } => {
                    // No message has more lines than octets. fetchmail fetches so, with `keep`: TOP with 99999999 lines.
                    if self.send(key, size).await? && lines >= size {
                        self.retrieved(key).await;
                    }
                }
                Event::Quit { delete } => self.quit(delete).await?,
                event => {
                    tracing::trace!(peer = %self.peer, ?event, "POP3");
                    self.answer(event.default_answer())?;
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, answer: impl Into<Answer>) -> Result<(), Broken> {
        let output = self.driver.output();
        let before = output.len();
        self.session.answer(answer, output)?;
        self.tally.written(output.get(before..).unwrap_or_default());
        Ok(())
    }

    async fn log_in(&mut self, who: Authenticated) -> Result<(), Broken> {
        let Shared { store, with_lease, config, logins, expiry, .. } = self.shared;
        // Of somebody who has proved who they are: to anybody else it would tell who has an account (RFC 2449 §8.1.1).
        if let Some(Err(left)) = logins.as_ref().map(|logins| logins.claim(&who.account)) {
            tracing::info!(peer = %self.peer, account = %who.account, ?left, "POP3 login too early");
            let words = ResponseText::literal("too early, minimum time between logins has not passed");
            return self.answer(Refusal::new(words).with_code(ResponseCode::LoginDelay));
        }
        match Held::open(store, &who.account, *with_lease, config.limits().maildrop_entries).await {
            Ok((held, maildrop)) => {
                self.tally.login(&who, true);
                tracing::info!(peer = %self.peer, account = %who.account, messages = maildrop.len(), "POP3 login");
                self.untold = Untold::of(who.account.clone(), held.uid_validity);
                self.held = Some(held);
                let mut maildrop = maildrop;
                if let Some(expiry) = expiry {
                    maildrop = maildrop.with_expiry(expiry.of(&who.account));
                }
                if let Some(logins) = logins {
                    maildrop = maildrop.with_login_interval(logins.of(&who.account));
                    logins.granted(&who.account);
                }
                self.answer(maildrop)
            }
            Err(error) => {
                self.tally.login(&who, false);
                tracing::warn!(peer = %self.peer, account = %who.account, %error, "POP3 maildrop not opened");
                if let Some(logins) = logins {
                    logins.give_back(&who.account);
                }
                self.answer(refusal(&error))
            }
        }
    }

    /// Sends a message as it is read: no more of it stands in memory than a chunk and the output. No lock is held, so a
    /// slow reader is in nobody's way. Answers whether it was sent.
    async fn send(&mut self, key: u32, size: u64) -> Result<bool, Broken> {
        if self.session.must_refuse_raw_header()
            && let (Some(held), Some(uid)) = (&self.held, Uid::new(key))
        {
            let refused = match has_raw_header(&held.account, &held.inbox, uid).await {
                Ok(false) => None,
                Ok(true) => {
                    let words = ResponseText::literal("message has UTF-8 in its header, which needs UTF8 mode");
                    Some(Refusal::new(words).with_code(ResponseCode::Utf8))
                }
                Err(error) => Some(refusal(&error)),
            };
            if let Some(refused) = refused {
                self.answer(refused)?;
                return Ok(false);
            }
        }
        let opened = match (&self.held, Uid::new(key)) {
            (Some(held), Some(uid)) => held.account.open_body(&held.inbox, uid, ByteRange::WHOLE).await,
            _ => Err(ErrorKind::Expunged.into()),
        };
        let mut body = match opened {
            Ok(body) if body.len() == size => body,
            Ok(body) => {
                tracing::error!(
                    uid = key,
                    listed = size,
                    opened = body.len(),
                    "the store tells two sizes of a message"
                );
                self.answer(refusal(&ErrorKind::Corrupt.into()))?;
                return Ok(false);
            }
            Err(error) => {
                tracing::debug!(uid = key, %error, "message not opened");
                self.answer(refusal(&error))?;
                return Ok(false);
            }
        };
        self.answer(Answer::Message)?;
        while self.session.wants_octets() {
            let mut chunk = body.next().await.ok_or(Broken::ShortMessage)??;
            while !chunk.is_empty() && self.session.wants_octets() {
                self.answer(chunk.split_to(chunk.len().min(PIECE)))?;
                self.driver.flush_if_full().await?;
            }
        }
        self.answer(Answer::End)?;
        Ok(true)
    }

    /// That message has been sent whole.
    async fn retrieved(&mut self, key: u32) {
        if Uid::new(key).is_some_and(|uid| self.untold.push(uid)) {
            self.tell_retrieved().await;
        }
    }

    async fn tell_retrieved(&mut self) {
        self.untold.tell(self.shared.retrieved.as_ref()).await;
    }

    async fn mark_seen(&mut self, key: u32) {
        let (true, Some(held), Some(uid)) = (self.shared.mark_seen, &self.held, Uid::new(key)) else { return };
        if !held.account.features().writable {
            return;
        }
        let seen = FlagChange::Add([SystemFlag::Seen].into_iter().collect::<Flags>());
        let mut outcomes = std::pin::pin!(held.account.store_flags(&held.inbox, &UidSet::from(uid), seen, None));
        while let Some(outcome) = outcomes.next().await {
            if let Err(error) = outcome {
                tracing::warn!(uid = key, %error, "message not marked as seen");
            }
        }
    }

    /// Removes what is marked, to the end even if the client goes meanwhile or the server goes down, and answers when it
    /// is done (attack row C7). The maildrop is free before the client hears of it.
    async fn quit(&mut self, delete: Vec<u32>) -> Result<(), Broken> {
        let held = self.held.take();
        let count = delete.len() as u64;
        let marked: UidSet = delete.iter().copied().filter_map(Uid::new).collect();
        let removed = match held {
            Some(held) if !delete.is_empty() => match tokio::spawn(held.remove(delete).in_current_span()).await {
                Ok(removed) => removed,
                Err(_) => Err(ErrorKind::Internal.into()),
            },
            _ => Ok(()),
        };
        match removed {
            Ok(()) => {
                metrics::messages(PROTOCOL, "deleted", count);
                self.untold.forget(&marked);
                self.answer(Answer::ok())
            }
            Err(error) => {
                tracing::error!(peer = %self.peer, %error, "POP3 deletions not carried out");
                let code = if error.is_retryable() { ResponseCode::SysTemp } else { ResponseCode::SysPerm };
                let words = ResponseText::literal("some deleted messages not removed");
                self.answer(Refusal::new(words).with_code(code))
            }
        }
    }
}
