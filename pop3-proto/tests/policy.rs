//! What a host promises and asks of its users: EXPIRE, LOGIN-DELAY, IMPLEMENTATION, UTF8, and what it is told of RETR.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod harness;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use harness::{Client, builder, deliver, serve, store};
use pop3_proto::{Expiry, Retrieved, Server, Utf8Support};

#[tokio::test(start_paused = true)]
async fn a_login_too_early_is_told_so_and_the_time_is_told_in_capa() {
    let server = builder().login_interval(Duration::from_secs(900)).build(store());
    let mut first = Client::without_socket(server.clone()).await;
    assert!(first.listing("CAPA").await.contains(&"LOGIN-DELAY 900".to_owned()));
    first.log_in().await;
    assert!(first.listing("CAPA").await.contains(&"LOGIN-DELAY 900".to_owned()));
    first.say("QUIT").await;
    let mut second = Client::without_socket(server.clone()).await;
    second.say("USER ada@example.org").await;
    let told = second.say("PASS correct horse").await;
    assert!(told.starts_with("-ERR [LOGIN-DELAY] "), "{told}");
    second.say("USER ada@example.org").await;
    let told = second.say("PASS wrong").await;
    assert_eq!(told, "-ERR [AUTH] authentication failed", "who does not know the password learns nothing");
    tokio::time::advance(Duration::from_secs(890)).await;
    // A session without a login would not live so long.
    let mut third = Client::without_socket(server.clone()).await;
    third.say("USER ada@example.org").await;
    assert!(third.say("PASS correct horse").await.starts_with("-ERR [LOGIN-DELAY]"));
    tokio::time::advance(Duration::from_secs(10)).await;
    third.log_in().await;
}

#[tokio::test(start_paused = true)]
async fn a_login_that_finds_the_maildrop_held_costs_no_time() {
    let server = builder().login_interval(Duration::from_secs(60)).build(store());
    let mut holder = Client::without_socket(server.clone()).await;
    holder.log_in().await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let mut other = Client::without_socket(server).await;
    for _ in 0..2 {
        other.say("USER ada@example.org").await;
        let told = other.say("PASS correct horse").await;
        assert!(told.starts_with("-ERR [IN-USE]"), "{told}");
    }
    holder.say("QUIT").await;
    let told = other.log_in_when_free().await;
    assert!(told.starts_with("+OK"), "{told}");
}

#[tokio::test]
async fn what_differs_by_account_is_told_exactly_after_the_login() {
    let own_expiry = |account: &mailstore_traits::AccountId| {
        if account.as_str() == "ada@example.org" { Expiry::Days(30) } else { Expiry::Days(5) }
    };
    let server = builder()
        .expire_by(Expiry::Days(5), own_expiry)
        .login_interval_by(Duration::from_secs(600), |_| Duration::from_secs(10))
        .build(store());
    let mut client = Client::connect(serve(server).await).await;
    let before = client.listing("CAPA").await;
    assert!(before.contains(&"EXPIRE 5 USER".to_owned()) && before.contains(&"LOGIN-DELAY 600 USER".to_owned()));
    client.log_in().await;
    let after = client.listing("CAPA").await;
    assert!(after.contains(&"EXPIRE 30".to_owned()) && after.contains(&"LOGIN-DELAY 10".to_owned()), "{after:?}");
}

#[tokio::test]
async fn sec_r7_neither_greeting_nor_capa_tell_a_version_before_the_login() {
    let version = env!("CARGO_PKG_VERSION");
    for server in [Server::builder("mail.example.org"), builder(), builder().implementation("Pillarbox-0.1")] {
        let mut client = Client::silent(serve(server.build(store())).await).await;
        let greeting = client.line().await;
        let told = client.listing("CAPA").await;
        for line in [greeting].into_iter().chain(told) {
            let shows = line.contains("IMPLEMENTATION") || line.contains(version) || line.contains("illarbox");
            assert!(!shows, "{line}");
        }
    }
    let mut client = Client::connect(serve(builder().implementation("Pillarbox-0.1").build(store())).await).await;
    client.log_in().await;
    assert!(client.listing("CAPA").await.contains(&"IMPLEMENTATION Pillarbox-0.1".to_owned()));
}

const RAW: &[u8] = "Subject: caf\u{e9}\r\n\r\ncaf\u{e9}\r\n".as_bytes();

