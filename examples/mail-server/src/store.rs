//! The mail store, as the commands use it: opened beside a server that may be running.

use std::path::Path;

use futures::TryStreamExt;
use mailstore_traits::{Account, AccountId, Actor, DynStore, ListHint, MailStore, StoreError, UidSet};
use store_maildir::MaildirStore;
use store_postgres::PostgresStore;

use crate::accounts::{Accounts, Shared};
use crate::config::Place;
use crate::data::DataFolder;
use crate::error::{Failure, Outcome};
use crate::name::Domain;
use crate::options::{DatabaseUrl, StoreChoice};

/// The store that a command is about: the one that was named, or the server's own.
pub(crate) fn chosen(place: &Place, accounts: &Accounts) -> Outcome<StoreChoice> {
    let served = if place.store_named { None } else { accounts.served_store()? };
    Ok(served.unwrap_or_else(|| place.store.clone()))
}

/// How a command opens a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// A server may be running on it.
    Beside,
    /// Nobody else may have it; it is made if it does not exist.
    Alone,
}

/// Opens a store for a command. What a server keeps in memory is out of a command's reach.
pub(crate) async fn open(choice: &StoreChoice, opening: Opening) -> Outcome<DynStore> {
    // What a server has taken, with whatever limit, a command takes too.
    let any = u64::MAX;
    match choice {
        StoreChoice::Sqlite(path) => {
            let options = store_sqlite::Options::default().max_message(any);
            let options = if opening == Opening::Beside { options.shared() } else { options };
            options.open(path).map(DynStore::new).map_err(|error| Failure::failed(error.to_string()))
        }
        StoreChoice::Maildir(path) => maildir(path, any).map(DynStore::new),
        StoreChoice::Postgres(url) => postgres(url, any).await.map(DynStore::new),
        StoreChoice::Memory => Err(Failure::usage(
            "there is no mail to reach in memory:, which each server has for itself; name another --store",
        )),
    }
}

/// Opens a folder of Maildirs, and makes it if it is not there.
pub(crate) fn maildir(path: &Path, max_message: u64) -> Outcome<MaildirStore> {
    let folder = DataFolder::open_or_make(path)?;
    let options = store_maildir::Options::default().max_message(max_message);
    MaildirStore::open_with(folder.path(), options).map_err(|error| Failure::failed(error.to_string()))
}

/// Connects to a database.
pub(crate) async fn postgres(url: &DatabaseUrl, max_message: u64) -> Outcome<PostgresStore> {
    let options = store_postgres::Options::default().max_message(max_message);
    PostgresStore::connect(url.expose(), options).await.map_err(|error| Failure::failed(error.to_string()))
}

/// The accounts that are in a database beside the mail.
pub(crate) fn shared_accounts(store: &PostgresStore, domains: &[Domain]) -> Outcome<Shared> {
    let logins = store.logins(domains.iter().map(Domain::as_str));
    let logins = logins.map_err(|error| Failure::failed(format!("the accounts cannot be reached: {error}")))?;
    Ok(Shared::new(logins, store.fetch_log(), tokio::runtime::Handle::current()))
}

/// Removes all mailboxes of an account with their messages, and the subscriptions.
pub(crate) async fn delete_mail<S: MailStore>(store: &S, name: &AccountId) -> Outcome {
    let gone = async {
        let account = store.open(name, &Actor::Service).await?;
        let listed: Vec<_> = account.list(ListHint::default()).try_collect().await?;
        for info in listed {
            if info.subscribed {
                account.set_subscribed(&info.name, false).await?;
            }
            match info.id {
                Some(inbox) if info.name.is_inbox() => {
                    account.expunge(&inbox, &UidSet::all(), false).await?;
                }
                Some(mailbox) => account.delete(&mailbox).await?,
                None => {}
            }
        }
        Ok::<_, StoreError>(())
    };
    gone.await.map_err(|error| {
        Failure::failed(format!(
            "the account is removed, but its mail is not: {error}; try `account remove {name} --delete-mail` again"
        ))
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mailstore_traits::memory::MemoryStore;
    use mailstore_traits::{MailboxName, Mode, SizeHint, Stage, Target};

    use super::*;
    use crate::options::Options;

    #[test]
    fn a_command_goes_to_the_store_that_the_server_was_started_with() {
        let folder = tempfile::tempdir().unwrap();
        let (data, elsewhere) = (folder.path().join("data"), folder.path().join("mail.db"));
        std::fs::create_dir(&data).unwrap();
        let accounts = Accounts::open(&data).unwrap();
        let place = |store| Place::new(&Options { data: Some(data.clone()), store, ..Options::default() });
        let named = StoreChoice::Sqlite(elsewhere.clone());
        accounts.set_served_store(Some(&named)).unwrap();
        assert_eq!(chosen(&place(None), &accounts).unwrap(), named);
        let other = StoreChoice::Sqlite(folder.path().join("other.db"));
        assert_eq!(chosen(&place(Some(other.clone())), &accounts).unwrap(), other);
        accounts.set_served_store(Some(&StoreChoice::Memory)).unwrap();
        let reached = futures::executor::block_on(open(&chosen(&place(None), &accounts).unwrap(), Opening::Beside));
        assert!(reached.err().unwrap().to_string().contains("memory:"));
        accounts.set_served_store(None).unwrap();
        assert_eq!(chosen(&place(None), &accounts).unwrap(), StoreChoice::Sqlite(data.join("mail.sqlite")));
    }

    #[tokio::test]
    async fn deleted_mail_is_gone_from_every_mailbox() {
        let (store, ada) = (MemoryStore::new(), AccountId::new("ada@example.org"));
        let mut stage = store.stage(SizeHint::Unknown).await.unwrap();
        stage.write(Bytes::from_static(b"A: b\r\n\r\n")).await.unwrap();
        let blob = stage.finish(None).await.unwrap();
        store.deliver(&blob, vec![Target::inbox(ada.clone())], Mode::AllOrNothing).await.unwrap();
        let account = store.open(&ada, &Actor::Service).await.unwrap();
        let archive = MailboxName::parse("Archive/2020").unwrap();
        account.create(&archive, None).await.unwrap();
        account.set_subscribed(&archive, true).await.unwrap();
        delete_mail(&store, &ada).await.unwrap();
        let left: Vec<_> = account.list(ListHint::default()).try_collect().await.unwrap();
        assert_eq!(left.iter().map(|info| info.name.as_str()).collect::<Vec<_>>(), ["INBOX"]);
        let inbox = left[0].id.clone().unwrap();
        assert!(account.snapshot(&inbox, false).await.unwrap().uids.is_empty());
    }
}
