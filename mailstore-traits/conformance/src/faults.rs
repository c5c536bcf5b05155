//! A store that is slow, fails now and then, or is asked by clients who go away in the middle (the contract's rows 59, 72
//! and 74, as clients see them).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use mailstore_traits::contract::{ACCOUNTS, Factory};
use mailstore_traits::{
    Account, AccountId, Actor, ByteRange, ErrorKind, ListHint, MailStore, MailboxName, Result, UidSet,
};

use crate::house::{Client, House};
use crate::{Call, Check, Stop, Tap, Tapped, ensure};

/// Fails one call in seven, for as long as it is switched on. Which ones looks random, and is the same in each run of one
/// client.
#[derive(Default)]
struct Moody {
    on: AtomicBool,
    calls: AtomicU64,
}

impl Tap for Moody {
    fn before(&self, _: Call) -> BoxFuture<'static, Result<()>> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let fails = self.on.load(Ordering::Relaxed) && mixed(number).is_multiple_of(7);
        Box::pin(async move { if fails { Err(ErrorKind::Unavailable.into()) } else { Ok(()) } })
    }
}

/// splitmix64.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

async fn writable<F: Factory>(factory: &F) -> Check<F::Store> {
    let store = factory.fresh().await;
    match store.features().writable {
        true => Ok(store),
        false => Err(Stop::Skipped("the store does not have the feature `writable`".into())),
    }
}

async fn account_of<S: MailStore>(store: &S) -> Check<S::Account> {
    let id = AccountId::from(ACCOUNTS[0]);
    Ok(store.open(&id, &Actor::User(id.clone())).await?)
}

/// In which mailboxes of the first account each message is, by its subject.
type Found = BTreeMap<String, Vec<String>>;

