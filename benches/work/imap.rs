//! IMAP: commands as a server reads them, responses as it writes them and a client reads them.

use bytes::{Buf, BytesMut};
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use imap_codec::{CommandCodec, ResponseCodec};
use imap_proto::command::{AppendHead, Command, CommandBody};
use imap_proto::fetch::{write_envelope, write_structure};
use imap_proto::frame::{FrameReader, Piece};
use imap_proto::grammar::Dialect;
use imap_proto::limits::Limits;
use imap_proto::response::{Response, ResponseLimits, ResponseReader};
use mail_message::Digest;

use super::{Round, Work};

/// Seventeen commands as clients send them; four of them carry literals.
pub const COMMANDS: [&str; 17] = [
    "a1 CAPABILITY\r\n",
    "a2 LOGIN {15+}\r\nada@example.org {13+}\r\ncorrect horse\r\n",
    "a3 ENABLE CONDSTORE\r\n",
    "a4 LIST \"\" \"*\"\r\n",
    "a5 SELECT INBOX\r\n",
    "a6 STATUS \"Sent Items\" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)\r\n",
    "a7 UID FETCH 1:* (FLAGS)\r\n",
    "a8 UID FETCH 4231,4240:4251,4300 (UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject \
     Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])\r\n",
    "a9 FETCH 1:20 (ENVELOPE BODYSTRUCTURE)\r\n",
    "a10 UID FETCH 4231 (UID BODY.PEEK[1.2]<0.65536>)\r\n",
    "a11 UID SEARCH UNDELETED SINCE 1-Feb-2026 OR FROM \"ada\" SUBJECT {6+}\r\nengine\r\n",
    "a12 UID STORE 4231:4240 +FLAGS.SILENT (\\Seen $Forwarded)\r\n",
    "a13 UID COPY 4231,4233 Archive/2026\r\n",
    "a14 UID MOVE 4240:4251 \"Entw&APw-rfe\"\r\n",
    "a15 APPEND Drafts (\\Draft \\Seen) \"17-Jul-2026 02:44:25 +0200\" {54+}\r\nFrom: ada@example.org\r\nSubject: the engine\r\n\r\n\
     Later.\r\n\r\n",
    "a16 CREATE {12+}\r\nReceipts/May\r\n",
    "a17 NOOP\r\n",
];

/// All of them, so many times, as they stand in a pipelining client's stream.
pub fn commands(times: usize) -> Vec<u8> {
    COMMANDS.concat().repeat(times).into_bytes()
}

/// Frames and parses every command. Gives how many there were.
pub fn read_commands(wire: &[u8]) -> usize {
    let limits = Limits::default();
    let (mut frames, mut input, mut count) = (FrameReader::new(), BytesMut::from(wire), 0);
    let mut seen = |is_append: bool| {
        std::hint::black_box(is_append);
        count += 1;
    };
    while let Some(piece) = frames.next(&mut input, limits.line) {
        match piece.expect("each line is one") {
            Piece::Command(frame) => {
                let command = Command::parse(&frame, Dialect::ASCII, &limits).expect("each command is one");
                seen(matches!(std::hint::black_box(command).body, CommandBody::Noop));
            }
            Piece::Literal(head) => {
                let octets = usize::try_from(head.octets).expect("literals are short");
                match AppendHead::parse(frames.so_far(), Dialect::ASCII, &limits).expect("each APPEND is one") {
                    // Its message is streamed by whoever stores it: looked at here, and passed by with its CRLF.
                    Some(append) => {
                        std::hint::black_box((append, input.get(..octets)));
                        frames.abandon();
                        input.advance(octets + 2);
                        seen(true);
                    }
                    None => frames.take_literal(octets),
                }
            }
            _ => unreachable!("there are two kinds of pieces"),
        }
    }
    assert!(input.is_empty());
    count
}

/// The same by imap-codec, which reads a command and its literals where they stand.
pub fn read_commands_imap_codec(wire: &[u8]) -> usize {
    let (codec, mut rest, mut count) = (CommandCodec::default(), wire, 0);
    while !rest.is_empty() {
        let (behind, command) = codec.decode(rest).unwrap_or_else(|_| panic!("{}", rest.escape_ascii()));
        std::hint::black_box(command);
        rest = behind;
        count += 1;
    }
    count
}

