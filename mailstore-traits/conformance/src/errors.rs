//! Row 71: what clients are told of a store's errors, and what they are not.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use mailstore_traits::contract::{ACCOUNTS, Factory};
use mailstore_traits::{
    Account, AccountId, Actor, ErrorKind, MailStore, MailboxName, Mode, Placement, Result, SizeHint, Stage, StoreError,
};

use crate::house::{Client, House};
use crate::{Call, Check, Stop, Tap, Tapped, ensure};

/// What a store says of its trouble, which is for its host's log.
const SECRET: &str = "row 7 of /var/lib/mail.db\r\n* BYE 250 +OK";

/// Fails one call, each time, as long as it is told to.
#[derive(Default)]
struct Failing(Mutex<Option<(Call, StoreError)>>);

impl Failing {
    fn fail(&self, call: Call, kind: ErrorKind, retryable: Option<bool>) {
        let mut error = StoreError::new(kind, SECRET);
        if let Some(retryable) = retryable {
            error = error.with_retryable(retryable);
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((call, error));
    }

    fn mend(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Tap for Failing {
    fn before(&self, call: Call) -> BoxFuture<'static, Result<()>> {
        let failing = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            match failing {
                Some((which, error)) if which == call => Err(error),
                _ => Ok(()),
            }
        })
    }
}

/// A store with two messages in INBOX and an empty mailbox beside it, behind somebody who can make it fail.
async fn failing<F: Factory>(factory: &F) -> Check<(House<Tapped<F::Store>>, Arc<Failing>)> {
    let store = factory.fresh().await;
    if !store.features().writable {
        return Err(Stop::Skipped("the store does not have the feature `writable`".into()));
    }
    let id = AccountId::from(ACCOUNTS[0]);
    let account = store.open(&id, &Actor::User(id.clone())).await?;
    account.create(&MailboxName::parse("Other").map_err(Stop::failed)?, None).await?;
    let inbox = account.find(&MailboxName::inbox()).await?;
    for _ in 0..2 {
        let mut stage = Account::stage(&account, SizeHint::Unknown).await?;
        stage.write("Subject: hello\r\n\r\nHello.\r\n".into()).await?;
        let placement = Placement::new(stage.finish(None).await?, inbox.clone());
        account.commit(vec![placement], Mode::AllOrNothing).await?.pop().transpose()?;
    }
    let tap = Arc::new(Failing::default());
    let tapped = Tapped::new(store, Arc::clone(&tap) as Arc<dyn Tap>);
    Ok((House::over(&tapped), tap))
}

fn nothing_leaked(client: &Client) -> Check {
    let heard = client.heard();
    ensure!(!heard.contains("mail.db") && !heard.contains("row 7"), "the store's own words went out: {heard}");
    Ok(())
}

/// RFC 5530 §3, by the kind.
fn imap_code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound | ErrorKind::NonExistentParent => "NONEXISTENT",
        ErrorKind::AlreadyExists => "ALREADYEXISTS",
        ErrorKind::NotPermitted => "NOPERM",
        ErrorKind::OverQuota => "OVERQUOTA",
        ErrorKind::TooBig => "TOOBIG",
        ErrorKind::LimitExceeded => "LIMIT",
        ErrorKind::InUse => "INUSE",
        ErrorKind::Expunged => "EXPUNGEISSUED",
        ErrorKind::Corrupt => "CORRUPTION",
        ErrorKind::Unavailable => "UNAVAILABLE",
        ErrorKind::Unsupported | ErrorKind::Invalid => "CANNOT",
        _ => "SERVERBUG",
    }
}

