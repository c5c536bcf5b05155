//! SPF, DKIM and DMARC, by the mail-auth crate, as a host's policy.
//!
//! The client's address and names are checked at MAIL (SPF, RFC 7208), the message when it has come whole (DKIM, RFC 6376,
//! and DMARC, RFC 9989). What came of it stands in front of the message as Authentication-Results (RFC 8601); a field
//! that came with the message and says that it is from here is taken out. What its domain wants refused is refused, what
//! it wants in quarantine goes to Junk. Where a name server does not answer the result is `temperror`, and the message is
//! delivered: RFC 9989 leaves it to the host, and a 4yz in place of it is one line.
//!
//! ```sh
//! cargo run -p pillarbox-examples --example smtp_authenticated_results -- --dns 9.9.9.9:53
//! curl smtp://127.0.0.1:2525 --mail-from me@example.net --mail-rcpt ada@example.org -T MESSAGE.eml
//! curl pop3://127.0.0.1:1110/1 -u 'ada@example.org:correct horse'
//! ```
//!
//! Without `--dns` the system's resolver is asked. Other arguments: `--smtp ADDRESS`, `--pop3 ADDRESS`. All in clear, so
//! do not run it where others reach it.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail_auth::dmarc::Policy as Wish;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use mail_auth::hickory_resolver::system_conf::read_system_conf;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, AuthenticationResults, DkimOutput, DmarcOutput, DmarcResult, MessageAuthenticator, SpfOutput,
};
use mailstore_traits::memory::MemoryStore;
use mailstore_traits::{ErrorKind, MailboxName};
use smtp_proto::Reply;
use smtp_proto::command::Mail;
use smtp_proto::grammar::{EnhancedStatusCode as Status, Host, ReplyText};
use smtp_proto::server::policy::{
    Client, Delivery, Disposition, HeaderField, InvalidField, Policy, StagedMessage, Verdict,
};
use smtp_proto::server::{Envelope, Server};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Who says so: RFC 8601 §2.5, `authserv-id`.
const HERE: &str = "mail.example.org";
const FIELD: &str = "Authentication-Results";
/// A message with a larger body is not read back to check its signatures; it would lie in memory as a whole.
const MAX_CHECKED: usize = 8 * 1024 * 1024;
/// Nor one with more signatures: each may hash the body once more and asks for a key.
const MAX_SIGNATURES: usize = 8;
/// Messages that lie in memory at a time: 256 MiB, however many connections there are. The others wait.
const MAX_CHECKS: usize = 32;
/// An author's name server that does not answer is not to keep the others waiting.
const DNS_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Checks {
    dns: MessageAuthenticator,
    checks: Arc<Semaphore>,
    /// This connection's message: what SPF says.
    spf: Option<Spf>,
}

#[derive(Clone)]
struct Spf {
    hello: String,
    /// With the null path the sender is postmaster at the name of the hello (RFC 7208 §2.4).
    sender: String,
    of_hello: SpfOutput,
    of_sender: SpfOutput,
}

impl Policy for Checks {
    async fn mail(&mut self, client: &Client<'_>, mail: &Mail) -> Verdict {
        self.spf = None;
        // Who has logged in is one of ours, and sends from wherever they are.
        if client.identity().is_some() {
            return Verdict::Accept;
        }
        let ip = client.address();
        // An address literal is no name that SPF could be asked for; then the result is `none`.
        let hello = match client.hello().map(|hello| &hello.name) {
            Some(Host::Domain(domain)) => domain.to_string(),
            _ => String::new(),
        };
        let sender = match mail.path.address() {
            Some(address) => address.to_string(),
            None if hello.is_empty() => String::new(),
            None => format!("postmaster@{hello}"),
        };
        let of_hello = self.dns.verify_spf(SpfParameters::verify_ehlo(ip, &hello, HERE)).await;
        let of_sender = match mail.path.is_null() {
            true => of_hello.clone(),
            false => self.dns.verify_spf(SpfParameters::verify_mail_from(ip, &hello, HERE, &sender)).await,
        };
        self.spf = Some(Spf { hello, sender, of_hello, of_sender });
        Verdict::Accept
    }

