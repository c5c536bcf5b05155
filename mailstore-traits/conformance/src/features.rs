//! Row 76: what a store says that it does not have is not asked of it, and what it says that it has is.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use mailstore_traits::contract::{ACCOUNTS, Factory};
use mailstore_traits::{MailStore, Result, StoreFeatures};

use crate::house::House;
use crate::{Call, Check, Stop, Tap, Tapped, ensure};

/// Says that the store has these features, and remembers what it was asked.
struct Listening {
    change: fn(&mut StoreFeatures),
    asked: Mutex<BTreeSet<Call>>,
}

impl Listening {
    fn new(change: fn(&mut StoreFeatures)) -> Arc<Self> {
        Arc::new(Self { change, asked: Mutex::default() })
    }

    fn asked(&self) -> BTreeSet<Call> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tap for Listening {
    fn features(&self, mut features: StoreFeatures) -> StoreFeatures {
        (self.change)(&mut features);
        features
    }

    fn before(&self, call: Call) -> BoxFuture<'static, Result<()>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(call);
        Box::pin(async { Ok(()) })
    }
}

/// Methods that only a store with that feature has, and how it says that it does not have it.
type Gate = (&'static str, fn(&mut StoreFeatures), &'static [Call]);

const GATES: [Gate; 8] = [
    (
        "writable",
        |features| features.writable = false,
        &[
            Call::Create,
            Call::Delete,
            Call::Rename,
            Call::SetSubscribed,
            Call::Commit,
            Call::StoreFlags,
            Call::Copy,
            Call::MoveMessages,
            Call::Expunge,
        ],
    ),
    ("restore", |features| features.restore = false, &[Call::Restore]),
    ("maildrop_lease", |features| features.maildrop_lease = false, &[Call::LeaseMaildrop]),
    ("quota", |features| features.quota = false, &[Call::QuotaRoots, Call::SetQuota]),
    ("acl", |features| features.acl = false, &[Call::Acl, Call::SetAcl, Call::MyRights]),
    ("annotations", |features| features.annotations = false, &[Call::Annotations, Call::SetAnnotations]),
    ("search_index", |features| features.search_index = false, &[Call::Search]),
    ("watch_account", |features| features.watch_account = false, &[Call::WatchAccount]),
];

/// Everything that clients can say. What is answered is not looked at here, but that there is an answer.
async fn talk<S: MailStore>(house: &House<S>) -> Check<String> {
    let mut smtp = house.smtp().await?;
    for number in 0..3 {
        smtp.smtp("MAIL FROM:<>").await?;
        for account in ACCOUNTS.iter().take(number + 1) {
            smtp.smtp(&format!("RCPT TO:<{account}>")).await?;
        }
        smtp.smtp("DATA").await?;
        let reply = smtp.smtp("Subject: hello\r\n\r\nHello.\r\n.").await?;
        ensure!(reply.starts_with("250"), "a message was answered {reply:?}");
    }
    let mut imap = house.imap_in().await?;
    let mut offered = imap.imap_ok("CAPABILITY").await?.concat();
    for command in [
        "LIST \"\" * RETURN (SPECIAL-USE SUBSCRIBED STATUS (MESSAGES SIZE))",
        "NAMESPACE",
        "CREATE Other",
        "CREATE Third",
        "RENAME Third Fourth",
        "SUBSCRIBE Other",
        "STATUS Other (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE HIGHESTMODSEQ)",
        "APPEND Other {26}\r\nSubject: hello\r\n\r\nHello.\r\n",
        "SELECT INBOX",
        "FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE MODSEQ)",
        "FETCH 1 BODY[]",
        "SEARCH BODY hello",
        "SEARCH TEXT hello",
        "STORE 1 +FLAGS (\\Flagged)",
        "COPY 1 Other",
        "MOVE 1 Other",
        "STORE 1 +FLAGS (\\Deleted)",
        "EXPUNGE",
        "GETQUOTAROOT INBOX",
        "GETACL INBOX",
        "MYRIGHTS INBOX",
        "GETMETADATA INBOX /shared/comment",
        "NOTIFY SET (PERSONAL (MailboxName))",
        "CLOSE",
        "UNSUBSCRIBE Other",
        "DELETE Fourth",
        "NOOP",
    ] {
        imap.imap(command).await?;
    }
    let mut pop3 = house.pop3().await?;
    pop3.pop3("CAPA").await?;
    offered.push_str(&pop3.pop3_rest().await?.concat());
    pop3.pop3(&format!("USER {}", ACCOUNTS[0])).await?;
    if pop3.pop3("PASS x").await?.starts_with("+OK") {
        for command in ["STAT", "RETR 1", "DELE 1", "QUIT"] {
            if pop3.pop3(command).await?.starts_with("+OK") && command.starts_with("RETR") {
                pop3.pop3_rest().await?;
            }
        }
    }
    Ok(offered)
}

pub(crate) async fn what_is_off_is_not_asked_for<F: Factory>(factory: &F) -> Check {
    for (feature, off, methods) in GATES {
        let store = factory.fresh().await;
        let tap = Listening::new(off);
        let offered = talk(&House::over(&Tapped::new(store, Arc::clone(&tap) as Arc<dyn Tap>))).await?;
        let asked = tap.asked();
        let wrong: Vec<_> = methods.iter().filter(|call| asked.contains(call)).collect();
        ensure!(wrong.is_empty(), "the store does not have {feature}, and was asked for {wrong:?}");
        let words: &[&str] = match feature {
            "quota" => &["QUOTA"],
            "acl" => &["ACL", "RIGHTS="],
            "annotations" => &["METADATA"],
            "watch_account" => &["NOTIFY"],
            _ => &[],
        };
        for word in words {
            ensure!(!offered.contains(word), "the store does not have {feature}, and {word} is offered: {offered}");
        }
    }
    Ok(())
}

/// Without this one the other would be kept by a server that asks for nothing at all.
pub(crate) async fn what_is_on_is_used<F: Factory>(factory: &F) -> Check {
    let store = factory.fresh().await;
    let features = store.features();
    if !features.writable {
        return Err(Stop::Skipped("the store does not have the feature `writable`".into()));
    }
    let tap = Listening::new(|features| features.search_index = true);
    talk(&House::over(&Tapped::new(store, Arc::clone(&tap) as Arc<dyn Tap>))).await?;
    let asked = tap.asked();
    let is_on = |feature: &str| match feature {
        "maildrop_lease" => features.maildrop_lease,
        // Said to be there; a store without an index answers that it has none, and the server looks for itself.
        "writable" | "search_index" => true,
        // No server of this suite speaks of these yet.
        _ => false,
    };
    for (feature, _, methods) in GATES {
        for method in methods.iter().filter(|_| is_on(feature)) {
            ensure!(asked.contains(method), "the store has {feature}, and {method:?} was not asked for");
        }
    }
    Ok(())
}
