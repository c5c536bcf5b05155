//! A store of one's own: a folder of `.eml` files, served by IMAP and POP3 to anybody who knows the password.
//!
//! It only reads, so a dozen methods are all; what it does not have says so by itself. A store that is written to has the
//! contract kit to run on it, `mailstore_traits::contract`; its tests begin by putting mail in.
//!
//! ```sh
//! cargo run -p pillarbox-examples --example own_store -- FOLDER [POP3-ADDRESS [IMAP-ADDRESS]]
//! curl pop3://127.0.0.1:1110/ -u reader:letmein
//! curl 'imap://127.0.0.1:2143/INBOX?ALL' -u reader:letmein
//! ```
//!
//! Nothing here knows a sequence number, a flag's news, a section or a search: the engines make all of that of what the
//! contract asks for.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use mailstore_traits::{
    Access, Account, AccountId, Actor, Authenticator, Body, ByteRange, Changes, EmailId, ErrorKind, ListHint,
    MailStore, MailboxId, MailboxInfo, MailboxName, MailboxStatus, MaildropLease, MessageDigest, MessageMeta,
    MetaFields, MetaFilter, ModSeq, Mode, Placed, Result, Secret, SizeHint, Snapshot, Stage, StoreFeatures, Target,
    Timestamp, Uid, UidSet, UidValidity, UserName,
};
use tokio::net::TcpListener;

/// The files of a folder, by name, as they were when it was opened. UID 1 is the first of them.
#[derive(Debug, Clone)]
struct Folder(Arc<[(PathBuf, Bytes)]>);

impl Folder {
    fn open(folder: &Path) -> std::io::Result<Self> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "eml") {
                // The contract wants CRLF line ends; files often have others.
                let text = String::from_utf8_lossy(&std::fs::read(&path)?).replace("\r\n", "\n").replace('\n', "\r\n");
                files.push((path, Bytes::from(text)));
            }
        }
        files.sort();
        Ok(Self(files.into()))
    }

    fn messages(&self) -> impl Iterator<Item = (Uid, &Bytes)> {
        self.0.iter().zip(1..).filter_map(|((_, octets), uid)| Some((Uid::new(uid)?, octets)))
    }

    fn message(&self, uid: Uid) -> Option<&Bytes> {
        self.messages().find(|(found, _)| *found == uid).map(|(_, octets)| octets)
    }

    fn id() -> Result<MailboxId> {
        MailboxId::new("inbox").map_err(|_| ErrorKind::Internal.into())
    }

    /// There is one mailbox; whatever else is asked for does not exist.
    fn check(mailbox: &MailboxId) -> Result<()> {
        if *mailbox == Self::id()? { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }
}

/// There is no way in.
#[derive(Debug)]
enum NoStage {}

impl Stage for NoStage {
    type Blob = ();

    async fn write(&mut self, _: Bytes) -> Result<()> {
        match *self {}
    }

    async fn finish(self, _: Option<MessageDigest>) -> Result<()> {
        match self {}
    }
}

impl MailStore for Folder {
    type Account = Self;
    type Stage = NoStage;
    type Blob = ();

    fn features(&self) -> StoreFeatures {
        let mut features = StoreFeatures::read_only();
        features.maildrop_lease = true;
        features
    }

    async fn open(&self, _: &AccountId, _: &Actor) -> Result<Self> {
        Ok(self.clone())
    }

    async fn stage(&self, _: SizeHint) -> Result<NoStage> {
        Err(ErrorKind::NotPermitted.into())
    }

    async fn read_blob(&self, (): &(), _: ByteRange) -> Result<Body> {
        Err(ErrorKind::Invalid.into())
    }

    async fn deliver(&self, (): &(), _: Vec<Target>, _: Mode) -> Result<Vec<Result<Placed>>> {
        Err(ErrorKind::NotPermitted.into())
    }
}

impl Account for Folder {
    type Blob = ();
    type Stage = NoStage;

    fn features(&self) -> StoreFeatures {
        MailStore::features(self)
    }

    fn list(&self, _: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        stream::iter([Self::id().map(|id| MailboxInfo::new(MailboxName::inbox(), Some(id)))])
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        if name.is_inbox() { Self::id() } else { Err(ErrorKind::NotFound.into()) }
    }

