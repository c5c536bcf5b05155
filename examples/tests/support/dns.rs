//! A DNS server that knows what it is told: TXT and A, over UDP, on loopback.

use std::net::{Ipv4Addr, UdpSocket};

/// A name, `TXT` or `A`, and what stands there.
pub(crate) type Record = (&'static str, &'static str, String);

const TXT: u16 = 16;
const A: u16 = 1;

/// Serves these until the test's process ends, and says where.
pub(crate) fn serve(records: Vec<Record>) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut query = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            if let Some(answer) = answer(&query[..length], &records) {
                socket.send_to(&answer, client).unwrap();
            }
        }
    });
    address
}

/// RFC 1035 §4.1: the question again, and the records for it behind a pointer to its name.
fn answer(query: &[u8], records: &[Record]) -> Option<Vec<u8>> {
    let mut at = 12;
    let mut labels = Vec::new();
    while let Some(&length @ 1..) = query.get(at) {
        labels.push(String::from_utf8_lossy(query.get(at + 1..=at + usize::from(length))?).to_ascii_lowercase());
        at += usize::from(length) + 1;
    }
    let name = labels.join(".");
    let kind = u16::from_be_bytes([*query.get(at + 1)?, *query.get(at + 2)?]);
    let question = query.get(12..at + 5)?;

    let of_name: Vec<_> = records.iter().filter(|(known, ..)| *known == name).collect();
    let data: Vec<_> = of_name.iter().filter_map(|(_, known, text)| data(kind, known, text)).collect();
    let response_code = if of_name.is_empty() { 3 } else { 0 };
    let mut answer =
        vec![query[0], query[1], 0x84, 0x80 | response_code, 0, 1, 0, u8::try_from(data.len()).ok()?, 0, 0, 0, 0];
    answer.extend(question);
    for data in data {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60]);
        answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

fn data(kind: u16, known: &str, text: &str) -> Option<Vec<u8>> {
    match (kind, known) {
        (A, "A") => Some(text.parse::<Ipv4Addr>().unwrap().octets().to_vec()),
        (TXT, "TXT") => {
            let strings = text.as_bytes().chunks(255);
            Some(strings.flat_map(|part| std::iter::once(part.len() as u8).chain(part.iter().copied())).collect())
        }
        _ => None,
    }
}
