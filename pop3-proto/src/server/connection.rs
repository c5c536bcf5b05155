//! One connection, from its first octet to its last.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use mail_wire::io::{DriveError, Driver, Link, Shutdown};
use mailstore_traits::{
    Account, Authenticator, ByteRange, ErrorKind, FlagChange, Flags, MailStore, StoreError, SystemFlag, Uid, UidSet,
};

use super::Shared;
use super::error::refusal;
use super::maildrop::Held;
use super::raw_header::has_raw_header;
use super::retrieved::Untold;
use crate::error::{Error, UsageError};
use crate::grammar::ResponseText;
use crate::response::{Refusal, ResponseCode};
use crate::session::{Answer, Authenticated, Event, ServerSession};

/// Octets of a message that are encoded at a time, whatever the size of the store's chunks.
const PIECE: usize = 32 * 1024;
/// Failed logins that are answered at once; from the next on the answer waits (attack row A11).
const FREE_TRIES: u32 = 3;
const LONGEST_DELAY: Duration = Duration::from_secs(8);

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
                Event::AuthenticationFailed { failure, count } => {
                    tracing::info!(peer = %self.peer, %failure, count, "POP3 login failed");
                    if let Some(time) = delay(count) {
                        self.driver.delay(time).await;
                    }
                    self.answer(event.default_answer())?;
                }
                Event::Retrieve { key, size, .. } => {
                    if self.send(key, size).await? {
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
        Ok(self.session.answer(answer, self.driver.output())?)
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
        let marked: UidSet = delete.iter().copied().filter_map(Uid::new).collect();
        let removed = match held {
            Some(held) if !delete.is_empty() => match tokio::spawn(held.remove(delete)).await {
                Ok(removed) => removed,
                Err(_) => Err(ErrorKind::Internal.into()),
            },
            _ => Ok(()),
        };
        match removed {
            Ok(()) => {
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

/// How long a failed login waits for its answer.
fn delay(failed: u32) -> Option<Duration> {
    let doublings = failed.checked_sub(FREE_TRIES)?.checked_sub(1)?;
    Some(Duration::from_secs(1).saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST_DELAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a11_the_fourth_failed_login_waits_and_each_one_longer() {
        let seconds: Vec<_> = [0, 1, 3, 4, 5, 6, 7, 8, 100].map(|count| delay(count).map(|it| it.as_secs())).into();
        let expected = [None, None, None, Some(1), Some(2), Some(4), Some(8), Some(8), Some(8)];
        assert_eq!(seconds, expected);
    }
}