    async fn status(&self, mailboxes: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        let there = mailboxes.iter().filter(|mailbox| Self::check(mailbox).is_ok());
        Ok(there
            .map(|id| {
                let mut status = MailboxStatus::empty(id.clone(), UidValidity::MIN, ModSeq::MIN);
                status.messages = self.messages().count() as u64;
                status.unseen = status.messages;
                status.size = self.messages().map(|(_, octets)| octets.len() as u64).sum();
                status.uid_next = self.messages().last().map_or(Some(Uid::MIN), |(uid, _)| uid.next());
                status
            })
            .collect())
    }

    async fn snapshot(&self, mailbox: &MailboxId, _: bool) -> Result<Snapshot> {
        Self::check(mailbox)?;
        let mut snapshot = Snapshot::empty(UidValidity::MIN, ModSeq::MIN);
        snapshot.uids = self.messages().map(|(uid, _)| uid).collect();
        snapshot.uid_next = snapshot.uids.last().map_or(Some(Uid::MIN), Uid::next);
        snapshot.first_unseen = snapshot.uids.first();
        snapshot.access = Access::ReadOnly;
        Ok(snapshot)
    }

    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        _: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        let found: Vec<_> = match Self::check(mailbox) {
            Err(error) => vec![Err(error)],
            Ok(()) if filter.changed_since.is_some() => Vec::new(),
            Ok(()) => self
                .messages()
                .filter(|(uid, _)| uids.contains(*uid))
                .map(|(uid, octets)| {
                    let id = EmailId::new(format!("file-{uid}")).map_err(|_| ErrorKind::Internal)?;
                    Ok(MessageMeta::new(uid, ModSeq::MIN, octets.len() as u64, Timestamp::from_unix(0), id))
                })
                .collect(),
        };
        stream::iter(found)
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        Self::check(mailbox)?;
        let octets = self.message(uid).ok_or(ErrorKind::Expunged)?;
        let wanted = range.within(octets.len() as u64);
        let at = |offset: u64| usize::try_from(offset).unwrap_or(octets.len());
        Ok(Body::from_bytes(octets.slice(at(wanted.start)..at(wanted.end))))
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, _: usize) -> Result<Changes> {
        Self::check(mailbox)?;
        if since == ModSeq::MIN { Ok(Changes::none(since)) } else { Err(ErrorKind::ModSeqTooOld.into()) }
    }

    async fn watch(&self, _: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        Ok(stream::pending())
    }

    /// Nothing can be removed, so two readers do not disturb each other.
    async fn lease_maildrop(&self, mailbox: &MailboxId) -> Result<MaildropLease> {
        Self::check(mailbox)?;
        Ok(MaildropLease::new(()))
    }
}

/// One user. A real host hashes passwords; this one shows where that would be done.
#[derive(Debug, Clone)]
struct Reader;

impl Authenticator for Reader {
    async fn check_password(&self, user: &UserName, password: &Secret<String>) -> Result<Option<AccountId>> {
        let known = user.as_str() == "reader" && password.expose() == "letmein";
        Ok(known.then(|| AccountId::new("reader")))
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: own_store FOLDER [POP3-ADDRESS [IMAP-ADDRESS]]")?;
    let store = Folder::open(Path::new(&folder))?;
    let pop3_listener = TcpListener::bind(arguments.next().unwrap_or_else(|| String::from("127.0.0.1:1110"))).await?;
    let imap_listener = TcpListener::bind(arguments.next().unwrap_or_else(|| String::from("127.0.0.1:2143"))).await?;
    println!("{} messages, POP3 on {}", store.messages().count(), pop3_listener.local_addr()?);
    println!("IMAP on {}", imap_listener.local_addr()?);
    println!("user reader, password letmein");
    let pop3 =
        pop3_proto::server::Server::builder("localhost").allow_insecure_login(true).build_with(store.clone(), Reader);
    let imap = imap_proto::server::Server::builder("localhost").allow_insecure_login(true).build_with(store, Reader);
    tokio::try_join!(pop3.serve(pop3_listener), imap.serve(imap_listener))?;
    Ok(())
}
