//! The mail store, as the commands use it: opened beside a server that may be running.

use futures::TryStreamExt;
use mailstore_traits::{Account, AccountId, Actor, DynStore, ListHint, MailStore, StoreError, UidSet};

use crate::accounts::Accounts;
use crate::config::Place;
use crate::error::{Failure, Outcome};
use crate::options::StoreChoice;

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
pub(crate) fn open(choice: &StoreChoice, opening: Opening) -> Outcome<DynStore> {
    match choice {
        StoreChoice::Sqlite(path) => {
            // What a server has taken, with whatever limit, a command takes too.
            let options = store_sqlite::Options::default().max_message(u64::MAX);
            let options = if opening == Opening::Beside { options.shared() } else { options };
            options.open(path).map(DynStore::new).map_err(|error| Failure::failed(error.to_string()))
        }
        StoreChoice::Memory => Err(Failure::usage(
            "there is no mail to reach in memory:, which each server has for itself; name another --store",
        )),
    }
}

/// Opens the store that a command is about.
pub(crate) fn open_beside(place: &Place, accounts: &Accounts) -> Outcome<DynStore> {
    open(&chosen(place, accounts)?, Opening::Beside)
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
        assert!(open_beside(&place(None), &accounts).err().unwrap().to_string().contains("memory:"));
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
