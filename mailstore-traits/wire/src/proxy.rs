//! The PROXY protocol, versions 1 and 2 (HAProxy's `doc/proxy-protocol.txt`): a load balancer says whose connection it
//! passes on, before the first octet of the protocol itself.
//!
//! **Only for a listener that takes connections from trusted proxies and from nobody else** (attack row R2). A header
//! is never guessed at: "the receiver MUST not try to guess whether the protocol header is present or not" (§2), since
//! then anybody could say to be anybody. A listener either requires one, and reads it with this, or has none, and a
//! header there is an unknown command.
//!
//! ```
//! use bytes::BytesMut;
//! use mail_wire::proxy::{ProxyHeader, ProxyReader};
//!
//! let mut input = BytesMut::from("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\nEHLO mx.example.org\r\n");
//! let header = ProxyReader::new().next(&mut input).unwrap();
//! assert!(matches!(header, Some(ProxyHeader::Proxied { source, .. }) if source == "192.0.2.1:56324".parse().unwrap()));
//! assert_eq!(&input[..], b"EHLO mx.example.org\r\n");
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf as _, BytesMut};

/// How long version 1's line may be, its CRLF counted (§2.1: 107 octets, the worst case).
pub const MAX_V1: usize = 107;

/// How many octets may follow version 2's fixed sixteen: Unix addresses are 216, TLVs with the name asked for by TLS, a
/// unique id and a certificate's name some hundreds more. The protocol itself would let 65,535 be announced (attack row
/// M15).
pub const MAX_V2_BODY: usize = 1024;

/// What version 2 begins with (§2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What version 1 begins with (§2.1).
const PROXY: &[u8; 6] = b"PROXY ";

/// How long version 2's fixed part is.
const V2_HEAD: usize = 16;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyHeader {
    /// The proxy's own, to see whether we are up: the connection's real addresses are the right ones.
    Local,
    /// Somebody else's.
    Proxied {
        /// The client's address: what the proxy says, and no more to be believed than the proxy.
        source: SocketAddr,
        /// The address that the client connected to.
        destination: SocketAddr,
    },
    /// Somebody's of whom the proxy cannot say who: no TCP over IP. The connection's real addresses are all there is.
    Unknown,
}

/// No header, or none that can be understood. "Any sequence which does not exactly match the protocol must be discarded
/// and cause the receiver to abort the connection" (§2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The first octets are those of neither version.
    #[error("expected a PROXY header")]
    Missing,
    /// Version 1's line does not end, or version 2 announces more than [`MAX_V2_BODY`].
    #[error("PROXY header too long")]
    TooLong,
    /// It is one, and is wrong.
    #[error("malformed PROXY header")]
    Malformed,
}

/// Reads the one header that a connection begins with.
///
/// It has no clock: give it a deadline of some seconds (§2). What it has read too much of stays in the input, and there
/// it never needs more than [`MAX_V1`] or 16 + [`MAX_V2_BODY`] octets to come to an end.
#[derive(Debug, Default)]
pub struct ProxyReader {
    failed: Option<ProxyError>,
}

impl ProxyReader {
    /// A reader for one connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the header off the front of `input`. `None` means: more octets, please.
    ///
    /// A mistake is noticed as soon as it can be, and not before the last octet only.
    ///
    /// # Errors
    /// [`ProxyError`]: the connection is to be closed without a word. Every later call gives the same.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<ProxyHeader>, ProxyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match find(input) {
            Ok(Some((header, length))) => {
                input.advance(length);
                Ok(Some(header))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.failed = Some(error);
                Err(error)
            }
        }
    }
}

/// The header at the front, and how long it is.
fn find(input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    if begins(input, PROXY) {
        find_v1(input)
    } else if begins(input, SIGNATURE) {
        find_v2(input)
    } else {
        Err(ProxyError::Missing)
    }
}

/// Whether input begins as the mark does, as far as there is any.
fn begins(input: &[u8], mark: &[u8]) -> bool {
    input.iter().zip(mark).all(|(octet, marked)| octet == marked)
}

