//! One connection: events become calls on store, authenticator, directory and policy, and their results answers.

use std::net::IpAddr;
use std::sync::Arc;

use mail_wire::io::{ConnectionId, DriveError, Driver, metrics};
use mail_wire::sasl::Failure;
use mailstore_traits::{Authenticator, Directory, MailStore};
use tracing::Instrument as _;

use super::Shared;
use super::policy::{Client, Policy};
use super::telemetry;
use super::transaction::Transaction;
use crate::command::{Told, Xclient};
use crate::error::{Error, UsageError};
use crate::response::{Reply, ReplyClass};
use crate::session::{Answer, Event, LoginFailure, Protocol, ServerSession, StartTls, Trust};

pub(super) struct Connection<S: MailStore, A, D, P> {
    pub(super) shared: Arc<Shared<S, A, D, P>>,
    driver: Driver,
    pub(super) session: ServerSession,
    pub(super) who: Who,
    pub(super) policy: P,
    pub(super) transaction: Option<Transaction<S>>,
    /// How many have begun.
    pub(super) transactions: u64,
}

/// What is known of a client beside what the session knows.
pub(super) struct Who {
    pub(super) id: ConnectionId,
    pub(super) address: IpAddr,
    pub(super) talked_early: bool,
}

impl Who {
    pub(super) fn client<'a>(&'a self, session: &'a ServerSession) -> Client<'a> {
        Client { session, id: self.id, address: self.address, talked_early: self.talked_early }
    }
}

impl<S: MailStore, A: Authenticator, D: Directory, P: Policy> Connection<S, A, D, P> {
    pub(super) fn new(shared: Arc<Shared<S, A, D, P>>, driver: Driver, id: ConnectionId, address: IpAddr) -> Self {
        let session = ServerSession::new(Arc::clone(&shared.config));
        let policy = shared.policy.clone();
        let who = Who { id, address, talked_early: false };
        Self { shared, driver, session, who, policy, transaction: None, transactions: 0 }
    }

    pub(super) async fn run(mut self) {
        match self.converse().await {
            Ok(()) => tracing::debug!("connection closed"),
            Err(error) => tracing::info!(%error, "connection ended"),
        }
        // What was staged and not delivered is dropped here, and the store forgets it.
        drop(self.transaction);
        let Self { shared, driver, session, who, policy, .. } = self;
        Box::pin(driver.close()).await;
        shared.patient(policy.disconnected(&who.client(&session))).await;
    }

    async fn converse(&mut self) -> Result<(), DriveError<Error>> {
        let shared = Arc::clone(&self.shared);
        if let Some(tls) = shared.tls.as_ref().filter(|_| shared.implicit_tls) {
            Box::pin(self.driver.start_tls(&mut self.session, tls)).await?;
        } else if self.session.config().protocol == Protocol::Smtp {
            // In TLS, and where it is our own users and queues who speak, it means nothing.
            self.who.talked_early = self.driver.talked_early(shared.greeting_delay).await?;
        }
        while let Some(event) = self.driver.next_event(&mut self.session).await? {
            let span = self.span();
            self.handle(event).instrument(span).await?;
        }
        Ok(())
    }

    async fn handle(&mut self, event: Event) -> Result<(), DriveError<Error>> {
        telemetry::command(self.shared.protocol(), &event);
        let client = self.who.client(&self.session);
        let answer = match event {
            Event::Data(octets) => {
                if let Some(incoming) = self.transaction.as_mut().and_then(|transaction| transaction.incoming.as_mut())
                {
                    incoming.write(octets).await;
                }
                return Ok(());
            }
            // What is large has its memory while it is done: a connection that waits is as large as all that it awaits
            // in place.
            Event::EndOfData(_) => return Box::pin(self.end_of_data()).await,
            Event::StartTls(start_tls) => return Box::pin(self.start_tls(start_tls)).await,
            Event::Connected(connected) => match self.shared.ask(self.policy.connected(&client)).await {
                Ok(()) => match self.shared.trust(self.who.address) {
                    nothing if nothing == Trust::none() => connected.greet(),
                    trust => connected.greet_trusted(trust),
                },
                Err(reply) => connected.refuse(reply),
            },
            Event::Hello(hello) => match self.shared.ask(self.policy.hello(&client, &hello)).await {
                Ok(()) => {
                    self.forget();
                    hello.accept()
                }
                Err(reply) => hello.refuse(reply),
            },
            Event::Mail(mail) => self.mail(mail).await,
            Event::Rcpt(rcpt) => self.rcpt(rcpt).await,
            Event::DataBegin(begin) => self.data(begin).await,
            Event::EndOfChunk(end) => match self.trouble() {
                // The rest of the message need not come.
                Some(reply) => {
                    self.forget();
                    end.refuse(reply)
                }
                None => end.accept(),
            },
            Event::Xclient(xclient) => self.xclient(&xclient).await,
            Event::Xforward(xforward) => {
                tracing::info!(?xforward, "the next message comes from elsewhere");
                xforward.accept()
            }
            Event::Rset => {
                self.forget();
                Event::Rset.default_answer()
            }
            Event::Vrfy(vrfy) => {
                let said = self.shared.patient(self.policy.vrfy(&client, &vrfy)).await.flatten();
                said_or(said, Event::Vrfy(vrfy))
            }
            Event::Expn(expn) => {
                let said = self.shared.patient(self.policy.expn(&client, &expn)).await.flatten();
                said_or(said, Event::Expn(expn))
            }
            Event::Help(help) => {
                let said = self.shared.patient(self.policy.help(&client, &help)).await.flatten();
                said_or(said, Event::Help(help))
            }
            Event::Credentials(query) => Box::pin(self.shared.authenticator.answer(query)).await.into(),
            Event::Authenticated(ref identity) => {
                tracing::info!(account = %identity.account, mechanism = %identity.mechanism, "logged in");
                metrics::login(self.shared.protocol(), identity.mechanism.name(), "ok");
                event.default_answer()
            }
            Event::AuthenticationFailed(failure) => {
                telemetry::failed_login(self.shared.protocol(), failure.failure);
                self.delay(failure).await;
                failure.default_answer()
            }
            Event::Rejected(rejection) => {
                tracing::debug!(%rejection, "rejected");
                if rejection.ends_message() {
                    metrics::message(self.shared.protocol(), "refused");
                    self.forget();
                }
                rejection.default_answer()
            }
            event => event.default_answer(),
        };
        self.answer(answer)
    }

