//! Rows of the attack catalogue on a whole server: over sockets where TLS is in it, over a pipe and with a clock that
//! stands still where time is.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod harness;

use std::time::Duration;

use bytes::BytesMut;
use harness::{Client, builder, captured_log, certificate, listen, server, store};
use imap_proto::Server;
use imap_proto::grammar::Dialect;
use imap_proto::response::{Response, ResponseReader};
use mail_wire::base64;
use mail_wire::io::{Link, Shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

#[tokio::test]
async fn sec_t1_clear_text_behind_starttls_breaks_the_handshake() {
    let (tls, trust) = certificate();
    let address = listen(Server::builder("mail.example.org").tls(tls).build(store())).await;
    let mut same_segment = Client::connect(address).await;
    same_segment.write("t STARTTLS\r\nt LOGIN ada \"correct horse\"\r\nt NOOP\r\n").await;
    assert!(same_segment.line().await.starts_with("t OK Begin TLS"));
    let rest = same_segment.rest().await;
    assert!(!rest.windows(4).any(|octets| octets == b"t OK"), "no answer: {}", rest.escape_ascii());
    let mut next_segment = Client::connect(address).await;
    assert!(next_segment.say("STARTTLS").await.starts_with("t OK"));
    next_segment.write("t NOOP\r\n").await;
    assert!(next_segment.handshake(&trust).await.is_err());
}

#[tokio::test]
async fn sec_t7_without_tls_nobody_logs_in_and_no_log_has_the_secret() {
    let log = captured_log();
    let (tls, trust) = certificate();
    let address = listen(Server::builder("mail.example.org").tls(tls).build(store())).await;
    let mut client = Client::connect(address).await;
    let coded = base64::encode(b"\0ada\0correct horse");
    for line in ["LOGIN ada \"correct horse\"", &format!("AUTHENTICATE PLAIN {coded}"), "AUTHENTICATE PLAIN"] {
        assert_eq!(client.say(line).await, "t NO [PRIVACYREQUIRED] No login without TLS\n");
    }
    client.say("STARTTLS").await;
    let mut client = client.handshake(&trust).await.unwrap();
    assert!(client.say("LOGIN ada \"incorrect horse\"").await.starts_with("t NO [AUTHENTICATIONFAILED]"));
    // Sec_i6: what steers a terminal or begins a line of its own is not in the log either.
    client.say("LOGIN {16+}\r\n\x1b[2J\r\nforged line x").await;
    client.say("SELECT \"a\x1b[2Jb\"").await;
    assert!(client.say(format!("AUTHENTICATE PLAIN {coded}")).await.starts_with("t OK"));
    client.say("LOGOUT").await;
    let log = log.text();
    assert!(log.contains("IMAP login failed") && log.contains("account=ada"), "the log was captured: {log}");
    assert!(!log.contains("correct horse") && !log.contains(&coded), "{log}");
    assert!(!log.contains('\x1b') && !log.contains("\nforged"), "{log}");
}

#[tokio::test]
async fn sec_t8_an_end_without_close_notify_leaves_no_message_behind() {
    for (half, is_whole) in [
        ("t APPEND INBOX {10}\r\n", false),
        ("t APPEND INBOX {10+}\r\nA: b\r\n", false),
        ("t APPEND INBOX {10+}\r\nA: b\r\n\r\nc\n", false),
        ("t APPEND INBOX {10+}\r\nA: b\r\n\r\nc\n\r", false),
        ("t APPEND INBOX {8+}\r\nA: b\r\n\r\n\r\nt NO", true),
    ] {
        let (tls, trust) = certificate();
        let store = store();
        let address = listen(builder().tls(tls).build(store.clone())).await;
        let mut client = Client::connect(address).await;
        client.say("STARTTLS").await;
        let mut client = client.handshake(&trust).await.unwrap();
        assert!(client.say("LOGIN ada \"correct horse\"").await.starts_with("t OK"));
        client.write(half).await;
        if is_whole {
            assert!(client.answer().await.starts_with("t OK [APPENDUID "));
        }
        // Dropped as it is: the TCP connection ends, and TLS has not said so.
        drop(client);
        let mut next = Client::logged_in(&builder().build(store)).await;
        let told = next.say("STATUS INBOX (MESSAGES)").await;
        assert!(told.starts_with(&format!("* STATUS INBOX (MESSAGES {})\n", u8::from(is_whole))), "{half:?}: {told}");
    }
}

#[tokio::test]
async fn sec_t8_a_farewell_in_idle_ends_with_tlss_goodbye() {
    let (tls, trust) = certificate();
    let store = store();
    let address = listen(builder().tls(tls).build(store.clone())).await;
    let mut other = Client::logged_in(&builder().build(store)).await;
    other.say("CREATE box").await;
    let mut client = Client::connect(address).await;
    client.say("STARTTLS").await;
    let mut client = client.handshake(&trust).await.unwrap();
    client.say("LOGIN ada \"correct horse\"").await;
    client.say("SELECT box").await;
    client.write("t IDLE\r\n").await;
    assert_eq!(client.line().await, "+ idling");
    other.say("DELETE box").await;
    assert_eq!(client.line().await, "* BYE The selected mailbox has been deleted");
    // An end without close_notify would be an error here, not the end.
    assert_eq!(client.stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn sec_t11_half_a_handshake_is_ended_after_half_a_minute() {
    let (tls, _) = certificate();
    for implicit in [true, false] {
        let server = builder().tls(tls.clone()).implicit_tls(implicit).build(store());
        let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
        let peer = "192.0.2.1:1".parse().unwrap();
        tokio::spawn(async move { server.serve_link(Link::plain(theirs), peer, Shutdown::never()).await });
        if !implicit {
            ours.write_all(b"t STARTTLS\r\n").await.unwrap();
            let mut told = Vec::new();
            while !told.ends_with(b"negotiation now\r\n") {
                tokio::io::AsyncReadExt::read_buf(&mut ours, &mut told).await.unwrap();
            }
        }
        let begun = Instant::now();
        ours.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut ours, &mut rest).await.unwrap();
        assert_eq!((rest.len(), begun.elapsed().as_secs()), (0, 30));
    }
}

/// Sends `octets` each time `every` has passed, until the server closes. How long that was, and the last that was said.
async fn drip(mut client: Client, octets: &[u8], every: Duration) -> (u64, String) {
    let (begun, mut rest) = (Instant::now(), Vec::new());
    while tokio::time::timeout(every, tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut rest))
        .await
        .is_err()
    {
        client.stream.write_all(octets).await.unwrap();
    }
    let told = String::from_utf8(rest).unwrap();
    (begun.elapsed().as_secs(), told.lines().last().unwrap_or_default().to_owned())
}

#[tokio::test(start_paused = true)]
async fn sec_c1_an_octet_now_and_then_and_silence_and_talk_without_a_login_come_to_an_end() {
    let ten = Duration::from_secs(10);
    let (time, told) = drip(Client::new(&server()).await, b"N", ten).await;
    assert_eq!((time, told.as_str()), (60, "* BYE Idle for too long"), "an octet is no command");
    let (time, told) = drip(Client::new(&server()).await, b"", ten).await;
    assert_eq!((time, told.as_str()), (60, "* BYE Idle for too long"));
    let (time, told) = drip(Client::new(&server()).await, b"a NOOP\r\n", ten).await;
    assert_eq!((time, told.as_str()), (180, "* BYE Too long without a login"));
    let (time, told) = drip(Client::logged_in(&server()).await, b"N", ten).await;
    assert_eq!((time, told.as_str()), (70, "* BYE Too slow"), "the first came after ten seconds");
    let mut client = Client::logged_in(&server()).await;
    client.write("t SELECT {5000+}\r\n").await;
    assert_eq!(drip(client, b"I", ten).await.0, 60, "an octet of a literal winds no clock");
}

#[tokio::test(start_paused = true)]
async fn sec_c1_who_has_logged_in_has_half_an_hour_and_idle_says_that_the_server_is_there() {
    let (time, told) = drip(Client::logged_in(&server()).await, b"", Duration::from_secs(60)).await;
    assert_eq!((time, told.as_str()), (1800, "* BYE Idle for too long"), "RFC 9051 §5.4");
    let mut client = Client::logged_in(&server()).await;
    client.write("t IDLE\r\n").await;
    assert_eq!(client.line().await, "+ idling");
    let begun = Instant::now();
    for round in 1..=5 {
        assert_eq!(client.line().await, "* OK Still here");
        assert_eq!(begun.elapsed().as_secs(), round * 120);
    }
    client.write("done\r\n").await;
    assert_eq!(client.line().await, "t OK IDLE completed");
}

#[tokio::test(start_paused = true)]
async fn sec_c2_a_message_that_stalls_ends_the_connection_and_is_not_there() {
    let store = store();
    let server = builder().build(store.clone());
    for head in ["t APPEND INBOX {10}\r\n", "t APPEND INBOX {100000+}\r\nA: b\r\n"] {
        let mut client = Client::logged_in(&server).await;
        client.write(head).await;
        let (time, told) = drip(client, b"", Duration::from_secs(10)).await;
        assert_eq!((time, told.as_str()), (120, "* BYE Too slow"));
        let mut client = Client::logged_in(&server).await;
        client.write("t APPEND INBOX {100000+}\r\n").await;
        let (time, _) = drip(client, b"x", Duration::from_secs(10)).await;
        assert_eq!(time, 120, "an octet now and then is no progress");
    }
    let mut client = Client::logged_in(&server).await;
    assert!(client.say("STATUS INBOX (MESSAGES)").await.contains("(MESSAGES 0)"));
}

#[tokio::test(start_paused = true)]
async fn sec_m13_a_flood_of_commands_from_one_who_reads_nothing_is_not_taken_in() {
    let mut client = Client::logged_in(&server()).await;
    let (begun, flood, mut taken) = (Instant::now(), b"a NOOP\r\n".repeat(1 << 20), 0);
    while let Ok(count) = client.stream.write(&flood[taken..]).await {
        taken += count;
    }
    assert_eq!(begun.elapsed().as_secs(), 300, "the write deadline");
    assert!(taken < 512 * 1024, "{taken} octets were taken");
}

#[tokio::test(start_paused = true)]
async fn sec_a11_guessing_takes_longer_and_longer_and_ends() {
    let mut client = Client::new(&server()).await;
    let mut waited = Vec::new();
    for _ in 0..10 {
        let before = Instant::now();
        assert_eq!(client.say("LOGIN ada wrong").await, "t NO [AUTHENTICATIONFAILED] Authentication failed\n");
        waited.push(before.elapsed().as_secs());
    }
    assert_eq!(waited, [0, 0, 0, 1, 2, 4, 8, 16, 16, 16]);
    assert_eq!(client.rest().await, b"* BYE Too many errors\r\n");
}

#[tokio::test]
async fn sec_c3_one_connection_too_many_is_told_so() {
    let address = listen(builder().max_connections(1).build(store())).await;
    let _first = Client::connect(address).await;
    let mut second = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut told = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut second, &mut told).await.unwrap();
    assert_eq!(told, "* BYE [UNAVAILABLE] Too many connections\r\n");
}

