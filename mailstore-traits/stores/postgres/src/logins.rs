//! Who may log in, and whom mail is for.
//!
//! Of a password its SCRAM-SHA-256 keys are kept (RFC 7677), and nothing else: they answer SCRAM, and a password that comes
//! by PLAIN is checked by deriving them again. Another hash beside them would not be the harder one to guess at.

use std::sync::Arc;

use mail_wire::sasl::SaslConfig;
use mail_wire::sasl::scram::derive;
use mailstore_traits::backend::columns::random_key;
use mailstore_traits::{
    AccountId, Authenticator, Destination, Directory, ErrorKind, Recipient, Resolution, Result, ScramHash,
    ScramKeyPair, ScramKeys, Secret, StoreError, Timestamp, UserName,
};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio_postgres::Row;

use crate::PostgresStore;
use crate::error::{Outcome, closed, corrupt};
use crate::pool::{Kind, Tx};
use crate::store::Inner;

/// How often SCRAM hashes: many times the 4096 of RFC 7677 §4; few enough for a telephone to do at every login.
const ITERATIONS: u32 = 50_000;
/// The most octets of a password: what fits a line of POP3 (RFC 2449 §4: 255) beside the command.
const MAX_PASSWORD: usize = 200;
/// The most accounts that one address stands for: a list for thousands wants a program for lists.
const MAX_DESTINATIONS: i64 = 1000;

/// Who may log in and whom mail is for, kept in the database of a [`PostgresStore`]: changes made by one process hold for
/// every other one's next login.
///
/// A login is an address, in lower case, and its mail is the account of that name. It has a password of its own and any
/// number of app passwords, each with a label.
#[derive(Clone)]
pub struct Logins {
    store: Arc<Inner>,
    domains: Arc<[String]>,
    /// How many passwords are hashed at once; the others wait.
    hashing: Arc<Semaphore>,
    /// What nobody's password is hashed with.
    decoy: Arc<Recipe>,
    /// The addresses that get what has no address of its own.
    postmaster: Option<String>,
    catch_all: Option<String>,
}

/// A login, as [`Logins::list`] tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Login {
    /// Its name: the account's, an address.
    pub name: AccountId,
    /// When it was made.
    pub created: Timestamp,
    /// Its app passwords, by label, with when they were last used.
    pub app_passwords: Vec<(String, Option<Timestamp>)>,
}

#[derive(Debug, Clone)]
struct Recipe {
    salt: Vec<u8>,
    iterations: u32,
}

impl Recipe {
    fn new() -> Outcome<Self> {
        Ok(Self { salt: random_key()?.to_vec(), iterations: ITERATIONS })
    }

    fn of(row: &Row) -> Outcome<Self> {
        let iterations =
            u32::try_from(row.get::<_, i64>(1)).map_err(|_| corrupt("a count of iterations that is none"))?;
        Ok(Self { salt: row.get(0), iterations })
    }
}

impl PostgresStore {
    /// Who may log in, and whom mail is for. Mail is taken for these domains (in lower case); a login without a domain is
    /// at the first.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] without a domain.
    pub fn logins(&self, domains: impl IntoIterator<Item = impl Into<String>>) -> Result<Logins> {
        let domains: Arc<[String]> = domains.into_iter().map(|domain| domain.into().to_lowercase()).collect();
        if domains.is_empty() {
            return Err(StoreError::new(ErrorKind::Invalid, "there is no domain"));
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Logins {
            store: Arc::clone(&self.0),
            domains,
            hashing: Arc::new(Semaphore::new(processors)),
            decoy: Arc::new(Recipe::new()?),
            postmaster: None,
            catch_all: None,
        })
    }
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logins({})", self.domains.join(", "))
    }
}

/// Work in a transaction of that kind, carried out to its end.
macro_rules! work {
    ($self:ident, $kind:ident, |$tx:ident| $work:expr) => {{
        let store = Arc::clone(&$self.store);
        $self.store.run(async move {
            let $tx = store.begin(Kind::$kind).await?;
            let done = $work.await;
            store.end($tx, done).await
        })
    }};
}
pub(crate) use work;

