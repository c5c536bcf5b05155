//! Whom mail is for: accounts, aliases and the rules about names as a [`Directory`].

use std::collections::{BTreeSet, VecDeque};

use mail_wire::AccountId;
use mailstore_traits::{Destination, Directory, ErrorKind, Recipient, Resolution, StoreError};
use rusqlite::{Connection, OptionalExtension};

use super::{Accounts, account_exists};
use crate::name::{Address, Domain, fold};

/// The most addresses looked at for one recipient. It bounds aliases that lead to each other and lists that grew by
/// mistake; a list for thousands wants a program for lists.
const MAX_ALIAS_STEPS: usize = 1000;

/// The names that RFC 2142 and RFC 5321 §4.5.1 want every domain to answer to.
const ROLES: [&str; 2] = ["postmaster", "abuse"];

/// Which mail is ours.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// The domains that mail is taken for; at least one.
    pub(crate) domains: Vec<Domain>,
    /// Who gets mail for postmaster and abuse; the oldest account if `None`.
    pub(crate) postmaster: Option<Address>,
    /// Who gets mail for names that do not exist; nobody if `None`.
    pub(crate) catch_all: Option<Address>,
}

/// Answers which accounts an address stands for.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    accounts: Accounts,
    rules: std::sync::Arc<Rules>,
}

impl Addresses {
    /// The addresses of these accounts by these rules.
    pub(crate) fn new(accounts: Accounts, rules: Rules) -> Self {
        Self { accounts, rules: std::sync::Arc::new(rules) }
    }

    fn look_up(&self, recipient: &Recipient) -> super::Result<Resolution> {
        let rules = &self.rules;
        let local = fold(&recipient.local_part);
        let domain = match &recipient.domain {
            // `RCPT TO:<postmaster>` (RFC 5321 §4.5.1); nobody else goes without a domain.
            None if local == "postmaster" => rules.domains.first(),
            None => None,
            Some(domain) => rules.domains.iter().find(|own| own.as_str() == domain),
        };
        let Some(domain) = domain else { return Ok(Resolution::NotLocal) };
        let accounts = self.accounts.read(|db| find(db, rules, &local, domain.as_str()))?;
        let destinations: Vec<_> =
            accounts.into_iter().map(|name| Destination::inbox(AccountId::new(name.as_str()))).collect();
        Ok(if destinations.is_empty() { Resolution::UnknownUser } else { Resolution::Local(destinations) })
    }
}

