//! Lines, dots, base64 and headers of any shape are read on a stack of 64 KiB, without optimisation too.
#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::Secret;
use mail_wire::base64;
use mail_wire::dot::{Decoded, DotDecoder, LineEndPolicy};
use mail_wire::line::LineReader;
use mail_wire::proxy::ProxyReader;
use mail_wire::sasl::{Dialogue, DialogueStep, Failure, Mechanism, SaslConfig};

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(64 * 1024).spawn(test).unwrap().join().unwrap();
}

#[test]
fn sec_s3_bodies_of_nothing_but_line_ends_and_dots_are_read() {
    on_a_small_stack(|| {
        for piece in ["\r", "\n", ".\r\n.", "..\r\n", "\r\n.\r", "\0", "\r\r\n"] {
            let mut input = BytesMut::from(format!("x{}\r\n.\r\n", piece.repeat(20_000)).as_bytes());
            let mut decoder = DotDecoder::new(LineEndPolicy::Normalize);
            let mut ended = false;
            while let Some(decoded) = decoder.next(&mut input) {
                ended |= decoded == Decoded::End;
            }
            assert!(ended, "{piece:?}");
        }
    });
}

#[test]
fn lines_base64_and_proxy_headers_are_read() {
    on_a_small_stack(|| {
        let (mut reader, mut input) = (LineReader::new(), BytesMut::from("\r\n".repeat(20_000).as_bytes()));
        let mut count = 0;
        while reader.next_line(&mut input, 512).is_some() {
            count += 1;
        }
        assert_eq!(count, 20_000);
        let encoded = base64::encode(&[7; 60_000]);
        assert_eq!(base64::decode(encoded.as_bytes(), encoded.len()).unwrap(), [7; 60_000]);
        // A header of version 2 with many empty TLVs.
        let tlvs = [4u8, 0, 0].repeat(100);
        let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
        header.extend_from_slice(&(12 + tlvs.len() as u16).to_be_bytes());
        header.extend_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2, 4, 210, 0, 25]);
        header.extend_from_slice(&tlvs);
        assert!(ProxyReader::new().next(&mut BytesMut::from(&header[..])).unwrap().is_some());
    });
}

#[test]
fn sasl_responses_of_any_shape_are_read() {
    on_a_small_stack(|| {
        let config = Arc::new(SaslConfig::new(Secret::new([7; 32])).with_max_response(100_000));
        for mechanism in Mechanism::ALL {
            for response in [
                "\0".repeat(30_000),
                ",".repeat(30_000),
                "n,,".to_owned() + &"n=,".repeat(10_000),
                "n,a=".to_owned() + &"=2C".repeat(10_000),
                "n,,\u{1}".to_owned() + &"a=b\u{1}".repeat(5_000),
                "a\u{340}".repeat(10_000),
                String::new(),
            ] {
                let (mut dialogue, mut step) = Dialogue::begin(mechanism, None, Arc::clone(&config));
                // LOGIN asks twice, and the others once; whatever they make of it, they end or ask the host.
                for _ in 0..3 {
                    if let DialogueStep::Challenge(_) = step {
                        step = dialogue.line(base64::encode(response.as_bytes()).as_bytes());
                    }
                }
                assert!(matches!(step, DialogueStep::Need(_) | DialogueStep::Failure(_)), "{mechanism:?}: {step:?}");
                let (_, step) = Dialogue::begin(mechanism, Some("A".repeat(200_000).as_bytes()), Arc::clone(&config));
                assert!(matches!(step, DialogueStep::Failure(Failure::TooLong)), "{mechanism:?}: {step:?}");
            }
        }
    });
}
