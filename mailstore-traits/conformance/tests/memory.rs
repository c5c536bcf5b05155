//! The kit on the store in memory; and on one that shows what must not be seen, for the kit has to see it.

use mailstore_traits::contract::{ACCOUNTS, Factory};
use mailstore_traits::memory::MemoryStore;
use mailstore_traits::{Account, AccountId, Actor, Keyword, MailStore, MailboxName, Mode, Placement, SizeHint, Stage};

struct InMemory;

impl Factory for InMemory {
    type Store = MemoryStore;

    async fn fresh(&self) -> MemoryStore {
        MemoryStore::new()
    }
}

conformance::conformance_tests!(InMemory);

/// INBOX has a keyword that is a word of the store's own.
struct Telling;

impl Factory for Telling {
    type Store = MemoryStore;

    async fn fresh(&self) -> MemoryStore {
        let store = MemoryStore::new();
        let id = AccountId::from(ACCOUNTS[0]);
        let account = store.open(&id, &Actor::User(id.clone())).await.expect("memory opens every account");
        let inbox = account.find(&MailboxName::inbox()).await.expect("it is always there");
        let mut stage = Account::stage(&account, SizeHint::Unknown).await.expect("there is room");
        stage.write("Subject: hello\r\n\r\nHello.\r\n".into()).await.expect("there is room");
        let blob = stage.finish(None).await.expect("there is room");
        let flags = ["mail.db"].into_iter().map(|word| Keyword::new(word).expect("an atom")).collect();
        let placement = Placement::new(blob, inbox).with_flags(flags);
        account.commit(vec![placement], Mode::AllOrNothing).await.expect("there is room");
        store
    }
}

#[test]
fn a_word_of_the_stores_own_is_seen_when_it_goes_out() {
    let report = conformance::run_one(Telling, "each_error_has_its_code_by_imap");
    let (_, why) = report.failed().next().expect("it was not seen");
    assert!(why.contains("the store's own words went out"), "{why}");
}