#[tokio::test]
async fn sec_c7_a_message_that_was_acknowledged_is_there_and_only_then() {
    let store = store();
    let mut client = Client::logged_in(&builder().build(store.clone())).await;
    let told = client.append("A: b\r\n\r\nc\r\n").await;
    assert!(told.starts_with("t OK [APPENDUID "), "{told}");
    // Gone without a word: the message is kept all the same.
    drop(client);
    let mut client = Client::logged_in(&builder().build(store)).await;
    assert!(client.say("STATUS INBOX (MESSAGES)").await.starts_with("* STATUS INBOX (MESSAGES 1)\n"));
}

/// Names that no mailbox can have.
const HOSTILE: [&str; 18] = [
    "/",
    "/etc/passwd",
    "a//b",
    "//a",
    "&AC8-etc",
    "&AC4ALg-",
    "&AC4ALg-/x",
    "a&",
    "a&b",
    "&-&",
    "&AGE-",
    "&2AA-",
    "&3AA-",
    "&2ADYAA-",
    "&AAA-",
    "&AA0ACg-",
    "&ZeVnLIqe",
    "&U,BTF2XlZyyKng-&",
];

#[tokio::test]
async fn sec_p1_sec_p2_sec_p3_hostile_names_are_refused_by_every_command_and_nothing_is_made() {
    let server = server();
    let mut client = Client::logged_in(&server).await;
    client.say("CREATE Work").await;
    client.append("A: b\r\n\r\n").await;
    client.say("SELECT INBOX").await;
    let before = client.say("LIST \"\" *").await;
    for name in HOSTILE {
        for command in [
            format!("CREATE {name}"),
            format!("CREATE \"{name}\""),
            format!("RENAME Work \"{name}\""),
            format!("RENAME \"{name}\" Else"),
            format!("DELETE \"{name}\""),
            format!("STATUS \"{name}\" (MESSAGES)"),
            format!("COPY 1 \"{name}\""),
            format!("MOVE 1 \"{name}\""),
            format!("SUBSCRIBE \"{name}\""),
            format!("APPEND \"{name}\" {{4+}}\r\nA: b"),
        ] {
            let told = client.say(&command).await;
            let refused = told.lines().last().unwrap().starts_with("t NO ");
            assert!(refused, "{command}: {told}");
        }
    }
    for (octets, name) in [(3, "a\0b"), (3, "a\rb"), (4, "a\r\nb"), (3, "a\nb"), (3, "a\x7fb"), (1, "\u{0}")] {
        client.write(format!("t CREATE {{{octets}+}}\r\n{name}\r\n")).await;
        let told = client.answer().await;
        assert!(told.starts_with("t NO ") || told.contains(" BAD "), "{name:?}: {told}");
    }
    assert_eq!(client.say("LIST \"\" *").await, before, "nothing was made, and nothing has gone");
}