/// What a server tells of one message whose list a client shows: 1 KB with flags, envelope and structure.
pub const FETCH: &str = "* 4231 FETCH (UID 58231 FLAGS (\\Answered \\Seen $Forwarded) INTERNALDATE \"17-Jul-2026 02:44:25 +0200\" \
    RFC822.SIZE 44827 ENVELOPE (\"Fri, 17 Jul 2026 02:44:25 +0200\" \"The engine weaves algebraical patterns just as the loom weaves leaves\" \
    ((\"Ada Lovelace\" NIL \"ada.lovelace\" \"example.org\")) ((\"Ada Lovelace\" NIL \"ada.lovelace\" \"example.org\")) \
    ((\"Ada Lovelace\" NIL \"ada.lovelace\" \"example.org\")) ((\"Charles Babbage\" NIL \"charles\" \"example.net\")\
    (NIL NIL \"engines\" \"lists.example.net\")) ((\"Mary Somerville\" NIL \"mary\" \"example.com\")) NIL \
    \"<20260716.1188@example.net>\" \"<20260717.4231@example.org>\") BODYSTRUCTURE (((\"text\" \"plain\" \
    (\"charset\" \"utf-8\" \"format\" \"flowed\") NIL NIL \"quoted-printable\" 2279 48 NIL NIL NIL NIL)\
    (\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 9871 153 NIL NIL NIL NIL) \"alternative\" \
    (\"boundary\" \"=_b1_8f1c\") NIL NIL NIL)(\"application\" \"pdf\" (\"name\" \"notes.pdf\") NIL NIL \"base64\" 31422 NIL \
    (\"attachment\" (\"filename\" \"notes.pdf\")) NIL NIL) \"mixed\" (\"boundary\" \"=_b0_8f1c\") NIL NIL NIL))\r\n";

/// So many of them.
pub fn responses(times: usize) -> Vec<u8> {
    FETCH.repeat(times).into_bytes()
}

/// Our response, ready to be written.
pub fn response() -> Response {
    let frame = FETCH.trim_end().as_bytes();
    Response::parse(frame, Dialect::ASCII, &ResponseLimits::default()).expect("it is a response")
}

/// imap-codec's.
pub fn response_imap_codec() -> imap_codec::imap_types::response::Response<'static> {
    ResponseCodec::default().decode_static(FETCH.as_bytes()).expect("it is a response").1
}

/// Writes it so many times into one buffer, which is sent whenever it holds 16 KiB.
pub fn write_responses(response: &Response, times: usize, out: &mut BytesMut) -> usize {
    let mut octets = 0;
    for _ in 0..times {
        response.encode(Dialect::ASCII, out);
        if out.len() >= 16 * 1024 {
            octets += out.len();
            std::hint::black_box(&out).iter().next();
            out.clear();
        }
    }
    octets += out.len();
    out.clear();
    octets
}

/// The same by imap-codec: its encoder gives an owned buffer for every response.
pub fn write_responses_imap_codec(
    response: &imap_codec::imap_types::response::Response<'_>,
    times: usize,
    out: &mut BytesMut,
) -> usize {
    let (codec, mut octets) = (ResponseCodec::default(), 0);
    for _ in 0..times {
        out.extend_from_slice(&codec.encode(response).dump());
        if out.len() >= 16 * 1024 {
            octets += out.len();
            std::hint::black_box(&out).iter().next();
            out.clear();
        }
    }
    octets += out.len();
    out.clear();
    octets
}

/// The digest of a message whose envelope and structure are those of [`FETCH`].
pub fn digest() -> Digest {
    let message = "Date: Fri, 17 Jul 2026 02:44:25 +0200\r\nSubject: The engine weaves algebraical patterns just as the loom\r\n \
        weaves leaves\r\nFrom: Ada Lovelace <ada.lovelace@example.org>\r\nTo: Charles Babbage <charles@example.net>,\r\n \
        engines@lists.example.net\r\nCc: Mary Somerville <mary@example.com>\r\nIn-Reply-To: <20260716.1188@example.net>\r\n\
        Message-ID: <20260717.4231@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=\"=_b0_8f1c\"\
        \r\n\r\n--=_b0_8f1c\r\nContent-Type: multipart/alternative; boundary=\"=_b1_8f1c\"\r\n\r\n--=_b1_8f1c\r\nContent-Type: \
        text/plain; charset=utf-8; format=flowed\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSee below.\r\n\
        --=_b1_8f1c\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        <p>See below.</p>\r\n--=_b1_8f1c--\r\n--=_b0_8f1c\r\nContent-Type: application/pdf; name=notes.pdf\r\n\
        Content-Disposition: attachment; filename=notes.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n\
        --=_b0_8f1c--\r\n";
    Digest::of(message.as_bytes())
}

/// Writes what a server tells of so many messages whose digests are ready: ENVELOPE, or BODYSTRUCTURE.
pub fn write_from_digest(digest: &Digest, structure: bool, times: usize, out: &mut BytesMut) -> usize {
    let mut octets = 0;
    for _ in 0..times {
        if structure {
            write_structure(digest, true, Dialect::ASCII, out);
        } else {
            write_envelope(digest.root(), Dialect::ASCII, out);
        }
        if out.len() >= 16 * 1024 {
            octets += out.len();
            out.clear();
        }
    }
    octets += out.len();
    out.clear();
    octets
}

