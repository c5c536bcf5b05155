//! The commands on accounts and aliases.

use std::io::BufRead;

use mail_wire::Secret;
use mailstore_traits::Timestamp;

use crate::accounts::{Accounts, AccountsError};
use crate::cli::{AccountCommand, AliasCommand, AppPasswordCommand, PasswordSource};
use crate::config::{Place, default_domain};
use crate::data::DataFolder;
use crate::error::{Failure, Outcome};
use crate::name::{Address, Domain};
use crate::options::StoreChoice;
use crate::out::{self, note, say};
use crate::store;

/// The accounts of a data folder, and the domains that names are taken at.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) accounts: Accounts,
    domains: Vec<Domain>,
}

impl Office {
    /// Opens the accounts; makes the folder too if asked, so that the first account can be made before the first start.
    pub(crate) async fn open(place: &Place, make: bool) -> Outcome<Self> {
        let folder = if make { DataFolder::open_or_make(&place.data)? } else { DataFolder::open(&place.data)? };
        let accounts = Accounts::open(folder.path())?;
        let served = accounts.served_domains()?;
        let domains = [place.domains.clone(), served, vec![default_domain()]];
        let domains = domains.into_iter().find(|some| !some.is_empty()).unwrap_or_default();
        let accounts = match store::chosen(place, &accounts)? {
            // The accounts that count are where the servers have them.
            StoreChoice::Postgres(url) => {
                let store = store::postgres(&url, place.max_message_size.0).await?;
                accounts.shared_by(store::shared_accounts(&store, &domains)?)
            }
            StoreChoice::Sqlite(_) | StoreChoice::Maildir(_) | StoreChoice::Memory => accounts,
        };
        Ok(Self { accounts, domains })
    }

    /// Reads an address as it was typed.
    pub(crate) fn address(&self, text: &str) -> Outcome<Address> {
        let first = self.domains.first().cloned().unwrap_or_else(default_domain);
        Address::parse(text, &first).map_err(Failure::usage)
    }

    fn addresses(&self, texts: &[String]) -> Outcome<Vec<Address>> {
        texts.iter().map(|text| self.address(text)).collect()
    }

    /// Says so if no mail would reach an address: more likely a slip than a plan.
    fn warn_of_foreign_domain(&self, address: &Address) {
        if !self.domains.iter().any(|own| own.as_str() == address.domain()) {
            note!(
                "note: {0} is not among the server's domains; start it with --domain {0} for mail to reach {1}",
                address.domain(),
                address
            );
        }
    }
}

/// `account ...`. Gives the account whose mail is to be removed, too: the store's to do, and then [`mail_is_gone`].
pub(crate) fn account(office: &Office, command: &AccountCommand) -> Outcome<Option<Address>> {
    let accounts = &office.accounts;
    match command {
        AccountCommand::Add { name, password } => {
            let name = office.address(name)?;
            // Before a password is asked for: nobody should type one twice in vain.
            accounts.require_free(&name)?;
            let had_mail = accounts.add(&name, &read_password(&name, password)?)?;
            say!("added {name}");
            if had_mail {
                note!("note: an account of this name was removed before; its mail was kept, and {name} has it");
            }
            office.warn_of_foreign_domain(&name);
        }
        AccountCommand::Passwd { name, password } => {
            let name = office.address(name)?;
            accounts.require(&name)?;
            accounts.set_password(&name, &read_password(&name, password)?)?;
            say!("{name} has a new password");
        }
        AccountCommand::List => {
            let rows = accounts.list()?.into_iter();
            let rows: Vec<_> = rows.map(|one| [one.name, one.app_passwords.to_string(), day(one.created)]).collect();
            if rows.is_empty() {
                note!("there are no accounts; make one with `account add NAME`");
            } else {
                out::table(["account", "app passwords", "since"], &rows);
            }
        }
        AccountCommand::Remove { name, delete_mail } => {
            let name = office.address(name)?;
            // The account first: from then on no mail comes that would be left behind.
            match accounts.remove(&name) {
                Err(AccountsError::NoAccount(_)) if *delete_mail && accounts.left_mail(&name)? => {}
                removed => removed?,
            }
            if *delete_mail {
                return Ok(Some(name));
            }
            say!("removed {name}");
            note!("note: its mail is kept, and an account of the same name will have it; --delete-mail removes it");
        }
        AccountCommand::AppPassword(command) => app_password(office, command)?,
    }
    Ok(None)
}