#[tokio::test]
async fn sec_p1_dots_are_names_like_others_and_lead_nowhere() {
    let mut client = Client::logged_in(&server()).await;
    let names = ["..", ".", "../x", "a/../b", "a/./b", "INBOX/../x", "INBOX/.."];
    for name in names {
        assert!(client.say(format!("CREATE \"{name}\"")).await.starts_with("t OK"), "{name}");
    }
    let told = client.say("LIST \"\" *").await;
    for name in names {
        assert_eq!(told.matches(&format!("\"/\" {name}\n")).count(), 1, "{name}: {told}");
    }
    for elsewhere in ["b", "a/b", "x"] {
        assert!(client.say(format!("SELECT {elsewhere}")).await.starts_with("t NO [NONEXISTENT]"), "{elsewhere}");
    }
    assert!(client.say("DELETE \"INBOX/..\"").await.starts_with("t OK"));
    assert!(client.say("SELECT INBOX").await.ends_with("t OK [READ-WRITE] SELECT completed\n"));
}

#[tokio::test]
async fn sec_p2_after_rev2_names_are_utf_8_and_have_one_spelling_too() {
    let mut client = Client::logged_in(&server()).await;
    assert!(client.say("CREATE &ZeVnLIqe-").await.starts_with("t OK"));
    client.say("ENABLE IMAP4rev2").await;
    let told = client.say("CREATE \"\u{65e5}\u{672c}\u{8a9e}\"").await;
    assert!(told.starts_with("t NO [ALREADYEXISTS]"), "one name: {told}");
    for name in [&b"\xc0\xaf"[..], b"\xc0\xae\xc0\xae", b"\xed\xa0\x80", b"\xff", b"a\xcc", b"\xe0\x80\xaf"] {
        let told = client.say([b"CREATE \"", name, b"\""].concat()).await;
        assert!(told.contains("BAD") || told.starts_with("t NO"), "{}: {told}", name.escape_ascii());
    }
}

