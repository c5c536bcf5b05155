//! An IMAP server over a store in memory, with a certificate made on the spot and a few messages to look at.
//!
//! ```sh
//! cargo run -p pillarbox-examples --example imap_memory_server
//! curl -k --ssl-reqd 'imap://127.0.0.1:2143/INBOX;MAILINDEX=1' -u 'ada@example.org:correct horse'
//! ```
//!
//! Give another address as the first argument. Any mail client will do: STARTTLS, no check of the certificate.
#![allow(clippy::print_stdout)]

use std::error::Error;

use bytes::Bytes;
use mail_message::Digest;
use mail_wire::io::TlsConfig;
use mailstore_traits::memory::MemoryStore;
use mailstore_traits::{
    Account, AccountId, Actor, MailStore, MailboxName, Mode, Placement, SizeHint, SpecialUse, Stage,
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
    fill(&store, "ada@example.org").await?;

    let made = rcgen::generate_simple_self_signed([String::from("localhost")])?;
    let tls = TlsConfig::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes())?;
    let server = imap_proto::server::Server::builder("mail.example.org").tls(tls).build(store);

    let address = std::env::args().nth(1).unwrap_or_else(|| String::from("127.0.0.1:2143"));
    let listener = TcpListener::bind(address).await?;
    println!("IMAP on {}", listener.local_addr()?);
    println!("ada@example.org, password: correct horse");
    server.serve(listener).await?;
    Ok(())
}

/// What a host does that puts mail into a mailbox itself: stage it, then place it.
async fn fill(store: &MemoryStore, account: &str) -> Result<(), Box<dyn Error>> {
    let account = AccountId::new(account);
    let ada = store.open(&account, &Actor::Service).await?;
    for (name, special_use) in
        [("Sent", SpecialUse::Sent), ("Drafts", SpecialUse::Drafts), ("Trash", SpecialUse::Trash)]
    {
        ada.create(&MailboxName::parse(name)?, Some(special_use)).await?;
    }
    let inbox = ada.find(&MailboxName::inbox()).await?;
    for number in 1..=3 {
        let message = format!(
            "From: Charles Babbage <charles@example.net>\r\nTo: ada@example.org\r\nSubject: Note {number}\r\n\
             Date: Mon, 23 Nov 2026 09:0{number}:00 +0000\r\nMessage-ID: <{number}@example.net>\r\n\r\n\
             The engine weaves algebraical patterns.\r\n"
        );
        let mut stage = Account::stage(&ada, SizeHint::Octets(message.len() as u64)).await?;
        // The engine's own look at it, once: FETCH and SEARCH then read no body for a list of messages.
        let digest = Digest::of(message.as_bytes());
        stage.write(Bytes::from(message)).await?;
        let blob = stage.finish(Some(digest.to_octets())).await?;
        for placed in ada.commit(vec![Placement::new(blob, inbox.clone())], Mode::PerTarget).await? {
            placed?;
        }
    }
    Ok(())
}
