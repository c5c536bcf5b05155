//! The servers of the protocols, each put together for its listener.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use mail_wire::UserName;
use mail_wire::io::{Shutdown, TlsConfig};
use mail_wire::sasl::SaslConfig;
use mailstore_traits::MailStore;
use tokio::net::TcpListener;

use crate::accounts::{Accounts, Addresses, Logins, Rules, SALT_LEN, SCRAM_ITERATIONS};
use crate::config::{Role, Settings, default_domain};
use crate::error::{Failure, Outcome};
use crate::name::{Address, Domain};
use crate::tls::Certificate;

/// What all listeners have in common.
#[derive(Debug)]
pub(crate) struct Servers {
    host_name: smtp_proto::grammar::Domain,
    /// Where a name without a domain belongs.
    domain: Domain,
    accounts: Accounts,
    logins: Logins,
    addresses: Addresses,
    tls: TlsConfig,
    allow_insecure_login: bool,
    max_connections: usize,
    max_message_size: u64,
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
        Ok(Self {
            host_name,
            logins: Logins::new(accounts.clone(), domain.clone()),
            addresses: Addresses::new(accounts.clone(), rules),
            domain,
            accounts,
            tls: certificate.config.clone(),
            allow_insecure_login: settings.allow_insecure_login,
            max_connections: settings.max_connections,
            max_message_size: settings.place.max_message_size.0,
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
            Role::Smtp | Role::Submission | Role::Submissions | Role::Lmtp => {
                let server = self.smtp(role, store)?;
                async move { server.serve_with_shutdown(listener, shutdown).await }.boxed()
            }
        })
    }

    fn smtp<S: MailStore>(&self, role: Role, store: S) -> Outcome<smtp_proto::Server<S, Logins, Addresses>> {
        let builder = smtp_proto::Server::builder(self.host_name.clone());
        let builder = match role {
            Role::Lmtp => builder.lmtp(),
            Role::Submission | Role::Submissions => builder.submission(),
            Role::Smtp | Role::Pop3 | Role::Pop3s => builder,
        };
        let mut limits = smtp_proto::Limits::default();
        limits.message_size = self.max_message_size;
        Ok(builder
            .tls(self.tls.clone())
            .implicit_tls(role.implicit_tls())
            .allow_insecure_login(self.allow_insecure_login)
            .limits(limits)
            .max_connections(self.max_connections)
            .sasl(Arc::new(self.sasl()?))
            .build_with(store, self.logins.clone(), self.addresses.clone()))
    }

    fn pop3<S: MailStore>(&self, role: Role, store: S) -> Outcome<pop3_proto::Server<S, Logins>> {
        Ok(pop3_proto::Server::builder(&self.host_name.to_string())
            .tls(self.tls.clone())
            .implicit_tls(role.implicit_tls())
            .allow_insecure_login(self.allow_insecure_login)
            .max_connections(self.max_connections)
            .sasl(self.sasl()?)
            .build_with(store, self.logins.clone()))
    }

    /// What tells nobody who has an account: salts for strangers made with a key that is kept, for names folded as
    /// those of accounts are (attack row A1).
    fn sasl(&self) -> Outcome<SaslConfig> {
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
