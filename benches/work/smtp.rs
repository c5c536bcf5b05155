//! SMTP: commands as a server reads them, and the octets behind DATA.

use bytes::BytesMut;
use mail_wire::dot::{Decoded, DotDecoder, LineEndPolicy};
use mail_wire::line::LineReader;
use smtp_proto::command::{Command, Dialect};
use smtp_proto_peer::request::receiver::DataReceiver;

use super::{Round, Work};

/// A session as most are.
pub const BASIC: [&str; 8] = [
    "EHLO client.example.net\r\n",
    "MAIL FROM:<ada@example.net>\r\n",
    "RCPT TO:<charles@example.org>\r\n",
    "RCPT TO:<mary.somerville@example.org>\r\n",
    "DATA\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
];

/// A session with a login and with parameters.
pub const WITH_PARAMETERS: [&str; 6] = [
    "EHLO client.example.net\r\n",
    "AUTH PLAIN AGFkYUBleGFtcGxlLm5ldABjb3JyZWN0IGhvcnNl\r\n",
    "MAIL FROM:<ada@example.net> SIZE=44827 BODY=8BITMIME RET=HDRS ENVID=QQ314159\r\n",
    "RCPT TO:<charles@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;charles@example.org\r\n",
    "RCPT TO:<mary.somerville@example.org> NOTIFY=NEVER ORCPT=rfc822;mary.somerville@example.org\r\n",
    "QUIT\r\n",
];

/// How many sessions one input has.
pub const SESSIONS: usize = 200;

/// So many sessions as one stream.
pub fn sessions(session: &[&str]) -> Vec<u8> {
    session.concat().repeat(SESSIONS).into_bytes()
}

/// What a server that offers everything understands.
fn dialect() -> Dialect {
    let mut dialect = Dialect::default();
    dialect.extensions.dsn = true;
    dialect.extensions.auth = true;
    dialect
}

/// Finds and parses every command. Gives how many there were.
pub fn read_commands(wire: &[u8]) -> usize {
    let dialect = dialect();
    let (mut lines, mut input, mut count) = (LineReader::new(), BytesMut::from(wire), 0);
    while let Some(command) = lines.read_line(&mut input, 12_288, |line| Command::parse(line, &dialect)) {
        let Ok(Ok(command)) = &command else { panic!("each line is a command") };
        std::hint::black_box(command);
        count += 1;
    }
    assert!(input.is_empty());
    count
}

/// The same by smtp-proto, which borrows from its input.
pub fn read_commands_smtp_proto(wire: &[u8]) -> usize {
    let (mut octets, mut count) = (wire.iter(), 0);
    while !octets.as_slice().is_empty() {
        let request = smtp_proto_peer::Request::parse(&mut octets);
        let Ok(request) = &request else { panic!("each line is a command") };
        std::hint::black_box(request);
        count += 1;
    }
    count
}

/// Octets of a body: ten megabytes.
pub const BODY: usize = 10_000_000;

/// Lines of 76 octets, as an attachment has them.
pub fn base64_body() -> Vec<u8> {
    ending(&[&[b'A'; 76][..], b"\r\n"].concat())
}

/// Text in which some lines begin with a dot.
pub fn dotted_body() -> Vec<u8> {
    let plain = "A line of text that says little, but is as long as lines are.\r\n".repeat(9);
    ending(format!("{plain}..profile and what is in it\r\n").as_bytes())
}

/// Nothing but dots: the worst there is for who gives slices.
pub fn dots_body() -> Vec<u8> {
    ending(b"..\r\n")
}

/// The first line has no dot: smtp-proto leaves the one that was put in front of it.
fn ending(lines: &[u8]) -> Vec<u8> {
    [b"\r\n", &lines.repeat(BODY / lines.len())[..], b".\r\n"].concat()
}

/// Decodes a body that stands in one buffer. Gives how many octets the message has.
pub fn decode(wire: &mut BytesMut) -> usize {
    let (mut decoder, mut octets) = (DotDecoder::new(LineEndPolicy::Normalize), 0);
    loop {
        match decoder.next(wire) {
            Some(Decoded::Octets(slice)) => octets += std::hint::black_box(slice).len(),
            Some(_) => return octets,
            None => unreachable!("the body ends"),
        }
    }
}

/// The message's octets themselves.
pub fn decoded(mut wire: BytesMut) -> Vec<u8> {
    let (mut decoder, mut octets) = (DotDecoder::new(LineEndPolicy::Normalize), Vec::new());
    while let Some(Decoded::Octets(slice)) = decoder.next(&mut wire) {
        octets.extend_from_slice(&slice);
    }
    octets
}

