//! Who talks before the greeting (attack row C4), with time that stands still.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

mod echo;

use std::time::Duration;

use echo::{Echo, driver, pair};
use mail_wire::io::Shutdown;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

const WAIT: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn sec_c4_octets_before_the_greeting_are_noticed_and_kept() {
    let (mut client, link) = pair();
    let mut driver = driver(link, Shutdown::never());
    let talker = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        client.write_all(b"EHLO early\r\nMA").await.unwrap();
        tokio::time::sleep(Duration::from_secs(9)).await;
        client.write_all(b"IL\r\n").await.unwrap();
        client
    });
    let before = Instant::now();
    assert!(driver.talked_early(WAIT).await.unwrap());
    assert_eq!(before.elapsed().as_secs(), 2, "known at once");
    assert!(driver.talked_early(WAIT).await.unwrap(), "asked again, the answer is the same");
    let mut session = Echo::default();
    for expected in ["EHLO early", "MAIL"] {
        assert_eq!(driver.next_event(&mut session).await.unwrap().unwrap(), expected);
        session.answer(b"ok", driver.output());
    }
    talker.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sec_c4_who_waits_is_no_early_talker_and_neither_is_who_goes() {
    let (client, link) = pair();
    let mut patient = driver(link, Shutdown::never());
    let before = Instant::now();
    assert!(!patient.talked_early(WAIT).await.unwrap());
    assert_eq!(before.elapsed(), WAIT);
    drop(client);
    assert!(!patient.talked_early(WAIT).await.unwrap());
    assert!(patient.next_event(&mut Echo::default()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_word_to_shut_down_ends_the_wait() {
    let (_client, link) = pair();
    let (handle, shutdown) = Shutdown::channel();
    let mut driver = driver(link, shutdown);
    handle.shut_down();
    let before = Instant::now();
    assert!(!driver.talked_early(WAIT).await.unwrap());
    assert_eq!(before.elapsed(), Duration::ZERO);
}
