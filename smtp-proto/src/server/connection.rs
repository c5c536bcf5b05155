//! One connection: events become calls on store, authenticator and directory, and their results answers.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mail_wire::io::{DriveError, Driver};
use mail_wire::sasl::Failure;
use mailstore_traits::{Authenticator, Directory, MailStore, Resolution, SizeHint};
use time::OffsetDateTime;

use super::delivery::Incoming;
use super::envelope::{self, Envelope, Strokes};
use super::trace::Arrival;
use super::{Shared, error};
use crate::command::{Mail, Rcpt};
use crate::error::{Error, UsageError};
use crate::grammar::EnhancedStatusCode as Status;
use crate::response::Reply;
use crate::session::{Answer, DataBegin, Event, LoginFailure, Protocol, ServerSession, StartTls};

/// After so many rejected logins each further one waits, twice as long each time (attack row A11).
const PATIENCE: usize = 3;
/// No longer than this.
const LONGEST_DELAY: Duration = Duration::from_secs(16);

pub(super) struct Connection<S: MailStore, A, D> {
    shared: Arc<Shared<S, A, D>>,
    driver: Driver,
    session: ServerSession,
    peer: IpAddr,
    envelope: Option<Envelope>,
    incoming: Option<Incoming<S>>,
}

impl<S: MailStore, A: Authenticator, D: Directory> Connection<S, A, D> {
    pub(super) fn new(shared: Arc<Shared<S, A, D>>, driver: Driver, peer: IpAddr) -> Self {
        let session = ServerSession::new(Arc::clone(&shared.config));
        Self { shared, driver, session, peer, envelope: None, incoming: None }
    }

    pub(super) async fn run(mut self) {
        match self.converse().await {
            Ok(()) => tracing::debug!("connection closed"),
            Err(error) => tracing::info!(%error, "connection ended"),
        }
        // What was staged and not delivered is dropped here, and the store forgets it.
        drop(self.incoming);
        self.driver.close().await;
    }

    async fn converse(&mut self) -> Result<(), DriveError<Error>> {
        let shared = Arc::clone(&self.shared);
        if let Some(tls) = shared.tls.as_ref().filter(|_| shared.implicit_tls) {
            self.driver.start_tls(&mut self.session, tls).await?;
        }
        while let Some(event) = self.driver.next_event(&mut self.session).await? {
            self.handle(event).await?;
        }
        Ok(())
    }

    async fn handle(&mut self, event: Event) -> Result<(), DriveError<Error>> {
        let answer = match event {
            Event::Data(octets) => {
                if let Some(incoming) = &mut self.incoming {
                    incoming.write(octets).await;
                }
                return Ok(());
            }
            Event::EndOfData(_) => return self.deliver().await,
            Event::StartTls(start_tls) => return self.start_tls(start_tls).await,
            Event::Mail(mail) => self.mail(mail),
            Event::Rcpt(rcpt) => self.rcpt(rcpt).await,
            Event::DataBegin(begin) => self.data(begin).await,
            Event::Hello(hello) => {
                self.forget();
                hello.accept()
            }
            Event::Rset => {
                self.forget();
                Event::Rset.default_answer()
            }
            Event::Credentials(query) => self.shared.authenticator.answer(query).await.into(),
            Event::Authenticated(ref identity) => {
                tracing::info!(account = %identity.account, mechanism = %identity.mechanism, "logged in");
                event.default_answer()
            }
            Event::AuthenticationFailed(failure) => {
                self.delay(failure).await;
                failure.default_answer()
            }
            Event::Rejected(rejection) => {
                tracing::debug!(%rejection, "rejected");
                if rejection.ends_message() {
                    self.forget();
                }
                rejection.default_answer()
            }
            event => event.default_answer(),
        };
        self.answer(answer)
    }

    fn answer(&mut self, answer: Answer) -> Result<(), DriveError<Error>> {
        self.session.answer(answer, self.driver.output()).map_err(usage)
    }

    /// A message that was begun has not happened.
    fn forget(&mut self) {
        self.envelope = None;
        self.incoming = None;
    }

    fn mail(&mut self, mail: Mail) -> Answer {
        let answer = mail.accept();
        self.forget();
        self.envelope = Some(Envelope::new(mail));
        answer
    }

