//! Who the users of a memory store are, and which addresses are theirs.

use std::collections::BTreeMap;
use std::hint::black_box;

use super::MemoryStore;
use crate::{
    AccountId, Authenticator, ClientCertificate, Destination, Directory, Recipient, Resolution, Result, ScramHash,
    ScramKeys, Secret, UserName,
};

/// Compared when there is no such user, so that looking one up costs the same (attack row A2).
const NOBODYS_PASSWORD: &str = "nobody's";
const POSTMASTER: &str = "postmaster";

#[derive(Default)]
pub(super) struct Users {
    passwords: BTreeMap<String, (AccountId, Secret<String>)>,
    /// Local part and domain, apart: joined, `a@b` at `c` and `a` at `b@c` would be one.
    addresses: BTreeMap<(String, String), Vec<AccountId>>,
    /// Keys that were made of passwords elsewhere: by the hash, each with one salt.
    scram: BTreeMap<String, Vec<(ScramHash, ScramKeys)>>,
    /// Whose certificates those are, to the last octet.
    certificates: Vec<(ClientCertificate, AccountId)>,
    /// Who those are who do not say.
    pub(super) anonymous: Option<AccountId>,
    /// Mail for postmaster goes to this one where nobody else takes it.
    first: Option<AccountId>,
}

impl Users {
    pub(super) fn add(&mut self, name: &str, password: &str) {
        let account = AccountId::from(name);
        self.first.get_or_insert_with(|| account.clone());
        self.passwords.insert(name.to_ascii_lowercase(), (account, Secret::new(password.to_owned())));
        self.add_alias(name, name);
    }

    pub(super) fn add_alias(&mut self, address: &str, account: &str) {
        let Some((local, domain)) = address.rsplit_once('@') else { return };
        let Recipient { local_part, domain, .. } = Recipient::new(local.to_ascii_lowercase(), Some(domain.to_owned()));
        // One account, one copy, however often it was named; and the spelling it was first given is its id.
        let known = self.passwords.get(&account.to_ascii_lowercase()).map(|(known, _)| known.clone());
        let account = known.unwrap_or_else(|| AccountId::from(account));
        let accounts = self.addresses.entry((local_part, domain.unwrap_or_default())).or_default();
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }

    pub(super) fn add_scram_keys(&mut self, hash: ScramHash, keys: ScramKeys) {
        let kept = self.scram.entry(keys.account.as_str().to_ascii_lowercase()).or_default();
        kept.retain(|(other, _)| *other != hash);
        kept.push((hash, keys));
    }

    pub(super) fn add_certificate(&mut self, certificate: ClientCertificate, account: AccountId) {
        self.certificates.push((certificate, account));
    }

    fn scram_keys(&self, user: &UserName, hash: ScramHash) -> Option<ScramKeys> {
        let kept = self.scram.get(&user.as_str().to_ascii_lowercase())?;
        kept.iter().find(|(other, _)| *other == hash).map(|(_, keys)| keys.clone())
    }

    fn has_scram_keys(&self, hash: ScramHash) -> bool {
        self.scram.values().flatten().any(|(other, _)| *other == hash)
    }

    /// Every account of that certificate is asked about; the first is the one of who does not ask.
    fn of_certificate(&self, shown: &ClientCertificate, requested: Option<&UserName>) -> Option<AccountId> {
        let theirs = |account: &AccountId| {
            requested.is_none_or(|requested| account.as_str().eq_ignore_ascii_case(requested.as_str()))
        };
        self.certificates
            .iter()
            .find(|(known, account)| known == shown && theirs(account))
            .map(|(_, account)| account.clone())
    }

    fn check(&self, user: &UserName, password: &Secret<String>) -> Option<AccountId> {
        let known = self.passwords.get(&user.as_str().to_ascii_lowercase());
        let kept = known.map_or(NOBODYS_PASSWORD, |(_, kept)| kept.expose().as_str());
        let right = same_octets(password.expose().as_bytes(), kept.as_bytes());
        known.filter(|_| right).map(|(account, _)| account.clone())
    }

    fn resolve(&self, recipient: &Recipient) -> Resolution {
        let local = recipient.local_part.to_ascii_lowercase();
        let is_postmaster = local == POSTMASTER;
        let accounts = match &recipient.domain {
            Some(domain) if !self.addresses.keys().any(|(_, ours)| ours == domain) => return Resolution::NotLocal,
            Some(domain) => self.addresses.get(&(local, domain.clone())),
            None if !is_postmaster => return Resolution::NotLocal,
            None => self.addresses.iter().find(|((local, _), _)| local == POSTMASTER).map(|(_, accounts)| accounts),
        };
        let accounts = match accounts {
            Some(accounts) => accounts.clone(),
            None if is_postmaster => self.first.iter().cloned().collect(),
            None => Vec::new(),
        };
        if accounts.is_empty() {
            return Resolution::UnknownUser;
        }
        Resolution::Local(accounts.into_iter().map(Destination::inbox).collect())
    }
}

