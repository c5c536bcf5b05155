//! A client of a server over the memory store, on a pipe, which keeps a model of what it has been told.

use bytes::BytesMut;
use imap_proto::Server;
use imap_proto::grammar::Dialect;
use imap_proto::response::{Data, FetchItem, Response, ResponseReader, Status, StatusKind};
use mail_wire::io::{Link, Shutdown};
use mailstore_traits::memory::MemoryStore;
use mailstore_traits::{Authenticator, Flags, MailStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// What has been told of a message.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) uid: Option<u32>,
    pub(super) flags: Option<Flags>,
}

/// Whose model of the mailbox must hold whatever comes.
pub(super) struct Client {
    socket: DuplexStream,
    reader: ResponseReader,
    input: BytesMut,
    /// By number: the first is 1.
    pub(super) messages: Vec<Known>,
    /// What the last SEARCH has found.
    pub(super) found: Vec<u32>,
    /// The command under way may not hear of EXPUNGE (RFC 9051 §7.5.1).
    by_number: bool,
}

/// A server that knows ada, over a store of its own.
pub(super) fn server() -> Server<MemoryStore, MemoryStore> {
    let store = MemoryStore::new().with_account("ada", "secret");
    Server::builder("mail.example.org").allow_insecure_login(true).build(store)
}

impl Client {
    /// Logged in as ada.
    pub(super) async fn connect<S: MailStore, A: Authenticator>(server: &Server<S, A>) -> Self {
        let (socket, far) = tokio::io::duplex(64 * 1024);
        let server = server.clone();
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        tokio::spawn(async move { server.serve_link(Link::plain(far), peer, Shutdown::never()).await });
        let mut client = Self {
            socket,
            reader: ResponseReader::default(),
            input: BytesMut::new(),
            messages: Vec::new(),
            found: Vec::new(),
            by_number: false,
        };
        assert!(matches!(client.next().await, Some(Response::Status(None, _))), "a greeting");
        let status = client.command("LOGIN ada secret").await.expect("an answer");
        assert_eq!(status.kind, StatusKind::Ok);
        client
    }

    /// `None` at the end.
    async fn next(&mut self) -> Option<Response> {
        loop {
            if let Some(response) = self.reader.next(&mut self.input, Dialect::ASCII) {
                return Some(response.expect("our own reader understands it"));
            }
            if self.socket.read_buf(&mut self.input).await.expect("a pipe does not fail") == 0 {
                assert!(self.input.is_empty(), "the last response is whole");
                return None;
            }
        }
    }

    /// Sends a command and heeds its answer. `None` if the server has said BYE.
    pub(super) async fn command(&mut self, command: &str) -> Option<Status> {
        self.send(format!("t {command}\r\n").as_bytes()).await
    }

    /// Sends octets that are one command with the tag `t`, if they are one.
    pub(super) async fn send(&mut self, octets: &[u8]) -> Option<Status> {
        let verb = octets.split(|&octet| octet == b' ').nth(1).unwrap_or_default();
        self.by_number = [&b"FETCH"[..], b"STORE", b"SEARCH"].contains(&verb);
        // A server that has closed takes nothing more, and has said why.
        let _ = self.socket.write_all(octets).await;
        loop {
            match self.next().await? {
                Response::Status(Some(tag), status) => {
                    assert_eq!(tag.as_str(), "t");
                    return Some(status);
                }
                Response::Status(None, status) if status.kind == StatusKind::Bye => return None,
                // What cannot be read has no tag to be answered by.
                Response::Status(None, status) if status.kind == StatusKind::Bad => return Some(status),
                Response::Data(data) => self.heed(data),
                _ => {}
            }
        }
    }

    fn heed(&mut self, data: Data) {
        match data {
            Data::Exists(count) => {
                let count = count as usize;
                assert!(count >= self.messages.len(), "EXISTS only grows");
                self.messages.resize(count, Known::default());
            }
            Data::Expunge(number) => {
                assert!(!self.by_number, "EXPUNGE while numbers are in use");
                let at = (number as usize).checked_sub(1).filter(|at| *at < self.messages.len());
                self.messages.remove(at.expect("EXPUNGE of a message"));
            }
            Data::Fetch(number, items) => {
                let at = (number as usize).checked_sub(1).filter(|at| *at < self.messages.len());
                let known = &mut self.messages[at.expect("FETCH of a message")];
                for item in items {
                    match item {
                        FetchItem::Uid(uid) => {
                            assert!(known.uid.is_none_or(|known| known == uid.value()), "a UID stays");
                            known.uid = Some(uid.value());
                        }
                        FetchItem::Flags(flags, _) => known.flags = Some(flags),
                        _ => {}
                    }
                }
                let uids = self.messages.iter().filter_map(|message| message.uid);
                assert!(uids.is_sorted_by(|one, other| one < other), "UIDs rise");
            }
            Data::Search(numbers, _) => self.found = numbers,
            _ => {}
        }
    }
}