    async fn rcpt(&mut self, rcpt: Rcpt) -> Answer {
        let strokes = match self.session.config().protocol {
            _ if self.shared.store.features().atomic_delivery => Strokes::One,
            Protocol::Lmtp => Strokes::OneForEachRecipient,
            _ => Strokes::OneForEachDomain,
        };
        let resolution = self.shared.directory.resolve(&envelope::recipient(&rcpt.path)).await;
        let Some(envelope) = &mut self.envelope else { return rcpt.refuse(local_error()) };
        let refusal = match resolution {
            Ok(Resolution::Local(destinations)) if !destinations.is_empty() => {
                match envelope.accept(rcpt.path.clone(), destinations, strokes) {
                    Ok(()) => return rcpt.accept(),
                    Err(reply) => reply,
                }
            }
            Ok(Resolution::Local(_) | Resolution::UnknownUser) => {
                Reply::of(550, Status::permanent(1, 1), "no such user here")
            }
            Ok(Resolution::NotLocal) if self.session.identity().is_some() => {
                Reply::of(550, Status::permanent(7, 1), "relaying denied, this server delivers to its own domains only")
            }
            Ok(Resolution::NotLocal) => Reply::of(550, Status::permanent(7, 1), "relaying denied"),
            Ok(_) => Reply::of(450, Status::transient(2, 1), "mailbox takes no mail now, try again later"),
            Err(error) => {
                tracing::error!(%error, "the directory cannot say");
                local_error()
            }
        };
        // Whatever script it is written in, it is not to write the log (attack row I6).
        let recipient = rcpt.path.to_string();
        tracing::info!(peer = %self.peer, recipient = %recipient.escape_debug(), code = %refusal.code(), "recipient refused");
        rcpt.refuse(refusal)
    }

    async fn data(&mut self, begin: DataBegin) -> Answer {
        let Some(envelope) = &self.envelope else { return begin.refuse(local_error()) };
        let hint = envelope.mail.size.map_or(SizeHint::Unknown, SizeHint::Octets);
        match self.shared.store.stage(hint).await {
            Ok(stage) => {
                self.incoming = Some(Incoming::new(stage));
                begin.accept()
            }
            Err(error) => {
                tracing::error!(%error, "the store takes no message");
                begin.refuse(error::reply(&error))
            }
        }
    }

    /// Delivers, and answers when it is done and not before. The peer may be gone by then; the message is there all the
    /// same.
    async fn deliver(&mut self) -> Result<(), DriveError<Error>> {
        let for_each = self.session.config().protocol == Protocol::Lmtp;
        let id = self.shared.next_id();
        // Before the envelope is taken: the fields tell of it.
        let prefix = self.trace_fields(&id);
        let (Some(prefix), Some(envelope), Some(incoming)) = (prefix, self.envelope.take(), self.incoming.take())
        else {
            return self.answer(Answer::ToAll(local_error()));
        };
        tracing::debug!(%id, "delivering");
        let delivery = incoming.deliver(self.shared.store.clone(), envelope, prefix, for_each);
        let replies = spawned(delivery).await.unwrap_or_else(|| vec![local_error(); self.session.replies_owed()]);
        for reply in replies {
            tracing::info!(peer = %self.peer, %id, code = %reply.code(), "message");
            self.answer(reply.into())?;
        }
        Ok(())
    }

