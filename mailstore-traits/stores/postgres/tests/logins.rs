//! Who may log in, and whom mail is for.
#![cfg(feature = "logins")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod common;
mod server;

use std::time::Duration;

use common::*;
use mailstore_traits::{
    AccountId, Authenticator, Directory, ErrorKind, Recipient, Resolution, ScramHash, Secret, Timestamp, Uid, UidSet,
    UidValidity, UserName,
};
use server::{connect, server};
use store_postgres::{Fetched, Logins};

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

/// Two nodes' views of the same logins, and the database's URL.
async fn nodes() -> Option<(Logins, Logins, String)> {
    let url = server()?.database().await;
    let domains = ["example.org", "EXAMPLE.com"];
    let (one, two) = tokio::join!(open(&url), open(&url));
    Some((one.logins(domains).unwrap(), two.logins(domains).unwrap(), url))
}

async fn check(logins: &Logins, name: &str, password: &str) -> Option<String> {
    let found = logins.check_password(&user(name), &secret(password)).await.unwrap();
    found.map(|account| account.as_str().to_owned())
}

async fn resolve(logins: &Logins, local: &str, domain: &str) -> Vec<String> {
    match logins.resolve(&Recipient::new(local, Some(domain.to_owned()))).await.unwrap() {
        Resolution::Local(found) => found.iter().map(|to| to.account.as_str().to_owned()).collect(),
        other => vec![format!("{other:?}")],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_made_on_one_node_holds_on_the_other() {
    let Some((here, there, url)) = nodes().await else { return };
    here.add("Ada", &secret("correct horse battery")).await.unwrap();
    assert_eq!(here.add("ada@example.org", &secret("x")).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    for name in ["ada", "ADA@Example.org"] {
        assert_eq!(check(&there, name, "correct horse battery").await.as_deref(), Some("ada@example.org"));
    }
    for (name, password) in [("ada", "wrong"), ("ada", ""), ("bob", "x"), ("ada@@", "x"), ("ada@example.com", "x")] {
        assert_eq!(check(&there, name, password).await, None, "{name} {password}");
    }
    there.set_app_password("ada", "phone", &secret("one two three")).await.unwrap();
    assert!(check(&here, "ada", "one two three").await.is_some());
    let listed = here.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(matches!(&listed[0].app_passwords[..], [(label, Some(_))] if label == "phone"), "{listed:?}");
    let keys = here.scram_keys(&user("ada"), ScramHash::Sha256).await.unwrap().unwrap();
    assert_eq!((keys.keys.len(), keys.account.as_str()), (2, "ada@example.org"));
    assert!(here.scram_keys(&user("ada"), ScramHash::Sha1).await.unwrap().is_none());
    assert!(here.scram_keys(&user("nobody"), ScramHash::Sha256).await.unwrap().is_none());
    there.set_password("ada", &secret("another")).await.unwrap();
    assert!(check(&here, "ada", "correct horse battery").await.is_none());
    assert!(check(&here, "ada", "one two three").await.is_some(), "app passwords stay");
    there.remove_app_password("ada", "phone").await.unwrap();
    assert!(check(&here, "ada", "one two three").await.is_none());
    assert_eq!(there.remove_app_password("ada", "").await.unwrap_err().kind(), ErrorKind::NotFound);
    // No password is in the database.
    let rows =
        connect(&url).await.query("SELECT p::text || l::text FROM login_password p, login l", &[]).await.unwrap();
    let text: String = rows.iter().map(|row| row.get::<_, String>(0)).collect();
    let hex: String = "another".bytes().map(|octet| format!("{octet:02x}")).collect();
    assert!(!rows.is_empty() && !text.contains("another") && !text.contains(&hex), "{text}");
    there.remove("ada").await.unwrap();
    assert!(check(&here, "ada", "another").await.is_none());
    assert_eq!(here.set_password("ada", &secret("x")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_passwords_that_no_client_could_send_are_refused() {
    let Some((logins, ..)) = nodes().await else { return };
    for name in ["", "@example.org", "a b", "a@b@c", "a\0b", "a@"] {
        assert_eq!(logins.add(name, &secret("x")).await.unwrap_err().kind(), ErrorKind::Invalid, "{name:?}");
    }
    for password in ["", "a\0b", &"x".repeat(201)] {
        assert_eq!(logins.add("ada", &secret(password)).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
    logins.add("ada", &secret("Zo\u{eb}")).await.unwrap();
    assert!(check(&logins, "ada", "Zoe\u{308}").await.is_some(), "as another keyboard types it");
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_a3_nobody_acts_as_another() {
    let Some((logins, ..)) = nodes().await else { return };
    let ada = AccountId::new("ada@example.org");
    assert_eq!(logins.authorize(&ada, &user("Ada")).await.unwrap(), Some(ada.clone()));
    for other in ["bob@example.org", "ada@example.com", "ada@other.example"] {
        assert_eq!(logins.authorize(&ada, &user(other)).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_finds_its_logins_through_tags_aliases_and_roles() {
    let Some((logins, ..)) = nodes().await else { return };
    for name in ["ada", "bob", "cem@example.com"] {
        logins.add(name, &secret("x")).await.unwrap();
    }
    logins.add_alias("team", "ada").await.unwrap();
    logins.add_alias("team", "all").await.unwrap();
    logins.add_alias("all", "cem@example.com").await.unwrap();
    logins.add_alias("all", "team").await.unwrap();
    assert_eq!(resolve(&logins, "Ada", "example.org").await, ["ada@example.org"]);
    assert_eq!(resolve(&logins, "ada+lists", "example.org").await, ["ada@example.org"]);
    assert_eq!(resolve(&logins, "team", "example.org").await, ["ada@example.org", "cem@example.com"], "in a circle");
    assert_eq!(resolve(&logins, "ada", "example.com").await, ["UnknownUser"]);
    assert_eq!(resolve(&logins, "nobody", "example.org").await, ["UnknownUser"]);
    assert_eq!(resolve(&logins, "ada", "other.example").await, ["NotLocal"]);
    assert_eq!(resolve(&logins, "postmaster", "example.com").await, ["ada@example.org"], "the oldest");
    logins.add_alias("postmaster@example.com", "cem@example.com").await.unwrap();
    assert_eq!(resolve(&logins, "postmaster", "example.com").await, ["cem@example.com"]);
    let bare = logins.resolve(&Recipient::new("Postmaster", None)).await.unwrap();
    assert!(matches!(bare, Resolution::Local(_)), "{bare:?}");
    assert!(matches!(logins.resolve(&Recipient::new("ada", None)).await.unwrap(), Resolution::NotLocal));
    assert_eq!(logins.add_alias("ada", "bob").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(logins.add_alias("x", "X").await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(logins.add("team", &secret("x")).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    logins.remove_alias("team", "all").await.unwrap();
    assert_eq!(resolve(&logins, "team", "example.org").await, ["ada@example.org"]);
    assert_eq!(logins.aliases().await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_says_who_gets_what_has_no_address_of_its_own() {
    let Some((logins, plain, _)) = nodes().await else { return };
    for name in ["ada", "bob"] {
        logins.add(name, &secret("x")).await.unwrap();
    }
    let chosen = logins.clone().with_postmaster("Bob").unwrap().with_catch_all("rest@example.com").unwrap();
    assert_eq!(resolve(&chosen, "postmaster", "example.com").await, ["bob@example.org"]);
    assert_eq!(resolve(&chosen, "abuse", "example.org").await, ["bob@example.org"]);
    assert_eq!(resolve(&plain, "abuse", "example.org").await, ["ada@example.org"]);
    // Nobody is behind that address yet.
    assert_eq!(resolve(&chosen, "nobody", "example.org").await, ["UnknownUser"]);
    logins.add_alias("rest@example.com", "ada").await.unwrap();
    assert_eq!(resolve(&chosen, "nobody", "example.org").await, ["ada@example.org"]);
    assert_eq!(resolve(&chosen, "bob@example.org", "example.com").await, ["ada@example.org"], "a quoted at sign");
    assert_eq!(resolve(&chosen, "bob+x", "example.org").await, ["bob@example.org"]);
    assert_eq!(resolve(&chosen, "nobody", "other.example").await, ["NotLocal"]);
    assert_eq!(resolve(&plain, "nobody", "example.org").await, ["UnknownUser"]);
    logins.remove("bob").await.unwrap();
    assert_eq!(resolve(&chosen, "postmaster", "example.org").await, ["ada@example.org"], "the oldest");
    assert_eq!(logins.with_catch_all("a b").unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_fetch_counts_and_goes_with_the_login() {
    let url = match server() {
        Some(server) => server.database().await,
        None => return,
    };
    let (here, there) = tokio::join!(open(&url), open(&url));
    let logins = here.logins(["example.org"]).unwrap();
    let ada = logins.add("ada", &secret("x")).await.unwrap();
    let (here, there) = (here.fetch_log(), there.fetch_log());
    let numbering = UidValidity::new(u32::MAX).unwrap();
    let uids = |list: &[u32]| list.iter().copied().filter_map(Uid::new).collect::<UidSet>();
    let at = Timestamp::from_unix;
    here.note(&ada, numbering, &uids(&[1, 2, u32::MAX]), at(100)).await.unwrap();
    there.note(&ada, numbering, &uids(&[2, 4]), at(200)).await.unwrap();
    there.note(&AccountId::new("nobody@example.org"), numbering, &uids(&[1]), at(1)).await.unwrap();
    let numbers = |page: &[Fetched]| page.iter().map(|it| (it.uid.value(), it.at.unix_seconds())).collect::<Vec<_>>();
    assert!(here.until(at(99), None, 10).await.unwrap().is_empty());
    assert_eq!(numbers(&here.until(at(199), None, 10).await.unwrap()), [(1, 100), (2, 100), (u32::MAX, 100)]);
    let page = there.until(at(200), None, 2).await.unwrap();
    assert_eq!((numbers(&page), &page[0].account, page[0].uid_validity), (vec![(1, 100), (2, 100)], &ada, numbering));
    assert_eq!(numbers(&here.until(at(200), page.last(), 2).await.unwrap()), [(4, 200), (u32::MAX, 100)]);
    here.forget(&page).await.unwrap();
    assert_eq!(numbers(&there.until(at(200), None, 10).await.unwrap()), [(4, 200), (u32::MAX, 100)]);
    logins.remove("ada").await.unwrap();
    assert!(there.until(at(200), None, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_all_sweeps_at_a_time() {
    let url = match server() {
        Some(server) => server.database().await,
        None => return,
    };
    let (one, two) = tokio::join!(open(&url), open(&url));
    let hour = Duration::from_secs(3600);
    let (one, two) = (one.fetch_log(), two.fetch_log());
    let (first, second) = tokio::join!(one.claim_sweep(hour), two.claim_sweep(hour));
    assert_eq!(usize::from(first.unwrap()) + usize::from(second.unwrap()), 1);
    assert!(!one.claim_sweep(hour).await.unwrap());
    assert!(two.claim_sweep(Duration::ZERO).await.unwrap());
    let db = connect(&url).await;
    db.execute("UPDATE chore SET begun = begun - interval '1 hour'", &[]).await.unwrap();
    assert!(two.claim_sweep(hour).await.unwrap(), "whoever did it last may have gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_r1_a_quoted_at_sign_is_no_other_domain() {
    let Some((logins, ..)) = nodes().await else { return };
    logins.add("ada", &secret("x")).await.unwrap();
    assert_eq!(resolve(&logins, "ada@example.org", "example.com").await, ["UnknownUser"]);
    assert_eq!(resolve(&logins, "a\0b", "example.com").await, ["UnknownUser"]);
}