#[tokio::test]
async fn a_host_may_keep_a_raw_header_from_clients_that_have_not_said_utf8_and_its_size_is_one() {
    let store = store();
    deliver(&store, RAW).await;
    let address = serve(builder().utf8(Utf8Support::Substitute).build(store)).await;
    let mut plain = Client::connect(address).await;
    plain.log_in().await;
    assert_eq!(plain.listing("LIST").await, ["1 25"]);
    assert_eq!(plain.message("RETR 1").await, "Subject: caf??\r\n\r\ncaf\u{e9}\r\n".as_bytes());
    assert_eq!(plain.message("TOP 1 0").await, b"Subject: caf??\r\n\r\n");
    assert_eq!(plain.say("UTF8").await, "-ERR already logged in");
    plain.say("QUIT").await;
    let mut knowing = Client::connect(address).await;
    assert_eq!(knowing.say("UTF8").await, "+OK UTF-8 mode on");
    knowing.log_in_when_free().await;
    assert_eq!(knowing.listing("LIST").await, ["1 25"]);
    assert_eq!(knowing.message("RETR 1").await, RAW);
}

#[tokio::test]
async fn a_host_may_refuse_a_raw_header_or_send_it_as_it_is() {
    let store = store();
    deliver(&store, RAW).await;
    deliver(&store, "Subject: b\r\n\r\ncaf\u{e9}\r\n".as_bytes()).await;
    let mut client = Client::connect(serve(builder().utf8(Utf8Support::Refuse).build(store.clone())).await).await;
    client.log_in().await;
    for command in ["RETR 1", "TOP 1 0"] {
        let told = client.say(command).await;
        assert!(told.starts_with("-ERR [UTF8] "), "{told}");
    }
    assert_eq!(client.message("RETR 2").await, "Subject: b\r\n\r\ncaf\u{e9}\r\n".as_bytes());
    client.say("QUIT").await;
    let mut client = Client::connect(serve(builder().build(store.clone())).await).await;
    client.log_in_when_free().await;
    assert_eq!(client.message("RETR 1").await, RAW, "unless it is said, nobody loses an octet");
    client.say("QUIT").await;
    let mut client = Client::connect(serve(builder().utf8(Utf8Support::Off).build(store)).await).await;
    assert!(!client.listing("CAPA").await.iter().any(|line| line.starts_with("UTF8")));
    assert_eq!(client.say("UTF8").await, "-ERR UTF8 is not offered");
    client.log_in_when_free().await;
    assert_eq!(client.message("RETR 1").await, RAW);
}

#[tokio::test]
async fn the_host_is_told_what_was_fetched_and_left() {
    let told: Arc<Mutex<Vec<Retrieved>>> = Arc::default();
    let heard = Arc::clone(&told);
    let hook = move |retrieved| {
        heard.lock().unwrap().push(retrieved);
        async {}.boxed()
    };
    let store = store();
    for _ in 0..4 {
        deliver(&store, b"A: b\r\n\r\n").await;
    }
    let address = serve(builder().on_retrieved(hook).build(store)).await;
    let mut client = Client::connect(address).await;
    client.log_in().await;
    client.message("RETR 1").await;
    client.message("RETR 3").await;
    client.message("RETR 3").await;
    client.message("TOP 4 0").await;
    client.message("TOP 2 99999999").await;
    client.say("DELE 3").await;
    assert!(client.say("QUIT").await.starts_with("+OK"));
    assert!(client.is_at_end().await);
    let mut client = Client::connect(address).await;
    client.log_in_when_free().await;
    client.message("RETR 2").await;
    client.write(b"DELE 2\r\n").await;
    client.line().await;
    drop(client);
    // The next login waits for the one before, and its own end tells nothing.
    let mut client = Client::connect(address).await;
    client.log_in_when_free().await;
    while told.lock().unwrap().len() < 2 {
        client.say("NOOP").await;
    }
    let heard = told.lock().unwrap().clone();
    let uids: Vec<Vec<u32>> = heard.iter().map(|told| told.uids.iter().map(|uid| uid.value()).collect()).collect();
    assert_eq!(
        uids,
        [vec![1, 2], vec![2]],
        "what QUIT has removed is not told, and what an end without one has kept is"
    );
    assert!(heard.iter().all(|told| told.account.as_str() == "ada@example.org"));
}