    fn trace_fields(&self, id: &str) -> Option<bytes::Bytes> {
        let envelope = self.envelope.as_ref()?;
        let arrival = Arrival {
            protocol: self.session.config().protocol,
            by: &self.session.config().host_name,
            hello: self.session.hello()?,
            peer: self.peer,
            tls: self.session.tls(),
            is_authenticated: self.session.identity().is_some(),
            smtp_utf8: envelope.mail.smtp_utf8,
            id,
            sender: &envelope.mail.path,
            only_recipient: envelope.only_recipient(),
            at: OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc()),
        };
        Some(arrival.fields())
    }

    async fn start_tls(&mut self, start_tls: StartTls) -> Result<(), DriveError<Error>> {
        let shared = Arc::clone(&self.shared);
        // STARTTLS is only offered with a configuration to carry it out by.
        let Some(tls) = &shared.tls else { return self.answer(start_tls.unavailable()) };
        self.forget();
        self.answer(start_tls.ready())?;
        Ok(self.driver.start_tls(&mut self.session, tls).await?)
    }

    /// Who guesses passwords waits; nobody's thread does.
    async fn delay(&mut self, failure: LoginFailure) {
        if failure.failure != Failure::Rejected {
            return;
        }
        tracing::info!(peer = %self.peer, rejected = failure.rejected, "login rejected");
        let beyond = failure.rejected.saturating_sub(PATIENCE);
        if let Some(doublings) = beyond.checked_sub(1) {
            let factor = 1_u32.checked_shl(u32::try_from(doublings).unwrap_or(u32::MAX)).unwrap_or(u32::MAX);
            self.driver.delay(self.shared.login_delay.saturating_mul(factor).min(LONGEST_DELAY)).await;
        }
    }
}

/// Runs a future to its end, whether anybody still waits for it or not. `None` if it panicked.
async fn spawned<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Option<T> {
    match tokio::spawn(future).await {
        Ok(output) => Some(output),
        Err(error) => {
            tracing::error!(%error, "a delivery ended by a panic in the store");
            None
        }
    }
}

fn local_error() -> Reply {
    Reply::of(451, Status::transient(3, 0), "local error, try again later")
}

fn usage(error: UsageError) -> DriveError<Error> {
    DriveError::Session(error.into())
}

#[cfg(test)]
mod tests {
    use mail_wire::io::{DriverOptions, Link, Shutdown};
    use mailstore_traits::memory::MemoryStore;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;
    use crate::server::Server;

    /// A client of a server that has no socket, so that time can stand still.
    async fn connect() -> BufReader<DuplexStream> {
        let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
        let server = Server::builder("mail.example.org").submission().allow_insecure_login(true).build(store);
        let (ours, theirs) = duplex(64 * 1024);
        let driver = Driver::new(Link::plain(theirs), DriverOptions::default(), Shutdown::never());
        tokio::spawn(Connection::new(server.shared, driver, IpAddr::from([192, 0, 2, 1])).run());
        let mut client = BufReader::new(ours);
        assert!(reply(&mut client).await.starts_with("220 "));
        client
    }

    async fn reply(client: &mut BufReader<DuplexStream>) -> String {
        let mut line = String::new();
        client.read_line(&mut line).await.unwrap();
        line
    }

    async fn say(client: &mut BufReader<DuplexStream>, line: &str) -> String {
        client.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        reply(client).await
    }

    #[tokio::test(start_paused = true)]
    async fn sec_a11_the_fourth_wrong_password_waits_and_each_further_one_twice_as_long() {
        let mut client = connect().await;
        say(&mut client, "HELO c").await;
        client.get_mut().write_all(b"EHLO c\r\n").await.unwrap();
        while !reply(&mut client).await.starts_with("250 ") {}
        for (count, seconds) in [0, 0, 0, 1, 2, 4, 8, 16, 16, 16].into_iter().enumerate() {
            let before = Instant::now();
            let said = say(&mut client, "AUTH PLAIN AGFkYUBleGFtcGxlLm9yZwB3cm9uZw==").await;
            assert_eq!(before.elapsed().as_secs(), seconds, "number {}", count + 1);
            assert!(said.starts_with(if count == 9 { "421 4.7.0 " } else { "535 5.7.8 " }), "{said}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sec_c1_one_octet_at_a_time_does_not_hold_a_connection() {
        let mut client = connect().await;
        let before = Instant::now();
        for octet in b"EHLO a-name-that-takes-a-very-long-time.example".chunks(1) {
            if client.get_mut().write_all(octet).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        assert_eq!(reply(&mut client).await, "421 4.4.2 mail.example.org timeout\r\n");
        assert!(before.elapsed() < Duration::from_secs(600));

        let mut client = connect().await;
        let before = Instant::now();
        assert_eq!(reply(&mut client).await, "421 4.4.2 mail.example.org timeout\r\n");
        assert_eq!(before.elapsed().as_secs(), 300, "RFC 5321 §4.5.3.2.7");
    }
}