impl Logins {
    /// Mail for `postmaster` and `abuse`, unless those are somebody's address, is for this one; for the oldest login if
    /// nobody is behind it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is no address.
    pub fn with_postmaster(mut self, address: &str) -> Result<Self> {
        self.postmaster = Some(self.legal(address)?);
        Ok(self)
    }

    /// Mail for local parts that are nobody's is for this address. Without it, or while nobody is behind it, such mail is
    /// refused.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is no address.
    pub fn with_catch_all(mut self, address: &str) -> Result<Self> {
        self.catch_all = Some(self.legal(address)?);
        Ok(self)
    }

    /// A name as it is kept: with a domain, in lower case. `None` if it can be nobody's.
    fn name(&self, text: &str) -> Option<String> {
        let text = text.to_lowercase();
        let (local, domain) = match text.rsplit_once('@') {
            Some((local, domain)) => (local.to_owned(), domain.to_owned()),
            None => (text, self.domains.first()?.clone()),
        };
        let odd = |octet: char| octet == '@' || octet.is_control() || octet.is_whitespace();
        let good = !local.is_empty() && !domain.is_empty() && !local.contains(odd) && !domain.contains(odd);
        good.then(|| format!("{local}@{domain}"))
    }

    fn legal(&self, text: &str) -> Result<String> {
        self.name(text).ok_or_else(|| StoreError::new(ErrorKind::Invalid, "that is no address"))
    }

    /// The keys of a password. Takes tens of milliseconds, on a thread made for that.
    async fn derive(&self, password: &Secret<String>, recipe: Recipe) -> Result<Option<ScramKeyPair>> {
        let (password, hashing) = (password.clone(), Arc::clone(&self.hashing));
        let work = async move {
            let permit = hashing.acquire_owned().await;
            let hashed = tokio::task::spawn_blocking(move || {
                // Given back when the hashing ends, not when the asking does: a client that hangs up frees no processor.
                let _permit = permit;
                derive(password.expose(), &recipe.salt, recipe.iterations, ScramHash::Sha256).ok()
            });
            hashed.await.map_err(|_| closed())
        };
        self.store.run(work).await
    }

    async fn keep(&self, password: &Secret<String>, recipe: &Recipe) -> Result<ScramKeyPair> {
        if password.expose().len() > MAX_PASSWORD {
            return Err(StoreError::new(ErrorKind::Invalid, "the password is longer than POP3 has room for"));
        }
        let unusable = || StoreError::new(ErrorKind::Invalid, "the password is empty, or no mail program can send it");
        self.derive(password, recipe.clone()).await?.ok_or_else(unusable)
    }

    /// Makes a login.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if there is one, or an alias of that address; [`ErrorKind::Invalid`] for a name that is
    /// no address and for a password that no mail program could send.
    pub async fn add(&self, name: &str, password: &Secret<String>) -> Result<AccountId> {
        let (name, recipe) = (self.legal(name)?, Recipe::new()?);
        let keys = self.keep(password, &recipe).await?;
        let account = AccountId::new(name.as_str());
        work!(self, Write, |tx| async {
            let alias = tx.query_opt("SELECT 1 FROM alias WHERE address = $1 LIMIT 1", &[&name]).await?;
            let made = tx
                .execute(
                    "INSERT INTO login (name, salt, iterations) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    &[&name, &recipe.salt, &i64::from(recipe.iterations)],
                )
                .await?;
            if made == 0 || alias.is_some() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            insert_password(&tx, &name, "", &keys).await
        })
        .await?;
        Ok(account)
    }

    /// Gives a login a new password of its own; its app passwords stay.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such login; otherwise as [`add`](Self::add).
    pub async fn set_password(&self, name: &str, password: &Secret<String>) -> Result<()> {
        self.put_password(name, "", password).await
    }

    /// Gives a login an app password more, or another one of that label.
    ///
    /// # Errors
    /// As [`set_password`](Self::set_password); [`ErrorKind::Invalid`] for a label that is not 1 to 100 characters.
    pub async fn set_app_password(&self, name: &str, label: &str, password: &Secret<String>) -> Result<()> {
        if !(1..=100).contains(&label.chars().count()) || label.chars().any(char::is_control) {
            return Err(StoreError::new(ErrorKind::Invalid, "a label has 1 to 100 characters"));
        }
        self.put_password(name, label, password).await
    }