/// Compares in a time that depends on `given` only, so that it tells nothing of what is kept (attack row A4).
fn same_octets(given: &[u8], kept: &[u8]) -> bool {
    let mut different = u8::from(given.len() != kept.len());
    for (at, octet) in given.iter().enumerate() {
        // Wrapped round: reading on past the end of a shorter one would take another time.
        let other = at.checked_rem(kept.len()).and_then(|at| kept.get(at)).copied().unwrap_or(0);
        different |= black_box(octet ^ other);
    }
    black_box(different) == 0
}

impl Authenticator for MemoryStore {
    async fn check_password(&self, user: &UserName, password: &Secret<String>) -> Result<Option<AccountId>> {
        Ok(self.change(|state| state.users.check(user, password)))
    }

    async fn scram_keys(&self, user: &UserName, hash: ScramHash) -> Result<Option<ScramKeys>> {
        Ok(self.change(|state| state.users.scram_keys(user, hash)))
    }

    async fn verify_certificate(
        &self,
        certificate: &ClientCertificate,
        requested: Option<&UserName>,
    ) -> Result<Option<AccountId>> {
        Ok(self.change(|state| state.users.of_certificate(certificate, requested)))
    }

    async fn admit_anonymous(&self, _: Option<&str>) -> Result<Option<AccountId>> {
        Ok(self.change(|state| state.users.anonymous.clone()))
    }

    fn scram(&self) -> bool {
        self.change(|state| state.users.has_scram_keys(ScramHash::Sha256))
    }

    fn scram_sha1(&self) -> bool {
        self.change(|state| state.users.has_scram_keys(ScramHash::Sha1))
    }

    fn certificates(&self) -> bool {
        self.change(|state| !state.users.certificates.is_empty())
    }

    fn anonymous(&self) -> bool {
        self.change(|state| state.users.anonymous.is_some())
    }
}