async fn found<S: MailStore>(store: &S) -> Check<Found> {
    loop {
        // What goes away while it is looked at was looked at too early.
        match look(store).await? {
            Some(found) => return Ok(found),
            None => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

async fn look<S: MailStore>(store: &S) -> Check<Option<Found>> {
    let account = account_of(store).await?;
    let mut found = Found::new();
    let mailboxes: Vec<_> = account.list(ListHint::default()).try_collect().await?;
    for info in mailboxes {
        let Some(id) = info.id else { continue };
        for uid in account.snapshot(&id, false).await?.uids.iter() {
            let body = match account.open_body(&id, uid, ByteRange::WHOLE).await {
                Err(error) if error.kind() == ErrorKind::Expunged => return Ok(None),
                body => body?,
            };
            let chunks: Vec<_> = body.try_collect().await?;
            let text = String::from_utf8_lossy(&chunks.concat()).into_owned();
            let subject = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned();
            ensure!(text.ends_with("The end.\r\n"), "a message is not whole: {text:?}");
            found.entry(subject).or_default().push(info.name.to_string());
        }
    }
    Ok(Some(found))
}

fn text(subject: &str) -> String {
    format!("Subject: {subject}\r\n\r\nHello.\r\nThe end.\r\n")
}

/// Sends a message on a connection of its own, and says what the server said to it.
async fn send<S: MailStore>(house: &House<S>, subject: &str) -> Check<String> {
    let mut client = house.smtp().await?;
    client.smtp("MAIL FROM:<>").await?;
    let reply = client.smtp(&format!("RCPT TO:<{}>", ACCOUNTS[0])).await?;
    if !reply.starts_with("250") {
        return Ok(reply);
    }
    match client.smtp("DATA").await? {
        go_on if go_on.starts_with("354") => client.smtp(&format!("{}.", text(subject))).await,
        refused => Ok(refused),
    }
}

pub(crate) async fn mail_is_there_once_though_the_store_fails<F: Factory>(factory: &F) -> Check {
    const MESSAGES: usize = 25;
    let store = writable(factory).await?;
    let moody = Arc::new(Moody::default());
    let house = House::over(&Tapped::new(store.clone(), Arc::clone(&moody) as Arc<dyn Tap>));
    moody.on.store(true, Ordering::Relaxed);
    let mut refused = 0;
    for number in 0..MESSAGES {
        for attempt in 0.. {
            ensure!(attempt < 50, "message {number} was refused {attempt} times");
            let reply = send(&house, &number.to_string()).await?;
            if reply.starts_with("250") {
                break;
            }
            // Whoever sends keeps it and comes again.
            ensure!(reply.starts_with('4'), "trouble that passes was answered {reply:?}");
            refused += 1;
        }
    }
    moody.on.store(false, Ordering::Relaxed);
    ensure!(refused > 0, "nothing failed: nothing was tested");
    let found = found(&store).await?;
    for number in 0..MESSAGES {
        let places = found.get(&number.to_string()).map_or(0, Vec::len);
        ensure!(places == 1, "message {number} was acknowledged once, and is there {places} times");
    }
    Ok(())
}

pub(crate) async fn a_view_stays_true_though_the_store_fails<F: Factory>(factory: &F) -> Check {
    let store = writable(factory).await?;
    let moody = Arc::new(Moody::default());
    let house = House::over(&Tapped::new(store.clone(), Arc::clone(&moody) as Arc<dyn Tap>));
    let mut client = house.imap_in().await?;
    client.imap_ok("CREATE Other").await?;
    let append = |number: u64| {
        let text = text(&number.to_string());
        format!("APPEND INBOX {{{}}}\r\n{text}", text.len())
    };
    for number in 0..8 {
        client.imap_ok(&append(number)).await?;
    }
    let mut exists = exists(&client.imap_ok("SELECT INBOX").await?).unwrap_or(0);
    let mut refused = 0;
    for step in 0..150_u64 {
        let number = mixed(step) % u64::from(exists.max(1)) + 1;
        let command = match mixed(step + 1_000) % 9 {
            0 | 1 => append(100 + step),
            2 => format!("STORE {number} +FLAGS (\\Deleted)"),
            3 => format!("STORE {number} FLAGS (\\Seen $step{})", step % 3),
            4 => "EXPUNGE".to_owned(),
            5 => format!("COPY {number} Other"),
            6 => format!("MOVE {number} Other"),
            7 => format!("FETCH {number} (FLAGS BODY.PEEK[])"),
            _ => "NOOP".to_owned(),
        };
        if exists == 0 && !command.starts_with("APPEND") && command != "NOOP" {
            continue;
        }
        moody.on.store(true, Ordering::Relaxed);
        let (untagged, answer) = client.imap(&command).await?;
        moody.on.store(false, Ordering::Relaxed);
        refused += u32::from(answer.starts_with("NO"));
        ensure!(
            !answer.starts_with("BAD"),
            "{command:?} was answered {answer:?}, and the client knew of {exists} messages"
        );
        exists = follow(&untagged, exists)?;
    }
    ensure!(refused > 0, "nothing failed: nothing was tested");
    // What the session believes is what another sees that begins now.
    let untagged = client.imap_ok("NOOP").await?;
    exists = follow(&untagged, exists)?;
    let ask = "FETCH 1:* (UID FLAGS)";
    let mine = if exists == 0 { Vec::new() } else { client.imap_ok(ask).await? };
    let mut fresh = house.imap_in().await?;
    let there = self::exists(&fresh.imap_ok("EXAMINE INBOX").await?).unwrap_or(0);
    ensure!(there == exists, "the session counts {exists} messages, and there are {there}");
    let theirs = if there == 0 { Vec::new() } else { fresh.imap_ok(ask).await? };
    let (mine, theirs) = (fetched(&mine), fetched(&theirs));
    ensure!(mine == theirs, "the session believes {mine:?}, and there is {theirs:?}");
    Ok(())
}

fn exists(untagged: &[String]) -> Option<u32> {
    untagged.iter().filter_map(|line| line.strip_prefix("* ")?.strip_suffix(" EXISTS")?.parse().ok()).next_back()
}

/// How many messages there are after these responses (RFC 9051 §7.5.1).
fn follow(untagged: &[String], mut exists: u32) -> Check<u32> {
    for line in untagged {
        let Some((number, word)) = line.strip_prefix("* ").and_then(|line| line.split_once(' ')) else { continue };
        let Ok(number) = number.parse::<u32>() else { continue };
        match word {
            "EXISTS" => {
                ensure!(number >= exists, "EXISTS fell from {exists} to {number} without EXPUNGE");
                exists = number;
            }
            "EXPUNGE" => {
                ensure!((1..=exists).contains(&number), "EXPUNGE of {number}, and there are {exists}");
                exists = exists.saturating_sub(1);
            }
            _ => {}
        }
    }
    Ok(exists)
}

/// The FETCH responses, without `\Recent`, which one session alone has, and with the flags in order.
fn fetched(untagged: &[String]) -> Vec<String> {
    let words = |line: &String| {
        let mut words: Vec<_> = line.split([' ', '(', ')']).filter(|word| !matches!(*word, "" | "\\Recent")).collect();
        words.sort_unstable();
        words.join(" ")
    };
    untagged.iter().filter(|line| line.contains(" FETCH ")).map(words).collect()
}

/// Holds up the first call of its kind until it is let go.
struct Hanging {
    call: Call,
    held: Mutex<Option<oneshot::Receiver<()>>>,
    reached: AtomicBool,
}

impl Tap for Hanging {
    fn before(&self, call: Call) -> BoxFuture<'static, Result<()>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match (call == self.call).then(|| held.take()).flatten() {
            Some(let_go) => {
                self.reached.store(true, Ordering::Relaxed);
                Box::pin(async move {
                    let _ = let_go.await;
                    Ok(())
                })
            }
            None => Box::pin(async { Ok(()) }),
        }
    }
}

pub(crate) async fn a_call_that_hangs_hinders_nobody_else<F: Factory>(factory: &F) -> Check {
    for (call, command) in [
        (Call::Snapshot, "SELECT INBOX"),
        (Call::FetchMeta, "FETCH 1:* FLAGS"),
        (Call::OpenBody, "FETCH 1 BODY.PEEK[]"),
        (Call::StoreFlags, "STORE 1 +FLAGS (\\Seen)"),
        (Call::Copy, "COPY 1 INBOX"),
        (Call::Commit, "APPEND INBOX {39}\r\nSubject: appended\r\n\r\nHello.\r\nThe end.\r\n"),
    ] {
        let store = writable(factory).await?;
        let (let_go, held) = oneshot::channel();
        let tap = Arc::new(Hanging { call, held: Mutex::new(Some(held)), reached: AtomicBool::new(false) });
        // One house for all: a lock of a server's own would be held for everybody.
        let house = House::over(&Tapped::new(store, Arc::clone(&tap) as Arc<dyn Tap>));
        send(&house, "first").await?;
        let mut slow = house.imap_in().await?;
        if call != Call::Snapshot {
            slow.imap_ok("SELECT INBOX").await?;
        }
        let waiting = tokio::spawn(async move { slow.imap(command).await });
        while !tap.reached.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        // Everything else goes on.
        let reply = send(&house, "second").await?;
        ensure!(reply.starts_with("250"), "while {call:?} hung, a message was answered {reply:?}");
        let mut other = house.imap_in().await?;
        for command in ["SELECT INBOX", "FETCH 1:* (FLAGS BODY.PEEK[])", "STORE 1 +FLAGS (\\Flagged)", "NOOP", "CLOSE"]
        {
            other.imap_ok(command).await?;
        }
        let _ = let_go.send(());
        let (_, answer) = waiting.await.map_err(Stop::failed)??;
        ensure!(answer.starts_with("OK"), "{command:?}, which hung for a while, was answered {answer:?}");
    }
    Ok(())
}

pub(crate) async fn who_goes_in_the_middle_leaves_nothing_half_done<F: Factory>(factory: &F) -> Check {
    let store = writable(factory).await?;
    let house = House::over(&store);
    let mut client = house.imap_in().await?;
    client.imap_ok("CREATE Other").await?;
    drop(client);
    for message in ["a", "b", "c", "d", "e"] {
        send(&house, message).await?;
    }
    let user = ACCOUNTS[0];
    let sent = text("sent");
    let scripts = [
        ("SMTP", format!("MAIL FROM:<>\r\nRCPT TO:<{user}>\r\nDATA\r\n{sent}.\r\nQUIT\r\n")),
        (
            "IMAP",
            format!(
                "1 SELECT INBOX\r\n2 MOVE 1:2 Other\r\n3 APPEND INBOX {{{}+}}\r\n{sent}\r\n4 STORE 1:* +FLAGS (\\Seen)\r\n\
                 5 SELECT Other\r\n6 MOVE 1:* INBOX\r\n7 FETCH 1:* BODY[]\r\n",
                sent.len()
            ),
        ),
        ("POP3", format!("USER {user}\r\nPASS x\r\nSTAT\r\nRETR 1\r\nUIDL\r\nDELE 9\r\nQUIT\r\n")),
    ];
    for (protocol, script) in scripts {
        for cut in (1..=script.len()).step_by((script.len() / 12).max(1)) {
            let mut client: Client = match protocol {
                "SMTP" => house.smtp().await?,
                "IMAP" => house.imap_in().await?,
                _ => house.pop3().await?,
            };
            client.send(script.get(..cut).unwrap_or_default()).await?;
            // Sometimes the server has had the time to begin, and sometimes not.
            for _ in 0..mixed(cut as u64) % 40 {
                tokio::task::yield_now().await;
            }
            drop(client);
            // The maildrop is free again, and what was begun is finished or undone: two looks are the same.
            let mut patience = 2_000;
            loop {
                let mut next = house.pop3().await?;
                next.pop3(&format!("USER {user}")).await?;
                let answer = next.pop3("PASS x").await?;
                if answer.starts_with("+OK") {
                    break;
                }
                ensure!(
                    patience > 0 && answer.contains("[IN-USE]"),
                    "{protocol} cut at {cut}: the maildrop is told {answer:?}"
                );
                patience -= 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let mut before = found(&store).await?;
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                let now = found(&store).await?;
                if now == before {
                    break;
                }
                before = now;
            }
            for message in ["a", "b", "c", "d", "e"] {
                let places = before.get(message).cloned().unwrap_or_default();
                ensure!(places.len() == 1, "{protocol} cut at {cut}: message {message} is in {places:?}");
            }
        }
    }
    // It was not for nothing: some got through.
    ensure!(found(&store).await?.contains_key("sent"), "not one message was sent whole");
    let account = account_of(&store).await?;
    let other = account.find(&MailboxName::parse("Other").map_err(Stop::failed)?).await?;
    account.expunge(&other, &UidSet::all(), false).await?;
    Ok(())
}