/// The same by smtp-proto, which copies into a buffer that is large enough.
pub fn decode_smtp_proto(wire: &[u8], out: &mut Vec<u8>) -> usize {
    out.clear();
    assert!(DataReceiver::new().ingest(&mut wire.iter(), out));
    std::hint::black_box(&out).len()
}

/// What the least is that somebody has to do who looks for a dot at a line's start.
pub fn scan(wire: &[u8]) -> usize {
    memchr::memmem::find_iter(wire, b"\r\n.").count()
}

/// The same, octet by octet: a decoder with a state and no more, which copies.
pub fn decode_octet_by_octet(wire: &[u8], out: &mut Vec<u8>) -> usize {
    out.clear();
    let mut at_start = true;
    let mut rest = wire;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        if at_start && octet == b'.' {
            if rest.starts_with(b"\r\n") {
                break;
            }
        } else {
            out.push(octet);
        }
        at_start = octet == b'\n' && out.ends_with(b"\r\n");
    }
    std::hint::black_box(&out).len()
}

/// What is counted.
pub fn work() -> Vec<Work> {
    fn commands(session: &'static [&'static str], read: fn(&[u8]) -> usize) -> Round {
        let wire = sessions(session);
        Box::new(move || read(&wire))
    }
    fn ours(body: fn() -> Vec<u8>) -> Round {
        let wire = body();
        Box::new(move || decode(&mut BytesMut::from(&wire[..])))
    }
    fn floor(body: fn() -> Vec<u8>, decode: fn(&[u8], &mut Vec<u8>) -> usize) -> Round {
        let (wire, mut out) = (body(), Vec::with_capacity(BODY + 16));
        Box::new(move || decode(&wire, &mut out))
    }
    let basic = |name, prepare| Work { name, item: "command", items: (BASIC.len() * SESSIONS) as u64, prepare };
    let parameters =
        |name, prepare| Work { name, item: "command", items: (WITH_PARAMETERS.len() * SESSIONS) as u64, prepare };
    let body = |name, prepare| Work { name, item: "kilobyte", items: BODY as u64 / 1000, prepare };
    vec![
        basic("smtp commands read/pillarbox", || commands(&BASIC, read_commands)),
        basic("smtp commands read/smtp-proto", || commands(&BASIC, read_commands_smtp_proto)),
        parameters("smtp commands with parameters read/pillarbox", || commands(&WITH_PARAMETERS, read_commands)),
        parameters("smtp commands with parameters read/smtp-proto", || {
            commands(&WITH_PARAMETERS, read_commands_smtp_proto)
        }),
        body("smtp base64 behind DATA, copied and decoded/pillarbox", || ours(base64_body)),
        body("smtp base64 behind DATA, copied and decoded/smtp-proto", || floor(base64_body, decode_smtp_proto)),
        body("smtp base64 behind DATA, copied and decoded/octet by octet", || {
            floor(base64_body, decode_octet_by_octet)
        }),
        body("smtp base64 behind DATA, copied and decoded/a bare scan", || floor(base64_body, |wire, _| scan(wire))),
        body("smtp dotted text behind DATA, copied and decoded/pillarbox", || ours(dotted_body)),
        body("smtp dotted text behind DATA, copied and decoded/smtp-proto", || floor(dotted_body, decode_smtp_proto)),
        body("smtp dotted text behind DATA, copied and decoded/octet by octet", || {
            floor(dotted_body, decode_octet_by_octet)
        }),
        body("smtp dotted text behind DATA, copied and decoded/a bare scan", || {
            floor(dotted_body, |wire, _| scan(wire))
        }),
        body("smtp dots behind DATA, copied and decoded/pillarbox", || ours(dots_body)),
        body("smtp dots behind DATA, copied and decoded/smtp-proto", || floor(dots_body, decode_smtp_proto)),
        body("smtp dots behind DATA, copied and decoded/octet by octet", || floor(dots_body, decode_octet_by_octet)),
        body("smtp dots behind DATA, copied and decoded/a bare scan", || floor(dots_body, |wire, _| scan(wire))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_read_the_same_commands() {
        for session in [&BASIC[..], &WITH_PARAMETERS] {
            let wire = sessions(session);
            let count = session.len() * SESSIONS;
            assert_eq!((read_commands(&wire), read_commands_smtp_proto(&wire)), (count, count));
        }
    }

    #[test]
    fn all_decode_the_same_octets() {
        for body in [base64_body(), dotted_body(), dots_body()] {
            let octets = decoded(BytesMut::from(&body[..]));
            assert_eq!(decode(&mut BytesMut::from(&body[..])), octets.len());
            let mut out = Vec::new();
            decode_octet_by_octet(&body, &mut out);
            assert_eq!(out, octets);
            decode_smtp_proto(&body, &mut out);
            assert_eq!(out, octets);
        }
    }
}
