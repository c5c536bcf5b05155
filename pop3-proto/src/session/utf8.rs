//! Messages with raw UTF-8 in their header, and clients that have not said UTF8 (RFC 6856 §2.1).

use std::borrow::Cow;

use super::message::Top;

/// What is done about raw UTF-8 in headers (RFC 6532).
///
/// RFC 6856 §2.1 would have a client that has not said UTF8 sent a surrogate of such a message, or refused. Neither is
/// what this does unless it is told to: see [`AsIs`](Self::AsIs). Bodies are not looked at: what is 8bit there is declared
/// by MIME, and has been sent to every client since RFC 1652.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Utf8Support {
    /// UTF8 is not offered, and messages go out as they are, as from all servers that do not know RFC 6856.
    Off,
    /// UTF8 is offered, and messages go out as they are, whether it was said or not. The default.
    ///
    /// **This departs from RFC 6856 §2.1**, which says that raw octets MUST NOT be sent then, for a POP3 client mostly
    /// deletes what it has fetched: whatever a surrogate leaves out is lost for good, and a message that is refused is
    /// refused every time. The programs in use (fetchmail, getmail, Python's poplib, every mail program that does not know
    /// RFC 6856) do not say UTF8, and take raw octets in headers, which have come to them since long before RFC 6532, in
    /// Latin-1 and KOI8-R too.
    #[default]
    AsIs,
    /// UTF8 is offered. Without it every octet above 127 in a header goes out as `?`, and a client that then deletes the
    /// message has lost them.
    ///
    /// Octet for octet, because sizes must be what LIST has told (RFC 6856 §2.1), in both modes and for all messages,
    /// without any of them being read for a LIST. `?` stands for nothing: an address that has lost octets is no address of
    /// anybody's.
    Substitute,
    /// UTF8 is offered. Without it the host refuses RETR and TOP of such a message with
    /// [`ResponseCode::Utf8`](crate::ResponseCode::Utf8) (RFC 6856 §5), when
    /// [`ServerSession::must_refuse_raw_header`](super::ServerSession::must_refuse_raw_header) says so: nothing is lost,
    /// and the programs that do not know UTF8 take it for a broken session: one such message, which anybody can send,
    /// keeps them from all that come behind it. What a host lets through goes out with `?`.
    Refuse,
}

impl Utf8Support {
    /// Whether CAPA tells UTF8.
    pub(super) fn is_offered(self) -> bool {
        self != Self::Off
    }
}

/// Whether a header has octets above 127, found in chunks. For hosts that refuse such messages.
#[derive(Debug)]
pub struct RawHeader {
    header: Top,
}

impl Default for RawHeader {
    fn default() -> Self {
        Self::new()
    }
}

impl RawHeader {
    /// Nothing has been looked at.
    pub fn new() -> Self {
        Self { header: Top::new(0) }
    }

    /// Looks at the next octets of a message: `Some(true)` if there is an octet above 127, `Some(false)` if the header
    /// has ended without one. `None` wants more; a message that ends before its header does has none.
    pub fn look(&mut self, octets: &[u8]) -> Option<bool> {
        if !self.header.take(octets).is_ascii() {
            return Some(true);
        }
        self.header.is_done().then_some(false)
    }
}

/// Puts `?` for every octet above 127 in a header.
#[derive(Debug)]
pub(super) struct AsciiHeader {
    header: Top,
}

impl AsciiHeader {
    pub(super) fn new() -> Self {
        Self { header: Top::new(0) }
    }

    /// The next octets of a message, cut anywhere.
    pub(super) fn take<'a>(&mut self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        if self.header.is_done() {
            return Cow::Borrowed(octets);
        }
        let header = self.header.take(octets);
        if header.is_ascii() {
            return Cow::Borrowed(octets);
        }
        let behind = header.len();
        let mut told = octets.to_vec();
        told.iter_mut().take(behind).filter(|octet| !octet.is_ascii()).for_each(|octet| *octet = b'?');
        Cow::Owned(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_octets_of_the_header_are_put_out_and_none_is_lost() {
        for (message, expected) in [
            ("Subject: caf\u{e9}\r\n\r\ncaf\u{e9}\r\n", "Subject: caf??\r\n\r\ncaf\u{e9}\r\n"),
            ("A: b\r\n\r\n\u{e9}", "A: b\r\n\r\n\u{e9}"),
            ("A: \u{20ac}\n\n\u{e9}", "A: ???\n\n\u{e9}"),
            ("\r\n\u{e9}", "\r\n\u{e9}"),
            ("no header, \u{e9}", "no header, ??"),
            ("", ""),
        ] {
            for cut in 1..message.len() + 2 {
                let (mut header, mut look) = (AsciiHeader::new(), RawHeader::new());
                let chunks = || message.as_bytes().chunks(cut);
                let told: Vec<u8> = chunks().flat_map(|chunk| header.take(chunk).into_owned()).collect();
                assert_eq!(String::from_utf8(told).unwrap(), expected, "cut every {cut}");
                let raw = chunks().find_map(|chunk| look.look(chunk)).unwrap_or(false);
                assert_eq!(raw, message != expected, "{message:?} cut every {cut}");
            }
        }
    }
}
