//! The servers of the protocols, each put together for its listener.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use mail_wire::UserName;
use mail_wire::io::{Shutdown, TlsConfig};
use mail_wire::sasl::SaslConfig;
use mailstore_traits::{DynAuthenticator, DynDirectory, MailStore, SpecialUse};
use tokio::net::TcpListener;

use crate::accounts::{Accounts, Addresses, Logins, Rules, SALT_LEN, SCRAM_ITERATIONS};
use crate::config::{Role, Settings, default_domain};
use crate::error::{Failure, Outcome};
use crate::name::{Address, Domain};
use crate::retention::{self, Policy};
use crate::tls::Certificate;

/// What all listeners have in common.
#[derive(Debug)]
pub(crate) struct Servers {
    host_name: smtp_proto::grammar::Domain,
    /// Where a name without a domain belongs.
    domain: Domain,
    accounts: Accounts,
    logins: DynAuthenticator,
    addresses: DynDirectory,
    tls: TlsConfig,
    allow_insecure_login: bool,
    own_senders: bool,
    max_connections: usize,
    max_connections_per_address: usize,
    max_message_size: u64,
    retention: Policy,
}

impl Servers {
    /// The servers of these settings.
    pub(crate) fn new(settings: &Settings, certificate: &Certificate, accounts: Accounts) -> Outcome<Self> {
        let domain = settings.domains.first().cloned().unwrap_or_else(default_domain);
        let rules = Rules {
            domains: settings.domains.clone(),
            postmaster: settings.postmaster.clone(),
            catch_all: settings.catch_all.clone(),
        };
        let host_name = settings.hostname.as_str().parse().map_err(|_| {
            let name = &settings.hostname;
            Failure::usage(format!("a server cannot greet as `{name}`; give --hostname the name that it has in DNS"))
        })?;
        let (logins, addresses) = match accounts.shared() {
            Some(shared) => (shared.authenticator(), shared.directory(&rules)?),
            None => (
                DynAuthenticator::new(Logins::new(accounts.clone(), domain.clone())),
                DynDirectory::new(Addresses::new(accounts.clone(), rules)),
            ),
        };
        Ok(Self {
            host_name,
            logins,
            addresses,
            domain,
            accounts,
            tls: certificate.config.clone(),
            allow_insecure_login: settings.allow_insecure_login,
            own_senders: settings.own_senders,
            max_connections: settings.max_connections,
            max_connections_per_address: settings.max_connections_per_address,
            max_message_size: settings.place.max_message_size.0,
            retention: settings.retention,
        })
    }

    /// One server on its listener, until the word to shut down.
    pub(crate) fn serve<S: MailStore>(
        &self,
        role: Role,
        store: S,
        listener: TcpListener,
        shutdown: Shutdown,
    ) -> Outcome<BoxFuture<'static, std::io::Result<()>>> {
        Ok(match role {
            Role::Pop3 | Role::Pop3s => {
                let server = self.pop3(role, store)?;
                async move { server.serve_with_shutdown(listener, shutdown).await }.boxed()
            }
            Role::Imap | Role::Imaps => {
                let server = self.imap(role, store)?;
                async move { server.serve_with_shutdown(listener, shutdown).await }.boxed()
            }
            Role::Smtp | Role::Submission | Role::Submissions | Role::Lmtp => {
                let server = self.smtp(role, store)?;
                async move { server.serve_with_shutdown(listener, shutdown).await }.boxed()
            }
        })
    }

    fn smtp<S: MailStore>(
        &self,
        role: Role,
        store: S,
    ) -> Outcome<smtp_proto::Server<S, DynAuthenticator, DynDirectory>> {
        let builder = smtp_proto::Server::builder(self.host_name.clone());
        let builder = match role {
            Role::Lmtp => builder.lmtp(),
            // Whoever sends in their own name has a mailbox here for the reports of delivery that they ask for.
            Role::Submission | Role::Submissions => {
                builder.submission().own_senders(self.own_senders).dsn(self.own_senders).configure(be_lenient)
            }
            _ => builder.configure(be_lenient),
        };
        let mut limits = smtp_proto::Limits::default();
        limits.message_size = self.max_message_size;
        Ok(builder
            .tls(self.tls.clone())
            .implicit_tls(role.implicit_tls())
            .allow_insecure_login(self.allow_insecure_login)
            .limits(limits)
            .max_connections(self.max_connections)
            .max_connections_per_address(self.max_connections_per_address)
            .sasl(Arc::new(self.sasl()?))
            .build_with(store, self.logins.clone(), self.addresses.clone()))
    }

    fn imap<S: MailStore>(&self, role: Role, store: S) -> Outcome<imap_proto::Server<S, DynAuthenticator>> {
        let mut limits = imap_proto::limits::Limits::default();
        limits.append = self.max_message_size;
        // What is refused unasked is read up to twice that, and then the connection closes (attack row M6).
        limits.discard = self.max_message_size.saturating_mul(2);
        Ok(imap_proto::Server::builder(&self.host_name.to_string())
            .tls(self.tls.clone())
            .implicit_tls(role.implicit_tls())
            .allow_insecure_login(self.allow_insecure_login)
            .default_mailboxes(DEFAULT_MAILBOXES)
            .limits(limits)
            .max_connections(self.max_connections)
            .max_connections_per_address(self.max_connections_per_address)
            .sasl(self.sasl()?)
            .build_with(store, self.logins.clone()))
    }

    fn pop3<S: MailStore>(&self, role: Role, store: S) -> Outcome<pop3_proto::Server<S, DynAuthenticator>> {
        let builder = pop3_proto::Server::builder(&self.host_name.to_string()).expire(self.retention.expiry());
        let builder = match self.retention.fetched {
            Some(_) => builder.on_retrieved(retention::noting(self.accounts.clone())),
            None => builder,
        };
        Ok(builder
            .tls(self.tls.clone())
            .implicit_tls(role.implicit_tls())
            .allow_insecure_login(self.allow_insecure_login)
            .max_connections(self.max_connections)
            .max_connections_per_address(self.max_connections_per_address)
            .sasl(self.sasl()?)
            .build_with(store, self.logins.clone()))
    }

    /// What tells nobody who has an account: salts for strangers made with a key that is kept, for names folded as
    /// those of accounts are (attack row A1).
    fn sasl(&self) -> Outcome<SaslConfig> {
        if let Some(shared) = self.accounts.shared() {
            return Ok(shared.sasl()?);
        }
        let domain = self.domain.clone();
        let fold = move |name: &UserName| {
            Address::parse(name.as_str(), &domain)
                .map_or_else(|_| name.as_str().to_lowercase(), |name| name.as_str().to_owned())
        };
        Ok(SaslConfig::new(self.accounts.decoy_key()?)
            .with_scram_iterations(SCRAM_ITERATIONS)
            .with_scram_salt_length(SALT_LEN)
            .with_name_folding(fold))
    }
}