/// The calls that a command makes, each of which may fail.
const IMAP: [(Call, &str); 23] = [
    (Call::Find, "STATUS Other (MESSAGES)"),
    (Call::Status, "STATUS Other (MESSAGES)"),
    (Call::List, "LIST \"\" *"),
    (Call::Namespaces, "NAMESPACE"),
    (Call::Create, "CREATE New"),
    (Call::Delete, "DELETE Other"),
    (Call::Rename, "RENAME Other Third"),
    (Call::SetSubscribed, "SUBSCRIBE Other"),
    (Call::SetSubscribed, "UNSUBSCRIBE Other"),
    (Call::FetchMeta, "FETCH 1:* (FLAGS INTERNALDATE)"),
    (Call::FetchMeta, "SEARCH LARGER 10"),
    (Call::OpenBody, "SEARCH BODY hello"),
    (Call::OpenBody, "FETCH 1 BODY.PEEK[]"),
    (Call::StoreFlags, "STORE 1 +FLAGS (\\Flagged)"),
    (Call::Find, "COPY 1 Other"),
    (Call::Copy, "COPY 1 Other"),
    (Call::MoveMessages, "MOVE 1 Other"),
    (Call::Expunge, "EXPUNGE"),
    (Call::Find, "APPEND Other {26}\r\nSubject: hello\r\n\r\nHello.\r\n"),
    (Call::Stage, "APPEND Other {26}\r\nSubject: hello\r\n\r\nHello.\r\n"),
    (Call::Write, "APPEND Other {26}\r\nSubject: hello\r\n\r\nHello.\r\n"),
    (Call::Finish, "APPEND Other {26}\r\nSubject: hello\r\n\r\nHello.\r\n"),
    (Call::Commit, "APPEND Other {26}\r\nSubject: hello\r\n\r\nHello.\r\n"),
];

fn imap_answer(kind: ErrorKind, call: Call, command: &str) -> String {
    let has_destination = ["COPY", "MOVE", "APPEND"].iter().any(|verb| command.starts_with(verb));
    match (kind, call) {
        // Where the mailbox is missing that something was to go to, the client may make it (RFC 9051 §7.1).
        (ErrorKind::NotFound, Call::Find | Call::Finish | Call::Commit | Call::Copy | Call::MoveMessages)
            if has_destination =>
        {
            "NO [TRYCREATE] ".into()
        }
        // A message that has gone meanwhile is not found, and that is no error.
        (ErrorKind::Expunged, Call::OpenBody) if command.starts_with("SEARCH") => "OK ".into(),
        _ => format!("NO [{}] ", imap_code(kind)),
    }
}

pub(crate) async fn each_error_has_its_code_by_imap<F: Factory>(factory: &F) -> Check {
    let (house, tap) = failing(factory).await?;
    for kind in ErrorKind::ALL {
        let mut client = house.imap_in().await?;
        client.imap_ok("SELECT INBOX").await?;
        for (call, command) in IMAP {
            tap.fail(call, kind, None);
            let answer = client.imap(command).await?.1;
            tap.mend();
            let expected = imap_answer(kind, call, command);
            ensure!(
                answer.starts_with(&expected),
                "{call:?} failed with {kind:?}: {command:?} was answered {answer:?}, and not {expected:?}"
            );
            client.imap_ok("NOOP").await?;
        }
        // A mailbox that could not be selected is not selected, and the session goes on.
        for call in [Call::Find, Call::Watch, Call::Snapshot] {
            tap.fail(call, kind, None);
            let answer = client.imap("SELECT Other").await?.1;
            tap.mend();
            let expected = format!("NO [{}] ", imap_code(kind));
            ensure!(
                answer.starts_with(&expected),
                "{call:?} failed with {kind:?}: SELECT was answered {answer:?}, and not {expected:?}"
            );
            let answer = client.imap("FETCH 1 FLAGS").await?.1;
            ensure!(
                answer.starts_with("BAD") || answer.starts_with("NO"),
                "FETCH behind a SELECT that failed was answered {answer:?}"
            );
            client.imap_ok("SELECT INBOX").await?;
        }
        // Whoever may not open the account is told that it is not available, and nothing of why.
        tap.fail(Call::Open, kind, None);
        let mut stranger = house.imap().await?;
        let answer = stranger.imap(&format!("LOGIN {} x", ACCOUNTS[0])).await?.1;
        tap.mend();
        ensure!(answer.starts_with("NO [UNAVAILABLE]"), "open failed with {kind:?}: LOGIN was answered {answer:?}");
        nothing_leaked(&stranger)?;
        nothing_leaked(&client)?;
    }
    Ok(())
}

/// RFC 5321 §4.2.3 and RFC 3463, by the kind: what only another message or another recipient can mend is permanent.
fn smtp_code(kind: ErrorKind, retryable: bool) -> &'static str {
    match kind {
        ErrorKind::NotFound if !retryable => "550 5.1.1 ",
        ErrorKind::NotPermitted if !retryable => "550 5.7.1 ",
        ErrorKind::TooBig if !retryable => "552 5.3.4 ",
        ErrorKind::OverQuota => "452 4.2.2 ",
        ErrorKind::LimitExceeded => "452 4.3.1 ",
        ErrorKind::InUse => "450 4.2.1 ",
        ErrorKind::Unsupported => "451 4.3.5 ",
        _ => "451 4.3.0 ",
    }
}