    async fn message(&mut self, client: &Client<'_>, _: &Envelope, message: &StagedMessage<'_>) -> Disposition {
        let header = match message.header().await {
            Ok(header) => header,
            Err(error) if error.kind() == ErrorKind::TooBig => {
                return Disposition::refuse(Reply::of(554, Status::permanent(6, 0), "the header is too large"));
            }
            Err(_) => return come_again(),
        };
        let mut delivery = header.named(FIELD).filter(|entry| is_from_here(entry.value())).fold(
            Delivery::new(),
            // RFC 8601 §5: nobody but this server says what this server has found.
            |delivery, entry| delivery.without(&entry),
        );
        let Some(spf) = self.spf.take() else { return delivery.into() };
        // RFC 5322 §3.6 allows one. With two each reader shows another, and DMARC would look at one of them.
        if header.named("From").count() > 1 {
            return Disposition::refuse(Reply::of(550, Status::permanent(7, 1), "more than one From field"));
        }

        let Ok(_permit) = self.checks.acquire().await else { return come_again() };
        let signatures = header.named("DKIM-Signature").count();
        let checked = match message.octets(MAX_CHECKED).await {
            Ok(octets) if signatures <= MAX_SIGNATURES => Some(octets),
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::TooBig => None,
            Err(_) => return come_again(),
        };
        let octets = checked.as_ref().unwrap_or_else(|| header.octets());
        // Hashing is long work for a thread on which others' connections wait.
        let parsed = tokio::task::block_in_place(|| AuthenticatedMessage::parse(octets)).unwrap_or_default();
        let dkim = match checked {
            Some(_) => self.dns.verify_dkim(&parsed).await,
            None => not_checked(&parsed),
        };
        let domain = spf.of_sender.domain();
        let dmarc = self.dns.verify_dmarc(DmarcParameters::new(&parsed, &dkim, domain, &spf.of_sender)).await;

        let Ok(field) = results(client, &spf, checked.as_ref().map(|_| &*dkim), &dmarc) else { return come_again() };
        println!("{}", field.value());
        delivery = delivery.with_field(field);
        match (dmarc.result(), dmarc.policy()) {
            (DmarcResult::Fail(_), Wish::Reject) => {
                let author = dmarc.domain();
                let reply = Reply::of(550, Status::permanent(7, 1), "this message is not from whom it says it is from")
                    .with_line(ReplyText::lossy(&format!("{author} wants such messages refused (DMARC, RFC 9989)")));
                Disposition::refuse(reply)
            }
            (DmarcResult::Fail(_), Wish::Quarantine) => match MailboxName::parse("Junk") {
                Ok(junk) => delivery.into_mailbox(junk).into(),
                Err(_) => come_again(),
            },
            _ => delivery.into(),
        }
    }
}

/// Trouble of our own: the message is not to get past the checks, and not to be lost.
fn come_again() -> Disposition {
    Disposition::refuse(Reply::of(451, Status::transient(3, 0), "the message cannot be checked now"))
}

/// What is not known is no failure: DMARC is to wait for it, and not to refuse what may well be signed.
fn not_checked<'a>(message: &'a AuthenticatedMessage<'a>) -> Vec<DkimOutput<'a>> {
    let error = || mail_auth::Error::Io(String::from("not checked"));
    let signatures = message.dkim_headers.iter().take(MAX_SIGNATURES);
    signatures.map(|signature| DkimOutput::temp_err(error()).with_signature(&signature.header)).collect()
}

