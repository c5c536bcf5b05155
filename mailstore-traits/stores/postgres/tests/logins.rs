//! Who may log in, and whom mail is for.
#![cfg(feature = "logins")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;
mod server;

use common::*;
use mailstore_traits::{
    AccountId, Authenticator, Directory, ErrorKind, Recipient, Resolution, ScramHash, Secret, UserName,
};
use server::{connect, server};
use store_postgres::Logins;

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
async fn sec_r1_a_quoted_at_sign_is_no_other_domain() {
    let Some((logins, ..)) = nodes().await else { return };
    logins.add("ada", &secret("x")).await.unwrap();
    assert_eq!(resolve(&logins, "ada@example.org", "example.com").await, ["UnknownUser"]);
    assert_eq!(resolve(&logins, "a\0b", "example.com").await, ["UnknownUser"]);
}