    async fn put_password(&self, name: &str, label: &str, password: &Secret<String>) -> Result<()> {
        let (name, label) = (self.legal(name)?, label.to_owned());
        let (recipe, _) = self.record(&name).await?.ok_or(ErrorKind::NotFound)?;
        let keys = self.keep(password, &recipe).await?;
        work!(self, Write, |tx| async {
            // Locked, so that it is not removed, and made again with another salt, meanwhile.
            let sql = "SELECT salt, iterations FROM login WHERE name = $1 FOR KEY SHARE";
            let row = tx.query_opt(sql, &[&name]).await?.ok_or(ErrorKind::NotFound)?;
            if Recipe::of(&row)?.salt != recipe.salt {
                return Err(ErrorKind::Unavailable.into());
            }
            tx.execute("DELETE FROM login_password WHERE login = $1 AND label = $2", &[&name, &label]).await?;
            insert_password(&tx, &name, &label, &keys).await
        })
        .await
    }

    /// Takes an app password back.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none of that label.
    pub async fn remove_app_password(&self, name: &str, label: &str) -> Result<()> {
        let (name, label) = (self.legal(name)?, label.to_owned());
        let sql = "DELETE FROM login_password WHERE login = $1 AND label = $2 AND label <> ''";
        let gone = work!(self, Write, |tx| tx.execute(sql, &[&name, &label])).await?;
        if gone == 0 { Err(ErrorKind::NotFound.into()) } else { Ok(()) }
    }