/// The field. `dkim` is `None` if signatures have not been looked at.
fn results(
    client: &Client<'_>,
    spf: &Spf,
    dkim: Option<&[DkimOutput<'_>]>,
    dmarc: &DmarcOutput,
) -> Result<HeaderField, InvalidField> {
    let Spf { hello, sender, of_hello, of_sender } = spf;
    let ip = client.address();
    let mut results = AuthenticationResults::new(HERE);
    if !hello.is_empty() {
        results = results.with_spf_ehlo_result(of_hello, ip, hello);
    }
    if !sender.is_empty() {
        results = results.with_spf_mailfrom_result(of_sender, ip, sender, hello);
    }
    let results = results.with_dmarc_result(dmarc).with_dkim_results(dkim.unwrap_or_default(), "");
    let mut text = results.to_string();
    match dkim {
        // RFC 8601 §2.7.1.
        None => text.push_str("; dkim=temperror (too large or too many signatures)"),
        Some([]) => text.push_str("; dkim=none"),
        Some(_) => {}
    }
    // An address of RFC 6531 in a field of ASCII.
    HeaderField::new(FIELD, &text.replace(|char: char| !char.is_ascii(), "?"))
}

/// Whether an Authentication-Results field says that it is from this server, whatever comments and quotes it says it with
/// (RFC 8601 §2.2: `[CFWS] authserv-id`). One that cannot be read says it too.
fn is_from_here(value: &[u8]) -> bool {
    let mut octets = value.iter().copied().peekable();
    let mut depth = 0_u32;
    // White space and comments, which may hold others.
    while let Some(octet) = octets.next_if(|&octet| depth > 0 || octet == b'(' || octet.is_ascii_whitespace()) {
        match octet {
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            b'\\' => _ = octets.next(),
            _ => {}
        }
    }
    let mut id = Vec::new();
    if octets.next_if_eq(&b'"').is_some() {
        while let Some(octet) = octets.next().filter(|&octet| octet != b'"') {
            id.extend(if octet == b'\\' { octets.next() } else { Some(octet) });
        }
    } else {
        id.extend(octets.take_while(|octet| !octet.is_ascii_whitespace() && !b"(;".contains(octet)));
    }
    let id = id.strip_suffix(b".").unwrap_or(&id);
    id.is_empty() || id.eq_ignore_ascii_case(HERE.as_bytes())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut smtp_address, mut pop3_address) = (String::from("127.0.0.1:2525"), String::from("127.0.0.1:1110"));
    let mut dns = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or(format!("{argument} wants a value"))?;
        match argument.as_str() {
            "--smtp" => smtp_address = value,
            "--pop3" => pop3_address = value,
            "--dns" => dns = Some(value.parse()?),
            _ => return Err(format!("{argument} is not known").into()),
        }
    }
    let dns = resolver(dns)?;

    let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
    let smtp = Server::builder(HERE)
        .policy(Checks { dns, checks: Arc::new(Semaphore::new(MAX_CHECKS)), spf: None })
        .build(store.clone());
    let pop3 = pop3_proto::server::Server::builder(HERE).allow_insecure_login(true).build(store);

    let smtp_listener = TcpListener::bind(smtp_address).await?;
    let pop3_listener = TcpListener::bind(pop3_address).await?;
    println!("SMTP on {}, POP3 on {}", smtp_listener.local_addr()?, pop3_listener.local_addr()?);
    println!("ada@example.org, password: correct horse");
    tokio::try_join!(smtp.serve(smtp_listener), pop3.serve(pop3_listener))?;
    Ok(())
}

/// Asks that name server, or those that the system asks.
fn resolver(server: Option<SocketAddr>) -> Result<MessageAuthenticator, Box<dyn Error>> {
    let (config, mut options) = match server {
        Some(address) => {
            let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
            udp.port = address.port();
            tcp.port = address.port();
            let server = NameServerConfig::new(address.ip(), true, vec![udp, tcp]);
            (ResolverConfig::from_name_servers(vec![server]), ResolverOpts::default())
        }
        None => read_system_conf()?,
    };
    options.timeout = DNS_TIMEOUT;
    Ok(MessageAuthenticator::new(config, options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_i4_a_forged_field_is_known_however_it_is_written() {
        for value in [
            " mail.example.org; spf=pass",
            " mail.example.org 1; none",
            "Mail.Example.ORG;dkim=pass",
            "\r\n\tmail.example.org\r\n ; none",
            " (a (nested \\) one) ) mail.example.org(x); none",
            " \"mail.\\example.org\" ; none",
            " mail.example.org.; none",
            "",
            " (open",
            " ; none",
        ] {
            assert!(is_from_here(value.as_bytes()), "{value:?}");
        }
        for value in
            [" mx.example.net; spf=pass", " (mail.example.org) mx.example.net; none", " mail.example.org.evil; x"]
        {
            assert!(!is_from_here(value.as_bytes()), "{value:?}");
        }
    }
}