    pub(super) fn answer(&mut self, answer: Answer) -> Result<(), DriveError<Error>> {
        let output = self.driver.output();
        let before = output.len();
        self.session.answer(answer, output).map_err(usage)?;
        telemetry::replies(self.shared.protocol(), output.get(before..).unwrap_or_default());
        Ok(())
    }

    /// From here on the connection is another client's: the policy begins anew, and what the peer said for itself is
    /// forgotten.
    async fn xclient(&mut self, xclient: &Xclient) -> Answer {
        self.forget();
        let address = xclient.addr.as_ref().and_then(Told::value).copied().unwrap_or(self.who.address);
        let who = Who { address, ..self.who };
        let mut policy = self.shared.policy.clone();
        match self.shared.ask(policy.connected(&who.client(&self.session))).await {
            Ok(()) => {
                tracing::info!(%address, "the connection is another client's");
                (self.who, self.policy) = (who, policy);
                xclient.accept()
            }
            Err(reply) => xclient.refuse(reply),
        }
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
        tracing::info!(rejected = failure.rejected, "login rejected");
        if let Some(delay) = self.shared.login_delay.of(failure.failure, failure.rejected) {
            self.driver.delay(delay).await;
        }
    }
}

/// What a policy says to a question, or what is said without one.
fn said_or(said: Option<Reply>, event: Event) -> Answer {
    match said {
        // Neither lets anything begin: that is no answer to a question.
        Some(reply) if reply.class() != ReplyClass::Intermediate => reply.into(),
        _ => event.default_answer(),
    }
}

fn usage(error: UsageError) -> DriveError<Error> {
    DriveError::Session(error.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        tokio::spawn(Connection::new(server.shared, driver, ConnectionId::new(), IpAddr::from([192, 0, 2, 1])).run());
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
    async fn sec_c4_who_talks_before_the_greeting_is_refused_where_servers_send_mail() {
        let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
        let builder = || Server::builder("mail.example.org").greeting_delay(Duration::from_secs(2));
        for (builder, early, expected) in [
            (builder(), true, "554 you talk before the greeting\r\n"),
            (builder(), false, "220 mail.example.org ESMTP\r\n"),
            (builder().submission(), true, "220 mail.example.org ESMTP\r\n"),
            (builder().lmtp(), true, "220 mail.example.org LMTP\r\n"),
        ] {
            let server = builder.build(store.clone());
            let (ours, theirs) = duplex(64 * 1024);
            let driver = Driver::new(Link::plain(theirs), DriverOptions::default(), Shutdown::never());
            let address = IpAddr::from([192, 0, 2, 1]);
            tokio::spawn(Connection::new(server.shared, driver, ConnectionId::new(), address).run());
            let mut client = BufReader::new(ours);
            if early {
                tokio::time::sleep(Duration::from_secs(1)).await;
                client.get_mut().write_all(b"HELO client.example.net\r\n").await.unwrap();
            }
            assert_eq!(reply(&mut client).await, expected);
            if !early {
                client.get_mut().write_all(b"HELO client.example.net\r\n").await.unwrap();
            }
            // What was said too early is not lost, and not believed either.
            let expected = if expected.starts_with("554") { "503 " } else { "" };
            assert!(reply(&mut client).await.starts_with(expected));
        }
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
