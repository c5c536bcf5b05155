//! The three servers over one store, and a client that speaks to them as a person at a terminal would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail_wire::io::{Link, Shutdown};
use mailstore_traits::contract::ACCOUNTS;
use mailstore_traits::{
    AccountId, Authenticator, Destination, Directory, MailStore, Recipient, Resolution, Result, Secret, UserName,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::{Check, Stop};

/// How long a server may take for an answer: long enough for any machine, short enough to be waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lets everybody in who has an account, and knows whose address is whose.
#[derive(Debug, Clone)]
pub(crate) struct Doorman;

impl Authenticator for Doorman {
    async fn check_password(&self, user: &UserName, _: &Secret<String>) -> Result<Option<AccountId>> {
        Ok(ACCOUNTS.contains(&user.as_str()).then(|| AccountId::from(user.as_str())))
    }
}

impl Directory for Doorman {
    async fn resolve(&self, recipient: &Recipient) -> Result<Resolution> {
        let address = format!("{}@{}", recipient.local_part, recipient.domain.as_deref().unwrap_or_default());
        Ok(match ACCOUNTS.contains(&address.as_str()) {
            true => Resolution::Local(vec![Destination::inbox(AccountId::from(address.as_str()))]),
            false => Resolution::NotLocal,
        })
    }
}

/// Servers over a store.
pub(crate) struct House<S: MailStore> {
    smtp: Arc<smtp_proto::server::Server<S, Doorman, Doorman>>,
    lmtp: Arc<smtp_proto::server::Server<S, Doorman, Doorman>>,
    imap: Arc<imap_proto::server::Server<S, Doorman>>,
    pop3: Arc<pop3_proto::server::Server<S, Doorman>>,
}

impl<S: MailStore> House<S> {
    pub(crate) fn over(store: &S) -> Self {
        const NAME: &str = "mail.example.org";
        let smtp = || smtp_proto::server::Server::builder(NAME);
        Self {
            smtp: Arc::new(smtp().build_with(store.clone(), Doorman, Doorman)),
            lmtp: Arc::new(smtp().lmtp().build_with(store.clone(), Doorman, Doorman)),
            imap: Arc::new(
                imap_proto::server::Server::builder(NAME).allow_insecure_login(true).build_with(store.clone(), Doorman),
            ),
            pop3: Arc::new(
                pop3_proto::server::Server::builder(NAME).allow_insecure_login(true).build_with(store.clone(), Doorman),
            ),
        }
    }

    /// A connection that has been greeted, and has said EHLO.
    pub(crate) async fn smtp(&self) -> Check<Client> {
        let server = Arc::clone(&self.smtp);
        let mut client = Client::of(|link, peer| async move { server.serve_link(link, peer, Shutdown::never()).await });
        client.reply().await?;
        client.smtp("EHLO client.example.org").await?;
        Ok(client)
    }

    /// The same by LMTP.
    pub(crate) async fn lmtp(&self) -> Check<Client> {
        let server = Arc::clone(&self.lmtp);
        let mut client = Client::of(|link, peer| async move { server.serve_link(link, peer, Shutdown::never()).await });
        client.reply().await?;
        client.smtp("LHLO client.example.org").await?;
        Ok(client)
    }

    /// A connection that has been greeted.
    pub(crate) async fn imap(&self) -> Check<Client> {
        let server = Arc::clone(&self.imap);
        let mut client = Client::of(|link, peer| async move { server.serve_link(link, peer, Shutdown::never()).await });
        client.line().await?;
        Ok(client)
    }

    /// The same, with the first account logged in.
    pub(crate) async fn imap_in(&self) -> Check<Client> {
        let mut client = self.imap().await?;
        client.imap_ok(&format!("LOGIN {} x", ACCOUNTS[0])).await?;
        Ok(client)
    }

    /// A connection that has been greeted.
    pub(crate) async fn pop3(&self) -> Check<Client> {
        let server = Arc::clone(&self.pop3);
        let mut client = Client::of(|link, peer| async move { server.serve_link(link, peer, Shutdown::never()).await });
        client.line().await?;
        Ok(client)
    }
}

/// A connection, and all that the server has said on it.
pub(crate) struct Client {
    stream: DuplexStream,
    heard: Vec<u8>,
    /// So far it has been read.
    read: usize,
    tags: u32,
}

impl Client {
    fn of<W: Future<Output = ()> + Send + 'static>(serve: impl FnOnce(Link, SocketAddr) -> W) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve(Link::plain(theirs), SocketAddr::from(([127, 0, 0, 1], 4321))));
        Self { stream: ours, heard: Vec::new(), read: 0, tags: 0 }
    }

    /// Everything that the server has said.
    pub(crate) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    fn lately(&self) -> String {
        let heard = self.heard();
        let lines: Vec<_> = heard.lines().rev().take(4).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("; ")
    }

    /// Sends octets as they are.
    pub(crate) async fn send(&mut self, octets: &str) -> Check {
        self.stream.write_all(octets.as_bytes()).await.map_err(Stop::failed)
    }

    /// The next line, without its CRLF.
    pub(crate) async fn line(&mut self) -> Check<String> {
        loop {
            let unread = self.heard.get(self.read..).unwrap_or_default();
            if let Some(end) = unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(unread.get(..end).unwrap_or_default()).into_owned();
                self.read = self.read.saturating_add(end).saturating_add(2);
                return Ok(line);
            }
            let mut chunk = [0; 4096];
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut chunk)).await;
            let read = read
                .map_err(|_| Stop::failed(format!("no answer within {PATIENCE:?}; it said last: {}", self.lately())))?;
            match read.map_err(Stop::failed)? {
                0 => {
                    return Err(Stop::failed(format!(
                        "the server closed the connection; it said last: {}",
                        self.lately()
                    )));
                }
                octets => self.heard.extend_from_slice(chunk.get(..octets).unwrap_or_default()),
            }
        }
    }

    /// The last line of a reply of SMTP.
    pub(crate) async fn reply(&mut self) -> Check<String> {
        loop {
            let line = self.line().await?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    }

    /// A command of SMTP, and the last line of its reply.
    pub(crate) async fn smtp(&mut self, command: &str) -> Check<String> {
        self.send(&format!("{command}\r\n")).await?;
        self.reply().await
    }

    /// A command of POP3, and the first line of its answer.
    pub(crate) async fn pop3(&mut self, command: &str) -> Check<String> {
        self.send(&format!("{command}\r\n")).await?;
        self.line().await
    }

    /// The rest of an answer of POP3 that has several lines.
    pub(crate) async fn pop3_rest(&mut self) -> Check<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            match self.line().await? {
                line if line == "." => return Ok(lines),
                line => lines.push(line),
            }
        }
    }

    /// A command of IMAP: what is untagged, and the tagged answer without its tag. A literal in it is sent when it is
    /// asked for.
    pub(crate) async fn imap(&mut self, command: &str) -> Check<(Vec<String>, String)> {
        self.tags = self.tags.saturating_add(1);
        let tag = format!("t{} ", self.tags);
        let (first, literal) = command.split_once("\r\n").unwrap_or((command, ""));
        self.send(&format!("{tag}{first}\r\n")).await?;
        let mut untagged = Vec::new();
        loop {
            let line = self.line().await?;
            if line.starts_with('+') {
                self.send(&format!("{literal}\r\n")).await?;
            } else if let Some(answer) = line.strip_prefix(&tag) {
                return Ok((untagged, answer.to_owned()));
            } else {
                untagged.push(line);
            }
        }
    }

    /// One that has to be answered with OK.
    pub(crate) async fn imap_ok(&mut self, command: &str) -> Check<Vec<String>> {
        let (untagged, answer) = self.imap(command).await?;
        crate::ensure!(answer.starts_with("OK"), "{command:?} was answered {answer:?}");
        Ok(untagged)
    }
}