    /// Removes a login and its passwords. Its mail stays.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let name = self.legal(name)?;
        let gone = work!(self, Write, |tx| tx.execute("DELETE FROM login WHERE name = $1", &[&name])).await?;
        if gone == 0 { Err(ErrorKind::NotFound.into()) } else { Ok(()) }
    }

    /// All logins, the oldest first.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the database cannot be reached.
    pub async fn list(&self) -> Result<Vec<Login>> {
        let sql = "SELECT l.name, extract(epoch FROM l.created)::bigint, p.label, \
                   extract(epoch FROM p.last_used)::bigint FROM login l LEFT JOIN login_password p \
                   ON p.login = l.name AND p.label <> '' ORDER BY l.created, l.name, p.label";
        let rows = work!(self, Read, |tx| tx.query(sql, &[])).await?;
        let mut logins: Vec<Login> = Vec::new();
        for row in rows {
            let name = AccountId::new(row.get::<_, &str>(0));
            if logins.last().is_none_or(|last| last.name != name) {
                let created = Timestamp::from_unix(row.get(1));
                logins.push(Login { name, created, app_passwords: Vec::new() });
            }
            if let (Some(login), Some(label)) = (logins.last_mut(), row.get::<_, Option<String>>(2)) {
                login.app_passwords.push((label, row.get::<_, Option<i64>>(3).map(Timestamp::from_unix)));
            }
        }
        Ok(logins)
    }

    /// Lets an address stand for another: mail for the one goes to the other. One that has several targets is a list.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if the address is a login's; [`ErrorKind::Invalid`] if either is no address, or they are
    /// the same.
    pub async fn add_alias(&self, address: &str, target: &str) -> Result<()> {
        let (address, target) = (self.legal(address)?, self.legal(target)?);
        if address == target {
            return Err(StoreError::new(ErrorKind::Invalid, "an address cannot stand for itself"));
        }
        work!(self, Write, |tx| async {
            if tx.query_opt("SELECT 1 FROM login WHERE name = $1", &[&address]).await?.is_some() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            let sql = "INSERT INTO alias (address, target) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            tx.execute(sql, &[&address, &target]).await.map(drop)
        })
        .await
    }

    /// Takes an alias back.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub async fn remove_alias(&self, address: &str, target: &str) -> Result<()> {
        let (address, target) = (self.legal(address)?, self.legal(target)?);
        let sql = "DELETE FROM alias WHERE address = $1 AND target = $2";
        let gone = work!(self, Write, |tx| tx.execute(sql, &[&address, &target])).await?;
        if gone == 0 { Err(ErrorKind::NotFound.into()) } else { Ok(()) }
    }

    /// All aliases and what they stand for.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the database cannot be reached.
    pub async fn aliases(&self) -> Result<Vec<(String, String)>> {
        let sql = "SELECT address, target FROM alias ORDER BY address, target";
        let rows = work!(self, Read, |tx| tx.query(sql, &[])).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// How SASL is to be spoken, so that strangers look as those do who may log in (attack row A1): names are folded as
    /// here, and salts for strangers made with a key that all processes of the service share.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] while the database cannot be reached.
    pub async fn sasl(&self) -> Result<SaslConfig> {
        let fresh = [random_key()?, random_key()?].concat();
        let key: Vec<u8> = work!(self, Write, |tx| async {
            let sql = "INSERT INTO setting (name, value) VALUES ('decoy key', $1) ON CONFLICT DO NOTHING";
            tx.execute(sql, &[&fresh]).await?;
            Ok(tx.query_one("SELECT value FROM setting WHERE name = 'decoy key'", &[]).await?.get(0))
        })
        .await?;
        let key: [u8; 32] = key.try_into().map_err(|_| corrupt("a key that is none"))?;
        let this = self.clone();
        let fold = move |user: &UserName| this.name(user.as_str()).unwrap_or_else(|| user.as_str().to_lowercase());
        Ok(SaslConfig::new(Secret::new(key))
            .with_scram_iterations(ITERATIONS)
            .with_scram_salt_length(self.decoy.salt.len())
            .with_name_folding(fold))
    }

    /// A login's recipe, and its passwords by label.
    async fn record(&self, name: &str) -> Result<Option<(Recipe, Vec<(String, ScramKeyPair)>)>> {
        let name = name.to_owned();
        work!(self, Read, |tx| async {
            let sql = "SELECT salt, iterations FROM login WHERE name = $1";
            let Some(row) = tx.query_opt(sql, &[&name]).await? else { return Ok(None) };
            let sql = "SELECT label, stored_key, server_key FROM login_password WHERE login = $1 ORDER BY label";
            let rows = tx.query(sql, &[&name]).await?;
            let keys = rows.iter().map(|row| (row.get(0), ScramKeyPair::new(row.get(1), row.get(2)))).collect();
            Ok(Some((Recipe::of(&row)?, keys)))
        })
        .await
    }

    /// Writes down when an app password was last used, once an hour: not every fetch of a mail program is worth a write. A
    /// login does not fail over it.
    async fn note_use(&self, name: String, label: String) {
        let sql = "UPDATE login_password SET last_used = clock_timestamp() WHERE login = $1 AND label = $2 AND \
                   (last_used IS NULL OR last_used < clock_timestamp() - interval '1 hour')";
        if let Err(error) = work!(self, Write, |tx| tx.execute(sql, &[&name, &label])).await {
            tracing::warn!(%error, "the use of an app password was not written down");
        }
    }
}

async fn insert_password(tx: &Tx, name: &str, label: &str, keys: &ScramKeyPair) -> Outcome<()> {
    tx.execute(
        "INSERT INTO login_password (login, label, stored_key, server_key) VALUES ($1, $2, $3, $4)",
        &[&name, &label, keys.stored_key.expose(), keys.server_key.expose()],
    )
    .await
    .map(drop)
}

impl Authenticator for Logins {
    /// Takes as long for nobody as for somebody: one derivation (attack row A2); and looks at all keys, and at all of each
    /// (attack row A4).
    async fn check_password(&self, user: &UserName, password: &Secret<String>) -> Result<Option<AccountId>> {
        let name = self.name(user.as_str());
        let record = match &name {
            Some(name) => self.record(name).await?,
            None => None,
        };
        let (recipe, kept) = match record {
            Some((recipe, kept)) => (recipe, kept),
            None => ((*self.decoy).clone(), Vec::new()),
        };
        let Some(keys) = self.derive(password, recipe).await? else { return Ok(None) };
        let mut found = None;
        for (label, candidate) in kept {
            if bool::from(candidate.stored_key.expose().as_slice().ct_eq(keys.stored_key.expose())) {
                found = Some(label);
            }
        }
        let (Some(name), Some(label)) = (name, found) else { return Ok(None) };
        let account = AccountId::new(name.as_str());
        if !label.is_empty() {
            self.note_use(name, label).await;
        }
        Ok(Some(account))
    }