/// What mail programs look for in a new account, and make in their own languages if it is not there (RFC 6154 §2).
const DEFAULT_MAILBOXES: [(&str, SpecialUse); 5] = [
    ("Archive", SpecialUse::Archive),
    ("Drafts", SpecialUse::Drafts),
    ("Junk", SpecialUse::Junk),
    ("Sent", SpecialUse::Sent),
    ("Trash", SpecialUse::Trash),
];

/// What real senders get wrong without meaning harm: mail programs, and devices that scan or report by mail, write
/// `MAIL FROM: <a@b>`; Windows machines greet with their own name, `EHLO FRONT_DESK`. To refuse either is to lose mail that
/// every other server takes. LMTP's peer is a mail server of ours, which does neither.
fn be_lenient(config: &mut smtp_proto::Config) {
    config.dialect.leniency.space_after_colon = true;
    config.dialect.leniency.underscore_in_hello = true;
}

#[cfg(test)]
mod tests {
    use mailstore_traits::memory::MemoryStore;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::data::DataFolder;
    use crate::options::Options;

    /// The last reply to these lines, sent one after the other.
    async fn ask(role: Role, lines: &[&str]) -> String {
        ask_with(&Options::default(), role, lines).await
    }

    async fn ask_with(options: &Options, role: Role, lines: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(options).unwrap();
        let data = DataFolder::open_or_make(folder.path()).unwrap();
        let certificate = crate::tls::self_signed(&data, &settings.domains, &settings.hostname).unwrap();
        let servers = Servers::new(&settings, &certificate, Accounts::open(folder.path()).unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (handle, shutdown) = Shutdown::channel();
        tokio::spawn(servers.serve(role, MemoryStore::new(), listener, shutdown).unwrap());
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut last = String::new();
        for line in [""].iter().chain(lines) {
            if !line.is_empty() {
                client.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
            }
            last.clear();
            while !last.ends_with("\r\n") || last.lines().last().unwrap().as_bytes()[3] == b'-' {
                let mut octets = [0; 1024];
                let count = client.read(&mut octets).await.unwrap();
                assert!(count > 0, "closed after {last}");
                last.push_str(std::str::from_utf8(&octets[..count]).unwrap());
            }
        }
        handle.shut_down();
        last
    }

    #[tokio::test]
    async fn sec_r5_reports_of_delivery_are_offered_only_to_users_who_send_in_their_own_name() {
        let own = Options { own_senders: Some(true), ..Options::default() };
        for (role, offered) in [(Role::Submission, true), (Role::Smtp, false)] {
            assert_eq!(ask_with(&own, role, &["EHLO pc"]).await.contains("DSN\r\n"), offered, "{role:?}");
            assert!(!ask(role, &["EHLO pc"]).await.contains("DSN\r\n"), "{role:?}");
        }
        assert!(!ask_with(&own, Role::Lmtp, &["LHLO pc"]).await.contains("DSN\r\n"));
    }

    #[tokio::test]
    async fn mail_programs_and_devices_are_forgiven_what_all_servers_forgive() {
        let told = ask(Role::Smtp, &["EHLO FRONT_DESK", "MAIL FROM: <scan@printer.example>"]).await;
        assert!(told.starts_with("250 "), "{told}");
        let told = ask(Role::Submission, &["EHLO FRONT_DESK"]).await;
        assert!(told.starts_with("250-"), "{told}");
        // Not "501 syntax error": it is read, and needs a login.
        let told = ask(Role::Submission, &["EHLO pc", "MAIL FROM: <ada@localhost>"]).await;
        assert!(told.starts_with("530 "), "{told}");
        let told = ask(Role::Lmtp, &["LHLO FRONT_DESK"]).await;
        assert!(told.starts_with("501 "), "{told}");
    }
}
