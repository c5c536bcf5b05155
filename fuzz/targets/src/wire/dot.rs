//! A message has one end wherever it is cut, nothing that stands alone is passed on, and what goes out comes in again.

use bytes::BytesMut;
use mail_wire::dot::{Decoded, DotDecoder, DotEncoder, LineEndPolicy};

fn decode(octets: &[u8], cut: usize) -> (Vec<u8>, bool, BytesMut) {
    let (mut decoder, mut input) = (DotDecoder::new(LineEndPolicy::Normalize), BytesMut::new());
    let (mut message, mut ended) = (Vec::new(), false);
    for chunk in octets.chunks(cut) {
        input.extend_from_slice(chunk);
        while let Some(decoded) = decoder.next(&mut input) {
            match decoded {
                Decoded::Octets(octets) => message.extend_from_slice(&octets),
                _ => ended = true,
            }
        }
    }
    (message, ended, input)
}

/// See the module.
pub fn run(octets: &[u8]) {
    let cut = octets.first().map_or(1, |&first| usize::from(first % 16) + 1);
    let whole = decode(octets, usize::MAX);
    assert_eq!(decode(octets, cut), whole);

    let text = String::from_utf8_lossy(&whole.0).replace("\r\n", "");
    assert!(!text.contains(['\r', '\n', '\0']));

    let (mut encoder, mut out) = (DotEncoder::new(), BytesMut::new());
    encoder.encode(&whole.0, &mut out);
    encoder.finish(&mut out);
    let (again, ended, rest) = decode(&out, cut);
    assert!(ended && rest.is_empty() && again.starts_with(&whole.0));
}