/// Reads every response as a client does.
pub fn read_responses(wire: &[u8]) -> usize {
    let mut reader = ResponseReader::new(ResponseLimits::default());
    let (mut input, mut count) = (BytesMut::from(wire), 0);
    while let Some(response) = reader.next(&mut input, Dialect::ASCII) {
        std::hint::black_box(response.expect("each response is one"));
        count += 1;
    }
    count
}

/// The same by imap-proto, the client-side parser of that name, which borrows from its input.
pub fn read_responses_imap_proto(wire: &[u8]) -> usize {
    let (mut rest, mut count) = (wire, 0);
    while !rest.is_empty() {
        let (behind, response) = imap_proto_peer::Response::parse(rest).expect("each response is one");
        std::hint::black_box(response);
        rest = behind;
        count += 1;
    }
    count
}

/// The same by imap-codec.
pub fn read_responses_imap_codec(wire: &[u8]) -> usize {
    let (codec, mut rest, mut count) = (ResponseCodec::default(), wire, 0);
    while !rest.is_empty() {
        let (behind, response) = codec.decode(rest).expect("each response is one");
        std::hint::black_box(response);
        rest = behind;
        count += 1;
    }
    count
}

/// How many times the mix of commands, and the response, stand in one round that is counted.
const TIMES: usize = 20;

/// What is counted.
pub fn work() -> Vec<Work> {
    fn commands_by(read: fn(&[u8]) -> usize) -> Round {
        let wire = commands(TIMES);
        Box::new(move || read(&wire))
    }
    fn responses_by(read: fn(&[u8]) -> usize) -> Round {
        let wire = responses(TIMES);
        Box::new(move || read(&wire))
    }
    let command = |name, prepare| Work { name, item: "command", items: (COMMANDS.len() * TIMES) as u64, prepare };
    let each_response = |name, prepare| Work { name, item: "response", items: TIMES as u64, prepare };
    vec![
        command("imap commands read/pillarbox", || commands_by(read_commands)),
        command("imap commands read/imap-codec", || commands_by(read_commands_imap_codec)),
        each_response("imap FETCH responses written/pillarbox", || {
            let (response, mut out) = (response(), BytesMut::with_capacity(32 * 1024));
            Box::new(move || write_responses(&response, TIMES, &mut out))
        }),
        each_response("imap FETCH responses written/imap-codec", || {
            let (response, mut out) = (response_imap_codec(), BytesMut::with_capacity(32 * 1024));
            Box::new(move || write_responses_imap_codec(&response, TIMES, &mut out))
        }),
        each_response("imap ENVELOPE of a digest/pillarbox", || {
            let (digest, mut out) = (digest(), BytesMut::with_capacity(32 * 1024));
            Box::new(move || write_from_digest(&digest, false, TIMES, &mut out))
        }),
        each_response("imap BODYSTRUCTURE of a digest/pillarbox", || {
            let (digest, mut out) = (digest(), BytesMut::with_capacity(32 * 1024));
            Box::new(move || write_from_digest(&digest, true, TIMES, &mut out))
        }),
        each_response("imap FETCH responses read/pillarbox", || responses_by(read_responses)),
        each_response("imap FETCH responses read/imap-proto", || responses_by(read_responses_imap_proto)),
        each_response("imap FETCH responses read/imap-codec", || responses_by(read_responses_imap_codec)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_read_the_same_commands() {
        let wire = commands(3);
        assert_eq!((read_commands(&wire), read_commands_imap_codec(&wire)), (51, 51));
    }

    #[test]
    fn all_read_and_write_the_same_responses() {
        let wire = responses(3);
        assert_eq!(read_responses(&wire), 3);
        assert_eq!((read_responses_imap_proto(&wire), read_responses_imap_codec(&wire)), (3, 3));
        let mut out = BytesMut::new();
        response().encode(Dialect::ASCII, &mut out);
        assert_eq!(out, FETCH.as_bytes());
        let theirs = ResponseCodec::default().encode(&response_imap_codec()).dump();
        assert_eq!(theirs.len(), FETCH.len(), "{}", theirs.escape_ascii());
        let digest = digest();
        out.clear();
        write_envelope(digest.root(), Dialect::ASCII, &mut out);
        assert!(FETCH.as_bytes().windows(out.len()).any(|part| part == out), "{}", out.escape_ascii());
        out.clear();
        write_structure(&digest, true, Dialect::ASCII, &mut out);
        let lists = |octets: &[u8]| octets.iter().filter(|&&octet| octet == b'(').count();
        let structure = FETCH.split_once("BODYSTRUCTURE ").map_or("", |(_, structure)| structure);
        assert_eq!(lists(&out), lists(structure.as_bytes()));
        assert!((1000..1200).contains(&FETCH.len()), "{} octets", FETCH.len());
    }
}
