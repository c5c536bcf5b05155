//! The driver's deadlines, with time that stands still: what a slow peer is charged for, and what it is not.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

mod echo;

use std::io::ErrorKind;
use std::time::Duration;

use echo::{Echo, Fault, certified, driver, echo, pair, read_to_end};
use mail_wire::io::{DriveError, Driver, DriverOptions, Link, Shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, sleep};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test(start_paused = true)]
async fn sec_c1_one_octet_each_ten_seconds_is_ended_by_the_lines_clock() {
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), None));
    let before = Instant::now();
    for octet in b"NOOP, and much more".chunks(1) {
        if client.write_all(octet).await.is_err() || server.is_finished() {
            break;
        }
        sleep(seconds(10)).await;
    }
    drop(client);
    server.await.unwrap().unwrap();
    // A minute for the line, and the step in which the end was seen.
    assert!((60..=80).contains(&before.elapsed().as_secs()), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_hosts_time_is_not_the_peers() {
    let (mut client, link) = pair();
    let mut driver = driver(link, Shutdown::never());
    let mut session = Echo::default();
    client.write_all(b"a\r\n").await.unwrap();
    assert_eq!(driver.next_event(&mut session).await.unwrap().unwrap(), "a");
    // 250 of the 300 seconds that the echo waits pass in silence, 1,000 with the host; the answer does not begin the
    // clock anew here.
    client.write_all(b"b\r\n").await.unwrap();
    assert_eq!(driver.next_event(&mut session).await.unwrap().unwrap(), "b");
    let talker = tokio::spawn(async move {
        sleep(seconds(250)).await;
        client.write_all(b"c\r\n").await.unwrap();
        sleep(seconds(1049)).await;
        client.write_all(b"d\r\n").await.unwrap();
        sleep(seconds(10)).await;
        client
    });
    assert_eq!(driver.next_event(&mut session).await.unwrap().unwrap(), "c");
    sleep(seconds(1000)).await;
    assert_eq!(driver.next_event(&mut session).await.unwrap().unwrap(), "d");
    // One second was left.
    assert!(driver.next_event(&mut session).await.unwrap().is_none());
    assert!(session.closed);
    talker.abort();
}

#[tokio::test(start_paused = true)]
async fn sec_m13_a_long_answer_is_to_be_taken_in_blocks_and_not_in_octets() {
    for (octets, every, ends_after) in [
        // An octet a minute: given up when the first write timeout has passed.
        (1, 60, Some(300)),
        // 6 KiB a minute: slow, and good enough.
        (6 * 1024, 60, None),
    ] {
        let (mut client, server) = duplex(16);
        let mut driver = Driver::new(Link::plain(server), DriverOptions::default(), Shutdown::never());
        let reader = tokio::spawn(async move {
            let mut taken = vec![0; octets];
            while client.read_exact(&mut taken).await.is_ok() {
                sleep(seconds(every)).await;
            }
        });
        driver.output().resize(100 * 1024, b'x');
        let before = Instant::now();
        let flushed = driver.flush().await;
        match ends_after {
            Some(after) => {
                assert_eq!(flushed.unwrap_err().kind(), ErrorKind::TimedOut);
                assert_eq!(before.elapsed(), seconds(after));
                // And the close does not wait once more.
                driver.close().await;
                assert_eq!(before.elapsed(), seconds(after));
            }
            None => {
                flushed.unwrap();
                assert!(before.elapsed() > seconds(900));
                drop(driver);
            }
        }
        reader.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn sec_t11_a_handshake_that_does_not_come_or_drips_is_ended() {
    for octets in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let (tls, _) = certified();
        let (mut client, link) = pair();
        let server = tokio::spawn(async move {
            driver(link, Shutdown::never()).start_tls(&mut Echo::default(), &tls).await.unwrap_err().kind()
        });
        let before = Instant::now();
        for octet in octets.chunks(1) {
            client.write_all(octet).await.unwrap();
            sleep(seconds(2)).await;
        }
        assert_eq!(server.await.unwrap(), ErrorKind::TimedOut);
        assert_eq!(before.elapsed(), seconds(30));
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_a_moment_and_not_for_the_peers_pleasure() {
    // One that goes on talking, and one that does not read.
    let (mut client, link) = pair();
    let mut talkative = driver(link, Shutdown::never());
    let talker = tokio::spawn(async move {
        while client.write_all(b"and another thing\r\n").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    talkative.output().extend_from_slice(b"bye\r\n");
    let before = Instant::now();
    talkative.close().await;
    assert_eq!(before.elapsed(), seconds(2));
    talker.await.unwrap();

    let (_client, link) = pair();
    let mut deaf = driver(link, Shutdown::never());
    deaf.output().resize(1 << 20, b'x');
    let before = Instant::now();
    deaf.close().await;
    assert_eq!(before.elapsed(), seconds(2));
}

#[tokio::test(start_paused = true)]
async fn sec_c1_a_delay_ends_with_the_server_and_loses_nothing() {
    let (mut client, link) = pair();
    let (handle, shutdown) = Shutdown::channel();
    let server = tokio::spawn(async move {
        let (mut driver, mut session) = (driver(link, shutdown), Echo::default());
        let line = driver.next_event(&mut session).await?.unwrap();
        driver.delay(seconds(1000)).await;
        session.answer(&line, driver.output());
        let next = driver.next_event(&mut session).await?.unwrap();
        session.answer(&next, driver.output());
        assert!(driver.next_event(&mut session).await?.is_none());
        driver.close().await;
        Ok::<_, DriveError<Fault>>(())
    });
    client.write_all(b"a\r\nb\r\n").await.unwrap();
    sleep(seconds(10)).await;
    let before = Instant::now();
    handle.shut_down();
    assert_eq!(read_to_end(&mut client).await, "a\r\nb\r\ngoing down\r\n");
    assert_eq!(before.elapsed(), Duration::ZERO);
    drop(client);
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn every_cut_of_the_input_survives_that_its_room_is_given_back() {
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), None));
    let said = b"one\r\ntwo and a half\r\n\r\nthree\r\n".repeat(20);
    for octet in said.chunks(1) {
        client.write_all(octet).await.unwrap();
        // The server comes to wait in between, with half a line in its buffer.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut client).await.as_bytes(), said);
    server.await.unwrap().unwrap();
}