fn find_v1(input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    let window = input.get(..MAX_V1).unwrap_or(input);
    let Some(end) = memchr::memchr2(b'\r', b'\n', window) else {
        return if window.len() == MAX_V1 { Err(ProxyError::TooLong) } else { Ok(None) };
    };
    let (line, ending) = window.split_at(end);
    match ending {
        [b'\r', b'\n', ..] => Ok(Some((parse_v1(line)?, line.len().saturating_add(2)))),
        // A CR that is the last octet of the longest line has no room for its LF.
        [b'\r'] if window.len() == MAX_V1 => Err(ProxyError::TooLong),
        [b'\r'] => Ok(None),
        _ => Err(ProxyError::Malformed),
    }
}

/// `PROXY TCP4 source destination port port`, with TCP6 in its place, or `PROXY UNKNOWN` and anything.
fn parse_v1(line: &[u8]) -> Result<ProxyHeader, ProxyError> {
    let line = std::str::from_utf8(line).map_err(|_| ProxyError::Malformed)?;
    let mut words = line.split(' ');
    let (Some("PROXY"), Some(family)) = (words.next(), words.next()) else {
        return Err(ProxyError::Malformed);
    };
    if family == "UNKNOWN" {
        // "the receiver must ignore anything presented before the CRLF is found"
        return Ok(ProxyHeader::Unknown);
    }
    let (Some(source), Some(destination), Some(from), Some(to), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return Err(ProxyError::Malformed);
    };
    let address = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => None,
    };
    let socket = |host, port| Some(SocketAddr::new(address(host)?, parse_port(port)?));
    match (socket(source, from), socket(destination, to)) {
        (Some(source), Some(destination)) => Ok(ProxyHeader::Proxied { source, destination }),
        _ => Err(ProxyError::Malformed),
    }
}

/// "Heading zeroes are not permitted in front of numbers" (§2.1); a plus sign, which Rust would take, is none either.
fn parse_port(text: &str) -> Option<u16> {
    let canonical = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    text.parse().ok().filter(|_| canonical)
}