/// The mail of an account that was removed is removed.
pub(crate) fn mail_is_gone(office: &Office, name: &Address) -> Outcome {
    office.accounts.mail_is_gone(name)?;
    say!("removed {name} and its mail");
    Ok(())
}

fn app_password(office: &Office, command: &AppPasswordCommand) -> Outcome {
    let accounts = &office.accounts;
    match command {
        AppPasswordCommand::Add { name, label } => {
            let password = accounts.add_app_password(&office.address(name)?, label)?;
            say!("{}", password.expose());
            note!("note: this password is shown once; the account's own goes on working");
        }
        AppPasswordCommand::List { name } => {
            let listed = accounts.app_passwords(&office.address(name)?)?.into_iter();
            let used = |at: Option<Timestamp>| at.map_or_else(|| String::from("never"), day);
            let rows: Vec<_> = listed.map(|one| [one.label, day(one.created), used(one.last_used)]).collect();
            if rows.is_empty() {
                note!("there are none; make one with `account app-password add {name} LABEL`");
            } else {
                out::table(["label", "since", "last used"], &rows);
            }
        }
        AppPasswordCommand::Remove { name, label } => {
            accounts.remove_app_password(&office.address(name)?, label)?;
            say!("removed");
        }
    }
    Ok(())
}

/// `alias ...`.
pub(crate) fn alias(office: &Office, command: &AliasCommand) -> Outcome {
    let accounts = &office.accounts;
    match command {
        AliasCommand::Add { address, targets } => {
            let (address, targets) = (office.address(address)?, office.addresses(targets)?);
            accounts.add_alias(&address, &targets)?;
            say!("mail for {address} goes to {} too", join(&targets));
            office.warn_of_foreign_domain(&address);
        }
        AliasCommand::List => {
            let rows: Vec<_> = accounts.aliases()?.into_iter().map(|(address, target)| [address, target]).collect();
            if rows.is_empty() {
                note!("there are no aliases; make one with `alias add ADDRESS TARGET`");
            } else {
                out::table(["alias", "goes to"], &rows);
            }
        }
        AliasCommand::Remove { address, targets } => {
            let (address, targets) = (office.address(address)?, office.addresses(targets)?);
            accounts.remove_alias(&address, &targets)?;
            let what = if targets.is_empty() { address.to_string() } else { join(&targets) };
            say!("removed {what}");
        }
    }
    Ok(())
}

fn join(addresses: &[Address]) -> String {
    addresses.iter().map(Address::as_str).collect::<Vec<_>>().join(", ")
}

fn day(time: Timestamp) -> String {
    time::OffsetDateTime::from_unix_timestamp(time.unix_seconds())
        .map_or_else(|_| String::new(), |time| time.date().to_string())
}

/// Reads a password from standard input, or asks for it twice.
fn read_password(name: &Address, source: &PasswordSource) -> Outcome<Secret<String>> {
    let cannot = |error: std::io::Error| Failure::failed(format!("cannot read the password: {error}"));
    if source.password_stdin {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(cannot)?;
        let end = line.trim_end_matches(['\r', '\n']).len();
        line.truncate(end);
        return Ok(Secret::new(line));
    }
    if !out::can_ask() {
        return Err(Failure::usage(
            "there is no terminal to ask for a password at; give it on standard input with --password-stdin",
        ));
    }
    let first = Secret::new(rpassword::prompt_password(format!("Password for {name}: ")).map_err(cannot)?);
    let second = Secret::new(rpassword::prompt_password("Once more: ").map_err(cannot)?);
    if first.expose() != second.expose() {
        return Err(Failure::failed("the two passwords differ; try again"));
    }
    Ok(first)
}