#[tokio::test]
async fn sec_p3_inbox_is_one_at_the_root_and_a_name_like_another_below() {
    let mut client = Client::logged_in(&server()).await;
    for name in ["inbox", "Inbox", "\"iNbOx\"", "{5+}\r\nINBox", "INBOX/"] {
        assert!(client.say(format!("CREATE {name}")).await.starts_with("t NO [ALREADYEXISTS]"), "{name}");
    }
    assert!(client.say("CREATE Work/inbox").await.starts_with("t OK"));
    assert!(client.say("CREATE Work/INBOX").await.starts_with("t OK"), "below the root case counts");
    let told = client.say("LIST \"\" *").await;
    assert_eq!(told.matches("\"/\" INBOX\n").count(), 1, "{told}");
}

#[tokio::test]
async fn sec_p4_what_is_anothers_is_told_as_what_is_not_there() {
    let store = store();
    let server = builder().build(store);
    let mut ada = Client::logged_in(&server).await;
    assert!(ada.say("CREATE Private").await.starts_with("t OK"));
    let mut bob = Client::new(&server).await;
    bob.say("LOGIN bob \"battery staple\"").await;
    for command in ["SELECT %", "EXAMINE %", "STATUS % (MESSAGES)", "DELETE %", "RENAME % Else", "APPEND % {1+}\r\nx"] {
        let anothers = bob.say(command.replace('%', "Private")).await;
        assert_eq!(anothers, bob.say(command.replace('%', "Nowhere")).await);
        assert!(anothers.starts_with("t NO ["), "{anothers}");
    }
    assert!(!bob.say("LIST \"\" *").await.contains("Private"));
}

