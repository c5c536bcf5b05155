//! The first start: an account, and what a mail program asks for.

use std::net::SocketAddr;

use mail_wire::Secret;

use crate::accounts::{Accounts, AccountsError, generate};
use crate::config::{Place, Role, Settings};
use crate::error::{Failure, Outcome};
use crate::name::Address;
use crate::options::StoreChoice;
use crate::out::{self, say};
use crate::tls::Certificate;

/// Makes the first account if there is none, with a password that is told once.
pub(crate) fn first_account(accounts: &Accounts, settings: &Settings) -> Outcome<Option<(Address, Secret<String>)>> {
    if !accounts.wants_first()? {
        return Ok(None);
    }
    let Some(domain) = settings.domains.first() else { return Ok(None) };
    let name = Address::new("me", domain).map_err(Failure::failed)?;
    let password = generate();
    match accounts.add(&name, &password) {
        // Another server on the same database was started at the same moment.
        Err(AccountsError::AccountExists(_)) => return Ok(None),
        added => added?,
    };
    accounts.first_made(&name)?;
    Ok(Some((name, password)))
}

/// Prints what to put into a mail program.
pub(crate) fn print(
    settings: &Settings,
    bound: &[(Role, SocketAddr)],
    metrics: Option<&str>,
    certificate: &Certificate,
    accounts: &Accounts,
    first: Option<&(Address, Secret<String>)>,
) -> Outcome {
    let domains: Vec<_> = settings.domains.iter().map(|domain| domain.as_str()).collect();
    let (kept, elsewhere) = (settings.place.data.display(), elsewhere(&settings.place));
    say!("Pillarbox serves {}; everything is kept in {kept}{elsewhere}", domains.join(", "));
    say!("");
    let rows: Vec<_> = bound.iter().map(|&(role, address)| row(role, address, settings)).collect();
    out::table(["", "server", "port", "security", "login"], &rows);
    say!("");
    match first {
        Some((name, password)) => {
            say!("  user name   {name}");
            say!("  password    {}   (shown this once; change it with `account passwd`)", password.expose());
        }
        None => match accounts.list()?.as_slice() {
            [] => say!("  There is no account; make one with `account add NAME`."),
            [one] => say!("  user name   {}   (a lost password: `account passwd` sets a new one)", one.name),
            [one, more @ ..] => say!("  user name   {}, or one of {} others: `account list`", one.name, more.len()),
        },
    }
    if certificate.self_signed {
        say!("  certificate {}   (self-signed: mail programs ask once)", certificate.file.display());
    }
    if let Some(address) = metrics {
        say!("  metrics     {address}   (for Prometheus; whoever can reach it can read it)");
    }
    if domains == ["localhost"] {
        say!("  The domain is localhost, for trying out; serve your own with --domain NAME.");
    }
    say!("");
    Ok(())
}

/// What is not in the data folder, in words that a sentence can end with.
fn elsewhere(place: &Place) -> String {
    match &place.store {
        StoreChoice::Sqlite(_) if !place.store_named => String::new(),
        StoreChoice::Sqlite(path) | StoreChoice::Maildir(path) => format!(", and mail in {}", path.display()),
        StoreChoice::Postgres(_) => String::from(", and mail and accounts in the database"),
        StoreChoice::Memory => String::from(", but mail nowhere: it is gone when this ends"),
    }
}

fn row(role: Role, address: SocketAddr, settings: &Settings) -> [String; 5] {
    let (what, login) = match role {
        Role::Smtp => ("mail from other servers (smtp)", "no"),
        Role::Submission => ("sending (submission)", "yes"),
        Role::Submissions => ("sending (submissions)", "yes"),
        Role::Lmtp => ("local delivery (lmtp)", "no"),
        Role::Imap => ("mailboxes (imap)", "yes"),
        Role::Imaps => ("mailboxes (imaps)", "yes"),
        Role::Pop3 => ("receiving (pop3)", "yes"),
        Role::Pop3s => ("receiving (pop3s)", "yes"),
    };
    let security = if role.implicit_tls() { "TLS" } else { "STARTTLS" };
    let server = match address.ip() {
        ip if ip.is_unspecified() => settings.hostname.to_string(),
        ip => ip.to_string(),
    };
    [what.to_owned(), server, address.port().to_string(), security.to_owned(), login.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    #[test]
    fn the_first_account_is_made_once_at_the_first_domain() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(folder.path()).unwrap();
        let domain = vec!["example.org".parse().unwrap(), "example.com".parse().unwrap()];
        let settings = Settings::new(&Options { domain, ..Options::default() }).unwrap();
        let (name, password) = first_account(&accounts, &settings).unwrap().unwrap();
        assert_eq!(name.as_str(), "me@example.org");
        assert!(password.expose().len() >= 20);
        assert!(first_account(&accounts, &settings).unwrap().is_none());
    }

    #[test]
    fn a_server_on_all_addresses_is_told_by_its_name() {
        let settings =
            Settings::new(&Options { hostname: Some("mx.example.org".parse().unwrap()), ..Options::default() });
        let settings = settings.unwrap();
        assert_eq!(row(Role::Pop3s, "0.0.0.0:995".parse().unwrap(), &settings)[1], "mx.example.org");
        assert_eq!(row(Role::Pop3, "127.0.0.1:2110".parse().unwrap(), &settings)[1], "127.0.0.1");
    }
}
