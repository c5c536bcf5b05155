//! Messages of all sizes and shapes, each of its own.

/// Who gets mail; the first is the account that the server makes.
pub(crate) const ACCOUNTS: [&str; 4] = ["me", "ada", "bob", "cleo"];

/// A message to send, and how.
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) sender: &'static str,
    pub(crate) accounts: Vec<&'static str>,
    pub(crate) mail_parameters: &'static str,
    pub(crate) rcpt_parameters: &'static str,
    pub(crate) octets: Vec<u8>,
}

/// The `number`th message: one of ten shapes, and now and then one in a language of its own, or large.
pub(crate) fn message(number: usize) -> Message {
    let id = format!("<{number}.queued@client.example.net>");
    let mut sender = "sender@example.net";
    let mut accounts = vec![ACCOUNTS[number % 4]];
    let (mut mail_parameters, mut rcpt_parameters) = ("", "");
    let mut octets =
        format!("Message-ID: {id}\r\nFrom: <sender@example.net>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n");
    octets.push_str("To: everybody:;\r\n");
    let plain = format!("Subject: shape {}\r\n\r\nThe message with the number {number}.\r\n", number % 10);
    let mut octets = octets.into_bytes();
    match number % 10 {
        _ if number % 500 == 7 => octets.extend(attachment(2 << 20, number)),
        1 => {
            octets.extend(plain.as_bytes());
            octets.extend(b".\r\n..\r\n...\r\n.a\r\n\r\n.\r\n\r\nMAIL FROM:<a@example.net>\r\n.\r\n");
        }
        2 => {
            mail_parameters = " BODY=8BITMIME";
            octets.extend(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n");
            octets.extend(b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
            (0..1 + number % 7).for_each(|_| octets.extend((0x80..=0xff).chain(*b"\r\n")));
            octets.extend("Grüße, 你好\r\n".as_bytes());
        }
        // As long as RFC 5321 section 4.5.3.1.6 lets them be; Postfix folds what is longer.
        3 => {
            octets.extend(plain.as_bytes());
            for length in [998, 997, 512, 998, 1] {
                octets.extend([b'a' + (number % 26) as u8].repeat(length));
                octets.extend(b"\r\n");
            }
            octets.extend([b'.'; 997]);
            octets.extend(b"\r\n");
        }
        4 => octets.extend(b"Subject: nothing below\r\n\r\n"),
        5 => octets.extend(b"Subject: no empty line either\r\n"),
        6 => {
            accounts = (0..2 + number / 10 % 3).map(|more| ACCOUNTS[(number + more) % 4]).collect();
            octets.extend(plain.as_bytes());
        }
        7 => octets.extend(attachment(1024 * (4 + number % 60), number)),
        8 => {
            octets.extend(b"Subject: white\r\n \t space \r\nX-Empty:\r\nX-Folded:\r\n\ttwice\r\n  over\r\n\r\n");
            octets.extend(b"\r\n\r\n \r\n\t\r\ntrailing \t \r\n\r\n\r\n".repeat(1 + number % 5));
        }
        9 => {
            sender = "";
            mail_parameters = " RET=HDRS ENVID=QQ314159";
            rcpt_parameters = " NOTIFY=FAILURE,DELAY ORCPT=rfc822;sought+2Bafter@example.org";
            octets.extend(plain.as_bytes());
        }
        _ if number % 50 == 10 => {
            sender = "jürgen@example.net";
            mail_parameters = " BODY=8BITMIME SMTPUTF8";
            octets.extend("Subject: Grüße\r\n\r\nNatürlich.\r\n".as_bytes());
        }
        _ => octets.extend(plain.as_bytes()),
    }
    Message { id, sender, accounts, mail_parameters, rcpt_parameters, octets }
}

/// A message's rest: a text, and a file of so many octets as base64 would have it.
fn attachment(size: usize, seed: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut octets =
        b"Subject: a file\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n".to_vec();
    octets.extend(b"--=_b\r\n\r\nSee there.\r\n--=_b\r\nContent-Type: application/octet-stream\r\n");
    octets.extend(b"Content-Transfer-Encoding: base64\r\n\r\n");
    let mut state = seed as u32;
    for _ in 0..size / 78 {
        octets.extend((0..76).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ALPHABET[(state >> 26) as usize]
        }));
        octets.extend(b"\r\n");
    }
    octets.extend(b"--=_b--\r\n");
    octets
}

/// Fields in front that a delivery puts there (RFC 5321 section 4.4), and what is behind them.
pub(crate) fn split_trace(message: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    let mut inside = false;
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        let begins = |name: &[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let continues = matches!(line.first(), Some(b' ' | b'\t'));
        inside = (inside && continues)
            || [&b"Return-Path:"[..], b"Received:", b"Delivered-To:"].iter().any(|name| begins(name));
        if !inside {
            break;
        }
        at += line.len();
    }
    message.split_at(at)
}

/// A message's id, which is the first thing in each of these.
pub(crate) fn id_of(octets: &[u8]) -> Option<String> {
    let line = octets.split(|octet| matches!(octet, b'\r' | b'\n')).next()?;
    Some(super::text(line.strip_prefix(b"Message-ID: ")?))
}