/// Ours are the domains of the accounts and the aliases. Mail for `postmaster` at any of them, and for the bare
/// `<postmaster>` (RFC 5321 §4.5.1), goes to the account or alias of that name, or else to the first account.
impl Directory for MemoryStore {
    async fn resolve(&self, recipient: &Recipient) -> Result<Resolution> {
        Ok(self.change(|state| state.users.resolve(recipient)))
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    fn host() -> MemoryStore {
        MemoryStore::new()
            .with_account("ada@example.org", "correct horse")
            .with_account("bob@example.com", "battery staple")
            .with_alias("team@example.org", "ada@example.org")
            .with_alias("team@example.org", "bob@example.com")
    }

    fn resolve(host: &MemoryStore, local: &str, domain: Option<&str>) -> Resolution {
        block_on(host.resolve(&Recipient::new(local, domain.map(str::to_owned)))).unwrap()
    }

    fn to(accounts: &[&str]) -> Resolution {
        Resolution::Local(accounts.iter().map(|account| Destination::inbox(AccountId::from(*account))).collect())
    }

    fn check(user: &str, password: &str) -> Option<AccountId> {
        let user = UserName::new(user).unwrap();
        block_on(host().check_password(&user, &Secret::new(password.to_owned()))).unwrap()
    }

    #[test]
    fn only_the_whole_password_lets_in() {
        assert_eq!(check("ada@example.org", "correct horse"), Some(AccountId::from("ada@example.org")));
        assert_eq!(check("ADA@example.ORG", "correct horse"), Some(AccountId::from("ada@example.org")));
        for wrong in ["", "correct hors", "correct horse ", "correct horsecorrect horse", "Correct horse", "nobody's"] {
            assert_eq!(check("ada@example.org", wrong), None, "{wrong:?}");
        }
        for nobody in ["eve@example.org", "ada", "team@example.org"] {
            assert_eq!(check(nobody, "nobody's"), None, "{nobody:?}");
        }
    }

    #[test]
    fn scram_is_carried_out_for_the_hashes_that_keys_were_given_for() {
        let keys = |salt: u8| ScramKeys::new(AccountId::from("ada@example.org"), vec![salt], 4096, Vec::new());
        let store = host();
        assert!(!store.scram() && !store.scram_sha1());
        let store = store.with_scram_keys(ScramHash::Sha1, keys(1)).with_scram_keys(ScramHash::Sha1, keys(2));
        assert!(!store.scram() && store.scram_sha1());
        let ask = |user: &str, hash| block_on(store.scram_keys(&UserName::new(user).unwrap(), hash)).unwrap();
        assert_eq!(ask("ADA@example.org", ScramHash::Sha1).unwrap().salt, [2]);
        assert!(ask("ada@example.org", ScramHash::Sha256).is_none() && ask("eve", ScramHash::Sha1).is_none());
    }

    #[test]
    fn sec_a9_a_certificate_is_whose_it_was_said_to_be_and_nobody_elses() {
        let certificate = |octet: u8| ClientCertificate::from_der(vec![octet; 300]);
        assert!(!host().certificates());
        let store = host()
            .with_certificate(certificate(1), "ada@example.org")
            .with_certificate(certificate(1), "bob@example.com");
        assert!(store.certificates());
        let ask = |octet, name: Option<&str>| {
            let name = name.map(|name| UserName::new(name).unwrap());
            block_on(store.verify_certificate(&certificate(octet), name.as_ref())).unwrap()
        };
        assert_eq!(ask(1, None), Some(AccountId::from("ada@example.org")));
        assert_eq!(ask(1, Some("BOB@example.com")), Some(AccountId::from("bob@example.com")));
        assert_eq!(ask(1, Some("eve@example.org")), None);
        assert_eq!(ask(2, None), None);
        let empty = ClientCertificate::from_der(Vec::new());
        assert_eq!(block_on(store.verify_certificate(&empty, None)).unwrap(), None);
    }

    #[test]
    fn nobody_is_anonymous_unless_it_is_said() {
        assert!(!host().anonymous() && block_on(host().admit_anonymous(None)).unwrap().is_none());
        let store = host().with_anonymous("ada@example.org");
        assert!(store.anonymous() && block_on(store.admit_anonymous(Some("sirhc"))).unwrap().is_some());
    }

    #[test]
    fn octets_are_compared_to_the_last_one() {
        for (given, kept, same) in [
            (&b""[..], &b""[..], true),
            (b"a", b"", false),
            (b"", b"a", false),
            (b"\0", b"", false),
            (b"abab", b"ab", false),
            (b"ab", b"abab", false),
            (b"ab", b"ab", true),
        ] {
            assert_eq!(same_octets(given, kept), same, "{given:?} {kept:?}");
        }
    }

    #[test]
    fn an_address_is_the_same_in_any_case() {
        assert_eq!(resolve(&host(), "Ada", Some("EXAMPLE.org.")), to(&["ada@example.org"]));
        assert_eq!(resolve(&host(), "TEAM", Some("example.org")), to(&["ada@example.org", "bob@example.com"]));
        assert_eq!(resolve(&host(), "eve", Some("example.org")), Resolution::UnknownUser);
        assert_eq!(resolve(&host(), "bob", Some("example.org")), Resolution::UnknownUser);
    }

    #[test]
    fn postmaster_is_always_somebody() {
        assert_eq!(resolve(&host(), "Postmaster", None), to(&["ada@example.org"]));
        assert_eq!(resolve(&host(), "postmaster", Some("example.com")), to(&["ada@example.org"]));
        let host = host().with_alias("postmaster@example.com", "bob@example.com");
        assert_eq!(resolve(&host, "postmaster", Some("example.com")), to(&["bob@example.com"]));
        assert_eq!(resolve(&host, "postmaster", None), to(&["bob@example.com"]));
        assert_eq!(resolve(&host, "postmaster", Some("example.net")), Resolution::NotLocal);
        assert_eq!(resolve(&MemoryStore::new(), "postmaster", None), Resolution::UnknownUser);
    }

    #[test]
    fn sec_r1_no_form_of_address_relays() {
        for (local, domain) in [
            ("ada", Some("example.net")),
            ("ada", Some("sub.example.org")),
            ("ada", Some("xn--exmple-cua.org")),
            ("ada", Some("exämple.org")),
            ("ada", Some("[127.0.0.1]")),
            ("ada", Some("")),
            ("ada", Some("example.org..")),
            ("ada@example.org", Some("example.net")),
            ("ada", None),
            ("", None),
        ] {
            assert_eq!(resolve(&host(), local, domain), Resolution::NotLocal, "{local:?} {domain:?}");
        }
        for local in
            ["ada%example.net", "ada@example.net", "ada@example.org", "example.net!ada", "@example.net:ada", " ada", ""]
        {
            assert_eq!(resolve(&host(), local, Some("example.org")), Resolution::UnknownUser, "{local:?}");
        }
    }

    #[test]
    fn a_store_without_users_takes_no_mail() {
        assert_eq!(resolve(&MemoryStore::new(), "ada", Some("example.org")), Resolution::NotLocal);
    }
}