/// The accounts that an address of ours stands for: as it is, without its tag, by its role, by the catch-all.
fn find(db: &Connection, rules: &Rules, local: &str, domain: &str) -> rusqlite::Result<BTreeSet<String>> {
    // A local part that was quoted may hold an `@`, and is then nobody's name here; it must not be read as an address
    // of another domain (attack row R1).
    let plain = !local.contains('@');
    let without_tag = local.split_once('+').map(|(user, _)| user).filter(|user| !user.is_empty());
    for name in [Some(local), without_tag].into_iter().flatten().filter(|_| plain) {
        let found = follow(db, format!("{name}@{domain}"))?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    if ROLES.contains(&local) {
        let found = match &rules.postmaster {
            Some(postmaster) => follow(db, postmaster.as_str().to_owned())?,
            None => BTreeSet::new(),
        };
        if !found.is_empty() {
            return Ok(found);
        }
        let oldest = "SELECT name FROM account ORDER BY position LIMIT 1";
        return Ok(db.query_row(oldest, (), |row| row.get(0)).optional()?.into_iter().collect());
    }
    match &rules.catch_all {
        Some(catch_all) => follow(db, catch_all.as_str().to_owned()),
        None => Ok(BTreeSet::new()),
    }
}

/// The accounts behind an address, through any number of aliases, each address looked at once.
fn follow(db: &Connection, address: String) -> rusqlite::Result<BTreeSet<String>> {
    let mut accounts = BTreeSet::new();
    let mut seen = BTreeSet::from([address.clone()]);
    let mut ahead = VecDeque::from([address]);
    let mut targets = db.prepare_cached("SELECT target FROM alias WHERE address = ?1")?;
    while let Some(address) = ahead.pop_front() {
        if account_exists(db, &address)? {
            accounts.insert(address);
            continue;
        }
        let mut rows = targets.query([&address])?;
        while let Some(row) = rows.next()? {
            let target: String = row.get(0)?;
            if seen.len() < MAX_ALIAS_STEPS && seen.insert(target.clone()) {
                ahead.push_back(target);
            }
        }
    }
    Ok(accounts)
}

impl Directory for Addresses {
    async fn resolve(&self, recipient: &Recipient) -> mailstore_traits::Result<Resolution> {
        let (this, recipient) = (self.clone(), recipient.clone());
        match tokio::task::spawn_blocking(move || this.look_up(&recipient)).await {
            Ok(Ok(resolution)) => Ok(resolution),
            Ok(Err(error)) => {
                tracing::error!(%error, "the accounts cannot be read");
                Err(StoreError::new(ErrorKind::Unavailable, error.to_string()))
            }
            Err(error) => Err(StoreError::new(ErrorKind::Internal, error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use mail_wire::Secret;

    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text, &"example.org".parse().unwrap()).unwrap()
    }

    /// Ada and Bob at example.org; example.com is ours, too.
    fn addresses(change: impl FnOnce(&mut Rules)) -> (tempfile::TempDir, Addresses) {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(folder.path()).unwrap();
        for name in ["ada", "bob"] {
            accounts.add(&address(name), &Secret::new(String::from("x"))).unwrap();
        }
        let domains = vec!["example.org".parse().unwrap(), "example.com".parse().unwrap()];
        let mut rules = Rules { domains, postmaster: None, catch_all: None };
        change(&mut rules);
        (folder, Addresses::new(accounts, rules))
    }

    async fn ask(addresses: &Addresses, local: &str, domain: Option<&str>) -> String {
        match addresses.resolve(&Recipient::new(local, domain.map(str::to_owned))).await.unwrap() {
            Resolution::Local(to) => to.iter().map(|one| one.account.as_str()).collect::<Vec<_>>().join(" "),
            other => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn mail_finds_accounts_in_any_case_and_with_a_tag() {
        let (_folder, addresses) = addresses(|_| {});
        let org = Some("example.org");
        for local in ["ada", "ADA", "ada+lists", "Ada+a+b"] {
            assert_eq!(ask(&addresses, local, org).await, "ada@example.org", "{local}");
        }
        assert_eq!(ask(&addresses, "ada", Some("EXAMPLE.ORG.")).await, "ada@example.org");
        for local in ["adam", "+ada", "+", "", "carol+ada", "ada@example.org"] {
            assert_eq!(ask(&addresses, local, org).await, "UnknownUser", "{local}");
        }
    }

    #[tokio::test]
    async fn sec_r1_only_own_domains_are_local() {
        let (_folder, addresses) = addresses(|_| {});
        for (local, domain) in [
            ("ada", Some("other.example")),
            ("ada", Some("sub.example.org")),
            ("ada", Some("example.org.other.example")),
            ("ada", Some("[127.0.0.1]")),
            ("ada", Some("")),
            ("ada", None),
            ("abuse", None),
        ] {
            assert_eq!(ask(&addresses, local, domain).await, "NotLocal", "{local} {domain:?}");
        }
        for local in ["ada%other.example", "ada@other.example", "other.example!ada", "@other.example:ada"] {
            assert_eq!(ask(&addresses, local, Some("example.org")).await, "UnknownUser", "{local}");
        }
    }

    #[tokio::test]
    async fn every_domain_has_a_postmaster() {
        let (_folder, oldest) = addresses(|_| {});
        for (local, domain) in [
            ("postmaster", None),
            ("PostMaster", Some("example.org")),
            ("postmaster", Some("example.com")),
            ("abuse", Some("example.com")),
        ] {
            assert_eq!(ask(&oldest, local, domain).await, "ada@example.org", "{local} {domain:?}");
        }
        let (_folder, chosen) = addresses(|rules| rules.postmaster = Some(address("bob")));
        assert_eq!(ask(&chosen, "postmaster", None).await, "bob@example.org");
        chosen.accounts.add_alias(&address("postmaster@example.com"), &[address("ada")]).unwrap();
        assert_eq!(ask(&chosen, "postmaster", Some("example.com")).await, "ada@example.org");
        // Named but gone: the mail must still reach somebody.
        let (_folder, gone) = addresses(|rules| rules.postmaster = Some(address("nobody")));
        assert_eq!(ask(&gone, "postmaster", None).await, "ada@example.org");
    }

    #[tokio::test]
    async fn aliases_lead_to_several_accounts_and_loops_end() {
        let (_folder, addresses) = addresses(|_| {});
        let accounts = &addresses.accounts;
        accounts.add_alias(&address("both"), &[address("ada"), address("bob")]).unwrap();
        accounts.add_alias(&address("more"), &[address("both"), address("ada")]).unwrap();
        accounts.add_alias(&address("both"), &[address("more")]).unwrap();
        for local in ["both", "more", "more+tag"] {
            assert_eq!(ask(&addresses, local, Some("example.org")).await, "ada@example.org bob@example.org", "{local}");
        }
        accounts.remove(&address("ada")).unwrap();
        assert_eq!(ask(&addresses, "both", Some("example.org")).await, "bob@example.org");
    }

    #[tokio::test]
    async fn the_catch_all_is_off_until_it_is_asked_for() {
        let (_folder, off) = addresses(|_| {});
        assert_eq!(ask(&off, "whoever", Some("example.org")).await, "UnknownUser");
        let (_folder, on) = addresses(|rules| rules.catch_all = Some(address("bob")));
        assert_eq!(ask(&on, "whoever", Some("example.com")).await, "bob@example.org");
        assert_eq!(ask(&on, "ada", Some("example.org")).await, "ada@example.org");
        assert_eq!(ask(&on, "whoever", Some("other.example")).await, "NotLocal");
    }
}