    async fn scram_keys(&self, user: &UserName, hash: ScramHash) -> Result<Option<ScramKeys>> {
        let Some(name) = self.name(user.as_str()).filter(|_| hash == ScramHash::Sha256) else { return Ok(None) };
        let Some((recipe, kept)) = self.record(&name).await? else { return Ok(None) };
        let keys = kept.into_iter().map(|(_, keys)| keys).collect();
        Ok(Some(ScramKeys::new(AccountId::new(name.as_str()), recipe.salt, recipe.iterations, keys)))
    }

    /// `ada` and `ada@example.org` are one, in any case of letters; nobody may act as another (attack row A3).
    async fn authorize(&self, authenticated: &AccountId, requested: &UserName) -> Result<Option<AccountId>> {
        let same = self.name(requested.as_str()).is_some_and(|name| name == authenticated.as_str());
        Ok(same.then(|| authenticated.clone()))
    }

    fn scram(&self) -> bool {
        true
    }
}

impl Directory for Logins {
    /// The logins that an address stands for: as it is, or without its tag (`ada+lists` is `ada`), through any number of
    /// aliases. `postmaster` and `abuse`, which every domain has to answer to (RFC 5321 §4.5.1, RFC 2142), go to
    /// [`with_postmaster`](Logins::with_postmaster)'s address or the oldest login if they are not given to anybody, and what
    /// is nobody's to [`with_catch_all`](Logins::with_catch_all)'s.
    async fn resolve(&self, recipient: &Recipient) -> Result<Resolution> {
        let local = recipient.local_part.to_lowercase();
        let domain = match &recipient.domain {
            None if local == "postmaster" => self.domains.first(),
            None => None,
            Some(domain) => self.domains.iter().find(|own| *own == domain),
        };
        let Some(domain) = domain else { return Ok(Resolution::NotLocal) };
        // The addresses to try, the first that somebody is behind being the one.
        let mut addresses = Vec::new();
        // A local part that was quoted may hold an `@`, and is then nobody's name here; it must not be read as an address
        // of another domain (attack row R1). PostgreSQL's text knows no NUL.
        if !local.contains(['@', '\0']) {
            addresses.push(format!("{local}@{domain}"));
            if let Some((user, _)) = local.split_once('+').filter(|(user, _)| !user.is_empty()) {
                addresses.push(format!("{user}@{domain}"));
            }
        }
        let role = local == "postmaster" || local == "abuse";
        addresses.extend(if role { &self.postmaster } else { &self.catch_all }.clone());
        let found = work!(self, Read, |tx| async {
            for address in &addresses {
                let found = follow(&tx, address).await?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
            if role {
                tx.query("SELECT name FROM login ORDER BY created, name LIMIT 1", &[]).await
            } else {
                Ok(Vec::new())
            }
        })
        .await?;
        let account = |row: &Row| Destination::inbox(AccountId::new(row.get::<_, &str>(0)));
        let destinations: Vec<Destination> = found.iter().map(account).collect();
        Ok(if destinations.is_empty() { Resolution::UnknownUser } else { Resolution::Local(destinations) })
    }
}

/// The logins behind an address, each address looked at once: aliases that lead to each other come to an end.
async fn follow(tx: &Tx, address: &str) -> Outcome<Vec<Row>> {
    tx.query(
        "WITH RECURSIVE walk (address) AS ( \
           SELECT $1::text COLLATE \"C\" UNION SELECT a.target FROM walk w JOIN alias a ON a.address = w.address) \
         SELECT l.name FROM walk JOIN login l ON l.name = walk.address ORDER BY l.name LIMIT $2",
        &[&address, &MAX_DESTINATIONS],
    )
    .await
}
