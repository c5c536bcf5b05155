//! A conversation by LMTP with any answers: behind the message there is one reply for each recipient that was accepted, in
//! their order, and what was pipelined behind it has its own (RFC 2033 §4.2).

use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::dot::DotEncoder;
use smtp_proto::response::Reply;
use smtp_proto::session::{Config, Event, Protocol, ServerSession};

fn reply(code: u16, text: &str) -> Reply {
    let class = if code / 100 == 4 { "4.2.2" } else { "5.1.1" };
    Reply::parse(format!("{code} {class} {text}\r\n").as_bytes()).expect("a reply")
}

/// See the module.
pub fn run(octets: &[u8]) {
    let Some((head, body)) = octets.split_at_checked(4) else { return };
    let recipients = usize::from(head[0] % 9);
    let is_accepted = |at: usize| head[1] >> (at % 8) & 1 == 0;
    let is_delivered = |at: usize| head[2] >> (at % 8) & 1 == 0;

    let mut wire = BytesMut::from("LHLO a.example\r\nMAIL FROM:<a@a.example>\r\n");
    (0..recipients).for_each(|at| wire.extend_from_slice(format!("RCPT TO:<r{at}@b.example>\r\n").as_bytes()));
    wire.extend_from_slice(b"DATA\r\n");
    let mut encoder = DotEncoder::new();
    let accepted: Vec<usize> = (0..recipients).filter(|&at| is_accepted(at)).collect();
    if !accepted.is_empty() {
        encoder.encode(body, &mut wire);
        encoder.finish(&mut wire);
    }
    wire.extend_from_slice(b"NOOP\r\nQUIT\r\n");

    let config = Config::new("mail.example.org".parse().expect("a name"), Protocol::Lmtp);
    let mut session = ServerSession::new(Arc::new(config));
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    let (mut asked, mut expected) = (0, Vec::new());
    for chunk in wire.chunks(usize::from(head[3]) + 1) {
        input.extend_from_slice(chunk);
        while let Some(event) = session.next_event(&mut input).expect("every event is answered") {
            match &event {
                Event::Data(_) => {}
                Event::Rcpt(rcpt) => {
                    let answer = if is_accepted(asked) { rcpt.accept() } else { rcpt.refuse(reply(550, "nobody")) };
                    asked += 1;
                    session.answer(answer, &mut output).expect("it fits");
                }
                Event::EndOfData(end) => {
                    assert_eq!(end.replies, accepted.len());
                    for &at in &accepted {
                        let answer = if is_delivered(at) { end.accept() } else { end.refuse(reply(452, "full")) };
                        session.answer(answer, &mut output).expect("it fits");
                    }
                }
                _ => session.answer(event.default_answer(), &mut output).expect("it fits"),
            }
        }
    }
    assert!(session.is_closed() && asked == recipients);

    expected.extend([220, 250, 250]);
    expected.extend((0..recipients).map(|at| if is_accepted(at) { 250 } else { 550 }));
    if accepted.is_empty() {
        // "No valid recipients" in so many words (RFC 2033 §4.2).
        expected.push(503);
    } else {
        expected.push(354);
        // A message that cannot be taken is refused for everybody.
        let is_refused = body.contains(&0);
        expected.extend(accepted.iter().map(|&at| match is_delivered(at) {
            _ if is_refused => 550,
            true => 250,
            false => 452,
        }));
    }
    expected.extend([250, 221]);
    assert_eq!(codes(&output), expected);
}

/// The codes of all replies, each of which our own reader understands.
fn codes(mut output: &[u8]) -> Vec<u16> {
    let mut codes = Vec::new();
    while !output.is_empty() {
        // The last line of a reply has a space behind its code.
        let mut end = 0;
        loop {
            let line = &output[end..];
            end += line.windows(2).position(|pair| pair == b"\r\n").expect("a line ends") + 2;
            if line[3] == b' ' {
                break;
            }
        }
        let reply = Reply::parse(&output[..end]).expect("a reply");
        codes.push(reply.code().to_string().parse().expect("three digits"));
        output = &output[end..];
    }
    codes
}