fn find_v2(input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    let command = match input.get(SIGNATURE.len()) {
        None => return Ok(None),
        Some(0x20) => Command::Local,
        Some(0x21) => Command::Proxy,
        // "other values are unassigned ... Receivers must drop connections presenting unexpected values here"
        Some(_) => return Err(ProxyError::Malformed),
    };
    let Some(head) = input.first_chunk::<V2_HEAD>() else {
        return Ok(None);
    };
    let [.., family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_V2_BODY {
        return Err(ProxyError::TooLong);
    }
    let end = V2_HEAD.saturating_add(length);
    let Some(body) = input.get(V2_HEAD..end) else {
        return Ok(None);
    };
    let header = match command {
        // "the receiver ... must ... discard the protocol block including the family which is ignored"
        Command::Local => ProxyHeader::Local,
        Command::Proxy => parse_v2(family, body)?,
    };
    Ok(Some((header, end)))
}

enum Command {
    Local,
    Proxy,
}

/// The addresses of a version 2 header. What is behind them, type-length-value vectors, is passed over.
fn parse_v2(family: u8, body: &[u8]) -> Result<ProxyHeader, ProxyError> {
    let proxied = match (family >> 4, family & 0x0f) {
        (0x1, 0x1) => body.first_chunk::<12>().map(|addresses| {
            let [a, b, c, d, e, f, g, h, ports @ ..] = *addresses;
            pair(Ipv4Addr::new(a, b, c, d).into(), Ipv4Addr::new(e, f, g, h).into(), ports)
        }),
        (0x2, 0x1) => body.first_chunk::<36>().and_then(|addresses| {
            let (source, rest) = addresses.split_first_chunk::<16>()?;
            let (destination, ports) = rest.split_first_chunk::<16>()?;
            let ports = ports.first_chunk::<4>()?;
            Some(pair(Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into(), *ports))
        }),
        // Unspecified, datagrams and Unix sockets are valid and of no use: they fall back to the real addresses, as
        // §2.2 lets them.
        (0x0..=0x3, 0x0..=0x2) => return Ok(ProxyHeader::Unknown),
        _ => None,
    };
    proxied.ok_or(ProxyError::Malformed)
}

fn pair(source: IpAddr, destination: IpAddr, [a, b, c, d]: [u8; 4]) -> ProxyHeader {
    ProxyHeader::Proxied {
        source: SocketAddr::new(source, u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([c, d])),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(octets: &[u8]) -> Result<Option<ProxyHeader>, ProxyError> {
        ProxyReader::new().next(&mut BytesMut::from(octets))
    }

    fn proxied(source: &str, destination: &str) -> Result<Option<ProxyHeader>, ProxyError> {
        let [source, destination] = [source, destination].map(|address| address.parse().unwrap());
        Ok(Some(ProxyHeader::Proxied { source, destination }))
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, body].concat()
    }

    #[test]
    fn version_1_gives_both_addresses() {
        assert_eq!(
            read(b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"),
            proxied("192.168.0.1:56324", "192.168.0.11:443")
        );
        assert_eq!(read(b"PROXY TCP6 2001:db8::1 ::1 0 65535\r\n"), proxied("[2001:db8::1]:0", "[::1]:65535"));
        let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let longest = format!("PROXY TCP6 {full} {full} 65535 65535\r\n");
        assert_eq!(read(longest.as_bytes()), proxied(&format!("[{full}]:65535"), &format!("[{full}]:65535")));
    }

    #[test]
    fn version_1_may_not_know() {
        assert_eq!(read(b"PROXY UNKNOWN\r\n"), Ok(Some(ProxyHeader::Unknown)));
        let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let longest = format!("PROXY UNKNOWN {full} {full} 65535 65535\r\n");
        assert_eq!(longest.len(), MAX_V1);
        assert_eq!(read(longest.as_bytes()), Ok(Some(ProxyHeader::Unknown)));
    }

    #[test]
    fn version_1_is_written_in_one_way_only() {
        for bad in [
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rx\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
            "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
            "PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n",
            "PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n",
            "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY TCP6 ::1 [::1] 1 2\r\n",
            "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
            "PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY UNKNOWNX\r\n",
            "PROXY \r\n",
            "PROXY TCP4 \u{e9} 5.6.7.8 1 2\r\n",
        ] {
            assert_eq!(read(bad.as_bytes()), Err(ProxyError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn version_2_gives_both_addresses_and_passes_over_what_is_behind() {
        let four = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 0, 25];
        assert_eq!(read(&v2(0x21, 0x11, &four)), proxied("192.0.2.1:56324", "198.51.100.1:25"));
        let with_tlv = [&four[..], &[0x02, 0, 4], b"a.bc"].concat();
        assert_eq!(read(&v2(0x21, 0x11, &with_tlv)), proxied("192.0.2.1:56324", "198.51.100.1:25"));
        let mut six = [0; 36];
        (six[0], six[15], six[31], six[33], six[35]) = (0x20, 1, 1, 7, 8);
        assert_eq!(read(&v2(0x21, 0x21, &six)), proxied("[2000::1]:7", "[::1]:8"));
    }

    #[test]
    fn version_2_may_be_local_or_not_know() {
        assert_eq!(read(&v2(0x20, 0x00, b"")), Ok(Some(ProxyHeader::Local)));
        assert_eq!(read(&v2(0x20, 0x11, &[0; 12])), Ok(Some(ProxyHeader::Local)));
        assert_eq!(read(&v2(0x20, 0xff, b"x")), Ok(Some(ProxyHeader::Local)));
        for family in [0x00, 0x12, 0x22, 0x31, 0x32, 0x01, 0x10] {
            assert_eq!(read(&v2(0x21, family, &[0; 216])), Ok(Some(ProxyHeader::Unknown)), "{family:#x}");
        }
    }

    #[test]
    fn version_2_with_other_values_is_malformed() {
        for bad in [
            v2(0x11, 0x11, &[0; 12]),
            v2(0x22, 0x11, &[0; 12]),
            v2(0x31, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x21, &[0; 35]),
            v2(0x21, 0x13, &[0; 12]),
            v2(0x21, 0x41, &[0; 216]),
        ] {
            assert_eq!(read(&bad), Err(ProxyError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn what_is_behind_the_header_stays() {
        let mut input = BytesMut::from(&[&v2(0x20, 0, b"xyz")[..], b"EHLO a\r\n"].concat()[..]);
        assert_eq!(ProxyReader::new().next(&mut input), Ok(Some(ProxyHeader::Local)));
        assert_eq!(&input[..], b"EHLO a\r\n");
    }

    #[test]
    fn sec_m15_a_line_without_end_is_given_up_at_107_octets() {
        let mut reader = ProxyReader::new();
        let mut input = BytesMut::new();
        let mut consumed = 0;
        let endless = [&b"PROXY UNKNOWN "[..], &vec![b'x'; 1 << 20]].concat();
        let error = endless.iter().find_map(|octet| {
            input.extend_from_slice(&[*octet]);
            consumed += 1;
            reader.next(&mut input).err()
        });
        assert_eq!((error, consumed), (Some(ProxyError::TooLong), MAX_V1));
        assert_eq!(read(&endless), Err(ProxyError::TooLong));
        assert_eq!(reader.next(&mut BytesMut::from("PROXY UNKNOWN\r\n")), Err(ProxyError::TooLong));
        // 107 octets and then the CRLF, and 106 with the CR as the last that fits.
        for over in [MAX_V1 - 14, MAX_V1 - 15] {
            let line = format!("PROXY UNKNOWN {}\r\n", "x".repeat(over));
            assert_eq!(read(line.as_bytes()), Err(ProxyError::TooLong), "{over}");
        }
    }

    #[test]
    fn sec_m15_version_2_is_given_up_at_its_announcement() {
        let head = |length: u16| [&SIGNATURE[..], &[0x21, 0x11], &length.to_be_bytes()].concat();
        assert_eq!(read(&head(1024)), Ok(None));
        assert_eq!(read(&head(1025)), Err(ProxyError::TooLong));
        assert_eq!(read(&head(u16::MAX)), Err(ProxyError::TooLong));
    }

    #[test]
    fn sec_m15_octets_of_the_protocol_itself_are_no_header() {
        for bad in
            [&b"EHLO a\r\n"[..], b"\r\n\r\n\0\r\nQUIX", b"PROXX", b"proxy ", b"PROXY\r\n", b"\n", b"\x16\x03\x01"]
        {
            assert_eq!(read(bad), Err(ProxyError::Missing), "{bad:?}");
        }
        assert_eq!(read(b""), Ok(None));
    }

    fn headers() -> impl Strategy<Value = Vec<u8>> {
        let body = proptest::collection::vec(any::<u8>(), 0..250);
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            (prop_oneof![Just(0x20), Just(0x21), any::<u8>()], any::<u8>(), body)
                .prop_map(|(command, family, body)| v2(command, family, &body)),
            "PROXY (TCP4|TCP6|UNKNOWN)?[ 0-9a-f:.]{0,110}\r?\n?.{0,20}".prop_map(String::into_bytes),
            (any::<std::net::Ipv6Addr>(), any::<std::net::Ipv6Addr>(), any::<u16>(), any::<u16>())
                .prop_map(|(a, b, c, d)| format!("PROXY TCP6 {a} {b} {c} {d}\r\nEHLO").into_bytes()),
        ]
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "minutes, interpreted")]
        fn cutting_the_input_anywhere_changes_nothing(octets in headers(), cuts in proptest::collection::vec(1_usize..40, 1..40)) {
            let mut whole = BytesMut::from(&octets[..]);
            let expected = ProxyReader::new().next(&mut whole);

            let (mut reader, mut input, mut rest) = (ProxyReader::new(), BytesMut::new(), &octets[..]);
            let mut cuts = cuts.iter().cycle();
            let mut found = reader.next(&mut input);
            while found == Ok(None) && !rest.is_empty() {
                let (piece, behind) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                input.extend_from_slice(piece);
                rest = behind;
                found = reader.next(&mut input);
            }
            prop_assert_eq!(found, expected);
            if found.is_ok() {
                input.extend_from_slice(rest);
                prop_assert_eq!(input, whole);
            }
        }
    }
}