#[tokio::test]
async fn sec_p9_a_mailbox_that_is_made_again_has_another_uidvalidity_and_uids_do_not_go_back() {
    let mut client = Client::logged_in(&server()).await;
    let mut last = 0;
    for _ in 0..5 {
        assert!(client.say("CREATE Work").await.starts_with("t OK"));
        let told = client.say("STATUS Work (UIDVALIDITY)").await;
        let digits = told.split("UIDVALIDITY ").nth(1).unwrap().split(')').next().unwrap();
        let validity: u32 = digits.parse().unwrap();
        assert!(validity > last, "{validity} after {last}");
        last = validity;
        assert!(client.say("DELETE Work").await.starts_with("t OK"));
    }
    client.say("SELECT INBOX").await;
    for uid in 1..=3 {
        let told = client.append("A: b\r\n\r\n").await;
        assert!(told.contains(&format!(" {uid}] APPEND completed")), "{told}");
        client.say("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
        assert!(client.say("EXPUNGE").await.starts_with("* 1 EXPUNGE\n"));
    }
}

#[tokio::test]
async fn sec_m8_large_sets_on_a_small_mailbox_cost_nothing() {
    let mut client = Client::logged_in(&server()).await;
    for _ in 0..3 {
        client.append("A: b\r\n\r\n").await;
    }
    client.say("SELECT INBOX").await;
    let overlapping = "1:4294967295,".repeat(4000) + "1";
    let single: Vec<String> = (1..=9000).map(|uid| uid.to_string()).collect();
    for set in ["1:4294967295", "*:1", "4294967295:1", "1:*,*:1", &overlapping, &single.join(",")] {
        let begun = std::time::Instant::now();
        let told = client.say(format!("UID FETCH {set} UID")).await;
        assert_eq!(told.matches(" FETCH (UID ").count(), 3, "each once");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
    for set in ["0", "4294967296", "1:0", "", ",", "1,,2", "1:2:3", "-1", "+1", "1-2"] {
        let told = client.say(format!("FETCH {set} UID")).await;
        assert!(told.starts_with("t BAD "), "{set}: {told}");
    }
    assert!(client.say("FETCH 1:4 UID").await.starts_with("t BAD "), "a number that no message has");
}

#[tokio::test]
async fn sec_m9_wildcards_against_a_long_name_take_no_time() {
    let mut client = Client::logged_in(&server()).await;
    let name = "a".repeat(200);
    assert!(client.say(format!("CREATE {name}")).await.starts_with("t OK"));
    for pattern in ["*%".repeat(499) + "b", "*a".repeat(499) + "b", "%a*".repeat(333)] {
        let begun = std::time::Instant::now();
        let told = client.say(format!("LIST \"\" \"{pattern}\"")).await;
        assert!(told.ends_with("t OK LIST completed\n"), "{told}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    let told = client.say(format!("LIST \"\" \"{}\"", "*%".repeat(1000))).await;
    assert!(told.starts_with("t BAD ") || told.starts_with("t NO "), "{told}");
}

/// Everything that FETCH tells of messages whose fields are meant to end its lines.
#[tokio::test]
async fn sec_i1_nothing_in_a_message_or_a_command_can_end_a_line_of_the_answer() {
    let mut client = Client::logged_in(&server()).await;
    for message in [
        &b"Subject: a\x0b\x0c\x01\"\\) {5}\r\nFrom: \"a\\\"\\\\) * BYE\" <\"x) * BYE\"@[1.2.3.4]>\r\n\r\n"[..],
        b"Subject: =?utf-8?q?a=0D=0A*_BYE?=\r\nTo: =?utf-8?b?DQoqIEJZRQ==?= <a@b>\r\n\r\n",
        b"Subject: a\r* BYE x\r\nFrom: a\rb <c\n@d>\r\nMessage-ID: <\xff\xfe\"\\>\r\n\r\n",
        b"Content-Type: text/\"x\"; name=\"a\\\"\\\\)\r\n * BYE\"; name*=utf-8''%0D%0A%22\r\nContent-ID: )\"\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=\"\\\"\r\n\r\n--\"\r\nContent-Disposition: x; filename=\"{3}\"\r\n\r\n",
        b"Content-Language: a\", \"b), c\r\nContent-Location: \"\r\nContent-MD5: \xff\"\r\n\r\n",
    ] {
        assert!(client.append(message).await.starts_with("t OK"), "{}", message.escape_ascii());
    }
    for rev2 in [false, true] {
        if rev2 {
            client.say("ENABLE IMAP4rev2").await;
        }
        client.say("SELECT INBOX").await;
        for command in [
            "FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE INTERNALDATE FLAGS)",
            "FETCH 1:* (BODY.PEEK[HEADER.FIELDS ({8+}\r\nx\r\n* BYE \"a\\\"\\\\)\" ok)])",
            "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (\"a b\" \")\" ok)] BODY.PEEK[1.MIME])",
            "STORE 1:* +FLAGS ({8+}\r\nx\r\n* BYE)",
            "STORE 1:* +FLAGS (a\\b)",
            "SEARCH RETURN (ALL) SUBJECT {8+}\r\nx\r\n* BYE",
            "LIST {8+}\r\nx\r\n* BYE *",
        ] {
            client.write(format!("t {command}\r\n")).await;
            client.write("last NOOP\r\n").await;
            let mut octets = BytesMut::new();
            let mut reader = ResponseReader::default();
            let dialect = if rev2 { Dialect::UTF8 } else { Dialect::ASCII };
            let (mut fetched, mut answers) = (0, 0);
            loop {
                match reader.next(&mut octets, dialect) {
                    Some(Ok(Response::Status(Some(tag), _))) => {
                        answers += 1;
                        if tag.as_str() == "last" {
                            break;
                        }
                    }
                    Some(Ok(Response::Data(_))) => fetched += 1,
                    // A name whose octets are no text is BAD; it is the server's word and no forged one.
                    Some(Ok(Response::Status(None, status))) => {
                        assert!(!status.text.as_str().contains("BYE"), "{command}: {status:?}");
                        assert_ne!(status.kind, imap_proto::response::StatusKind::Bye, "{command}");
                        answers += usize::from(status.kind == imap_proto::response::StatusKind::Bad);
                    }
                    Some(Ok(other)) => panic!("{command}: {other:?}"),
                    Some(Err(error)) => panic!("{command}: {error}"),
                    None => {
                        octets.extend_from_slice(&client.octets_of_line().await);
                        octets.extend_from_slice(b"\r\n");
                    }
                }
            }
            assert_eq!(answers, 2, "{command}");
            assert!(!command.contains("ENVELOPE") || fetched == 6, "{command}: {fetched}");
        }
    }
}

/// Whether the parentheses and quotes of an answer come in pairs, on every line of it; literals are passed over.
fn is_balanced(told: &str) -> bool {
    let (mut depth, mut quoted, mut rest) = (0i64, false, told.as_bytes());
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        match octet {
            b'\\' if quoted => rest = &rest[1..],
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            b'{' if !quoted => {
                let end = rest.iter().position(|octet| *octet == b'}').unwrap();
                let octets: usize = std::str::from_utf8(&rest[..end]).unwrap().parse().unwrap();
                // A line end is one octet here.
                rest = &rest[end + 2 + octets..];
            }
            b'\n' if depth != 0 || quoted => return false,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0 && !quoted
}

#[tokio::test]
async fn sec_m11_structures_without_end_are_told_in_part_and_well_formed() {
    let nested = |at: usize| format!("Content-Type: multipart/mixed; boundary=b{at}\r\n\r\n--b{at}\r\n");
    let embedded = "Content-Type: message/rfc822\r\n\r\n";
    let parameters: String = (0..10_000).map(|at| format!(";\r\n name*{at}=x")).collect();
    for (what, message) in [
        ("nested", (0..10_000).map(nested).collect()),
        ("parts", format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(100_000))),
        ("addresses", format!("To: {}\r\n\r\n", "a@b,\r\n ".repeat(100_000))),
        ("parameters", format!("Content-Type: text/plain{parameters}\r\n\r\n")),
        ("embedded", embedded.repeat(10_000)),
        ("comments", format!("From: {}a@b\r\nDate: {}\r\n\r\n", "(".repeat(100_000), "(".repeat(100_000))),
        ("groups", format!("To: {}\r\n\r\n", "a:".repeat(50_000))),
    ] {
        let mut client = Client::logged_in(&server()).await;
        assert!(client.append(&message).await.starts_with("t OK"), "{what}");
        client.say("SELECT INBOX").await;
        let begun = std::time::Instant::now();
        for command in ["FETCH 1 (ENVELOPE BODYSTRUCTURE)", "FETCH 1 BODY", "FETCH 1 BODY.PEEK[1.1.1.1.MIME]"] {
            let told = client.say(command).await;
            assert!(told.ends_with("t OK FETCH completed\n"), "{what}: {}", &told[told.len() - 100..]);
            assert!(is_balanced(&told) || command.contains("MIME"), "{what}: {command}");
            assert!(told.len() < 4 << 20, "{what}: {} octets", told.len());
        }
        assert!(client.say("SEARCH TEXT nothing").await.starts_with("* SEARCH\n"), "{what}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}: {:?}", begun.elapsed());
    }
}