pub(crate) async fn each_error_has_its_reply_by_smtp<F: Factory>(factory: &F) -> Check {
    let (house, tap) = failing(factory).await?;
    for protocol in ["SMTP", "LMTP"] {
        for kind in ErrorKind::ALL {
            // One connection may not send as many messages as there are kinds.
            let mut client = if protocol == "SMTP" { house.smtp().await? } else { house.lmtp().await? };
            for retryable in [false, true] {
                for call in [Call::Stage, Call::Write, Call::Finish, Call::Deliver] {
                    client.smtp("MAIL FROM:<>").await?;
                    client.smtp(&format!("RCPT TO:<{}>", ACCOUNTS[0])).await?;
                    tap.fail(call, kind, Some(retryable));
                    let mut reply = client.smtp("DATA").await?;
                    if reply.starts_with("354") {
                        reply = client.smtp("Subject: hello\r\n\r\nHello.\r\n.").await?;
                    }
                    tap.mend();
                    let expected = smtp_code(kind, retryable);
                    ensure!(
                        reply.starts_with(expected),
                        "{protocol}: {call:?} failed with {kind:?}, retryable: {retryable}: the message was answered {reply:?}, and not {expected:?}"
                    );
                    // The session goes on, and the next message is nothing to the one that failed.
                    let reply = client.smtp("RSET").await?;
                    ensure!(reply.starts_with("250"), "RSET was answered {reply:?}");
                }
            }
            nothing_leaked(&client)?;
        }
    }
    Ok(())
}

/// RFC 2449 §8 and RFC 3206, by the kind.
fn pop3_code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InUse => "-ERR [IN-USE] ",
        ErrorKind::Unavailable => "-ERR [SYS/TEMP] ",
        // Nothing is wrong with the server: the message has gone.
        ErrorKind::Expunged => "-ERR message",
        _ => "-ERR [SYS/PERM] ",
    }
}

pub(crate) async fn each_error_has_its_answer_by_pop3<F: Factory>(factory: &F) -> Check {
    let (house, tap) = failing(factory).await?;
    for kind in ErrorKind::ALL {
        for call in [Call::Open, Call::Find, Call::LeaseMaildrop, Call::Snapshot, Call::FetchMeta] {
            let mut client = house.pop3().await?;
            client.pop3(&format!("USER {}", ACCOUNTS[0])).await?;
            tap.fail(call, kind, None);
            let answer = client.pop3("PASS x").await?;
            tap.mend();
            let expected = pop3_code(kind);
            ensure!(
                answer.starts_with(expected),
                "{call:?} failed with {kind:?}: PASS was answered {answer:?}, and not {expected:?}"
            );
            // What held the maildrop has let it go.
            client.pop3(&format!("USER {}", ACCOUNTS[0])).await?;
            let answer = client.pop3("PASS x").await?;
            ensure!(answer.starts_with("+OK"), "PASS behind one that failed with {kind:?} was answered {answer:?}");
            for (call, command) in [(Call::OpenBody, "RETR 1"), (Call::OpenBody, "TOP 1 0")] {
                tap.fail(call, kind, None);
                let answer = client.pop3(command).await?;
                tap.mend();
                ensure!(
                    answer.starts_with(expected),
                    "{call:?} failed with {kind:?}: {command} was answered {answer:?}, and not {expected:?}"
                );
                let answer = client.pop3(command).await?;
                ensure!(
                    answer.starts_with("+OK"),
                    "{command} behind one that failed with {kind:?} was answered {answer:?}"
                );
                client.pop3_rest().await?;
            }
            // RFC 1939 §6: what could not be removed is told as such.
            client.pop3("DELE 1").await?;
            tap.fail(Call::Expunge, kind, None);
            let answer = client.pop3("QUIT").await?;
            tap.mend();
            ensure!(answer.starts_with("-ERR "), "QUIT was answered {answer:?} when expunge failed with {kind:?}");
            nothing_leaked(&client)?;
        }
    }
    Ok(())
}
