//! SMTP, IMAP and POP3 over one store in memory, with a certificate made on the spot.
//!
//! ```sh
//! cargo run -p pillarbox-examples --example all_in_one
//! curl -k --ssl-reqd smtp://127.0.0.1:2525 --mail-from me@example.net --mail-rcpt ada@example.org -T README.md
//! curl -k --ssl-reqd pop3://127.0.0.1:1110/1 -u 'ada@example.org:correct horse'
//! curl -k --ssl-reqd 'imap://127.0.0.1:2143/INBOX;MAILINDEX=1' -u 'ada@example.org:correct horse'
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;

use mail_wire::io::TlsConfig;
use mailstore_traits::memory::MemoryStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
    let made = rcgen::generate_simple_self_signed([String::from("localhost")])?;
    let tls = TlsConfig::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes())?;

    let smtp = smtp_proto::server::Server::builder("mail.example.org").tls(tls.clone()).build(store.clone());
    let pop3 = pop3_proto::server::Server::builder("mail.example.org").tls(tls.clone()).build(store.clone());
    let imap = imap_proto::server::Server::builder("mail.example.org").tls(tls).build(store);

    let mut addresses = std::env::args().skip(1);
    let smtp_listener = TcpListener::bind(addresses.next().unwrap_or_else(|| String::from("127.0.0.1:2525"))).await?;
    let pop3_listener = TcpListener::bind(addresses.next().unwrap_or_else(|| String::from("127.0.0.1:1110"))).await?;
    let imap_listener = TcpListener::bind(addresses.next().unwrap_or_else(|| String::from("127.0.0.1:2143"))).await?;
    println!("SMTP on {}, POP3 on {}", smtp_listener.local_addr()?, pop3_listener.local_addr()?);
    println!("IMAP on {}", imap_listener.local_addr()?);
    println!("ada@example.org, password: correct horse");
    tokio::try_join!(smtp.serve(smtp_listener), pop3.serve(pop3_listener), imap.serve(imap_listener))?;
    Ok(())
}
