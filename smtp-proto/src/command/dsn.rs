//! RFC 3461 §4: what a sender wants to hear of a message's delivery. RFC 6533 §3 for addresses that are not ASCII.
//!
//! Everything here is decoded before it is taken, and nothing that is taken holds a control character: a host can write
//! it into a report's header fields as it is.

use std::fmt;

use mail_wire::octet_set::OctetSet;
use smol_str::SmolStr;

use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::Xtext;

/// RET (RFC 3461 §4.3): how much of the message goes back with the news that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Return {
    /// FULL: all of it.
    Full,
    /// HDRS: its header.
    Headers,
}

impl Return {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        [Self::Full, Self::Headers].into_iter().find(|known| value.eq_ignore_ascii_case(known.as_str()))
    }
}

/// ENVID (RFC 3461 §4.4): what the sender calls this sending. Printable ASCII, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvelopeId(SmolStr);

impl EnvelopeId {
    /// The most octets of it on the wire: 100 (RFC 3461 §4.4).
    pub const MAX_LENGTH: usize = 100;

    /// From its text.
    ///
    /// # Errors
    /// [`ParseErrorKind::Xtext`] if it is empty, too long once it is written as xtext, or not printable ASCII.
    pub fn new(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Xtext::from_octets(text).to_string()).ok_or(ParseError::new(ParseErrorKind::Xtext, 0))
    }

    /// Its text, decoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        if value.is_empty() || value.len() > Self::MAX_LENGTH {
            return None;
        }
        decoded(value).map(Self)
    }
}

/// As it stands on the wire: xtext.
impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Xtext::from_octets(self.0.as_str()).fmt(f)
    }
}

/// NOTIFY (RFC 3461 §4.1): what the sender wants to hear of. None of the three is NEVER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Notify {
    /// That it was delivered.
    pub success: bool,
    /// That it was not, and will not be.
    pub failure: bool,
    /// That it has not been yet.
    pub delay: bool,
}

impl Notify {
    /// Nothing at all: no news of failure either.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };

    /// These of the three.
    pub const fn new(success: bool, failure: bool, delay: bool) -> Self {
        Self { success, failure, delay }
    }

    /// Whether nothing is to be told.
    pub const fn is_never(self) -> bool {
        !self.success && !self.failure && !self.delay
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(Self::NEVER);
        }
        let mut notify = Self::NEVER;
        for word in value.split(',') {
            match word {
                _ if word.eq_ignore_ascii_case("SUCCESS") => notify.success = true,
                _ if word.eq_ignore_ascii_case("FAILURE") => notify.failure = true,
                _ if word.eq_ignore_ascii_case("DELAY") => notify.delay = true,
                // NEVER among them too: it stands alone.
                _ => return None,
            }
        }
        Some(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let words: Vec<_> = words.into_iter().filter_map(|(on, word)| on.then_some(word)).collect();
        f.write_str(if words.is_empty() { "NEVER".to_owned() } else { words.join(",") }.as_str())
    }
}

/// ORCPT (RFC 3461 §4.2): the recipient that the sender first wrote, whoever it was aliased to since.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    /// Type and address as they are on the wire: what may be written in several ways goes on as it came.
    wire: SmolStr,
    /// How many octets of it are the type; a semicolon follows.
    type_octets: usize,
    /// The address, if it is another one than that on the wire.
    decoded: Option<SmolStr>,
}

impl OriginalRecipient {
    /// The most octets of it on the wire: 500 (RFC 3461 §4.2).
    pub const MAX_LENGTH: usize = 500;

    /// From the type of the address, such as `rfc822` or `utf-8`, and the address itself.
    ///
    /// # Errors
    /// [`ParseErrorKind::ParameterValue`] if the type is no atom, the address is empty or holds what its type cannot, or
    /// both together are too long once they are encoded.
    pub fn new(addr_type: &str, address: &str) -> Result<Self, ParseError> {
        let encoded = if is_utf8(addr_type) { unitext(address) } else { Xtext::from_octets(address).to_string() };
        Self::parse(&format!("{addr_type};{encoded}")).ok_or(ParseError::new(ParseErrorKind::ParameterValue, 0))
    }

    /// The type of its address, as it was written: `rfc822`, `utf-8`, or another of IANA's. Case means nothing.
    pub fn addr_type(&self) -> &str {
        self.wire.get(..self.type_octets).unwrap_or_default()
    }

    /// The address, decoded. ASCII unless the type is `utf-8`, and without control characters.
    pub fn address(&self) -> &str {
        self.decoded.as_deref().unwrap_or_else(|| self.wire.get(self.type_octets + 1..).unwrap_or_default())
    }

    /// Whether it is ASCII as it stands on the wire. Otherwise it needs SMTPUTF8 (RFC 6533 §3).
    pub fn is_ascii(&self) -> bool {
        self.wire.is_ascii()
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let (addr_type, encoded) = value.split_once(';')?;
        let is_atom = |octet| crate::grammar::is_atext(octet) && octet.is_ascii() && !matches!(octet, b'=' | b'+');
        if value.len() > Self::MAX_LENGTH || addr_type.is_empty() || !addr_type.bytes().all(is_atom) {
            return None;
        }
        let decoded = match () {
            () if is_utf8(addr_type) => Some(from_unitext(encoded)?.into()),
            () if PLAIN.has_all(encoded.as_bytes()) => None,
            () => Some(decoded(encoded)?),
        };
        let decoded = decoded.filter(|address| address != encoded);
        if encoded.is_empty() || decoded.as_ref().is_some_and(SmolStr::is_empty) {
            return None;
        }
        Some(Self { wire: value.into(), type_octets: addr_type.len(), decoded })
    }
}

/// As it stands on the wire.
impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.wire)
    }
}

fn is_utf8(addr_type: &str) -> bool {
    addr_type.eq_ignore_ascii_case("utf-8")
}

/// What xtext stands for. Nearly always it stands for itself.
fn decoded(value: &str) -> Option<SmolStr> {
    if PLAIN.has_all(value.as_bytes()) {
        return Some(value.into());
    }
    printable(value.parse().ok()?).map(SmolStr::from)
}

/// What xtext writes as it is.
static PLAIN: OctetSet = OctetSet::GRAPHIC.without(b"+=");

/// A line end that came as `+0D+0A` would end a header field of a report.
fn printable(text: Xtext) -> Option<String> {
    let text = String::from_utf8(text.octets().to_vec()).ok()?;
    text.bytes().all(|octet| matches!(octet, b' '..=b'~' | b'\t')).then_some(text)
}

/// RFC 6533 §3, `utf-8-addr-xtext`: what needs no SMTPUTF8.
fn unitext(address: &str) -> String {
    let mut encoded = String::new();
    for character in address.chars() {
        match character {
            '!'..='~' if !matches!(character, '\\' | '+' | '=') => encoded.push(character),
            _ => encoded += &format!("\\x{{{:02X}}}", u32::from(character)),
        }
    }
    encoded
}

fn from_unitext(mut encoded: &str) -> Option<String> {
    let mut address = String::new();
    while let Some(character) = encoded.chars().next() {
        let (character, behind) = match character {
            '\\' => {
                let (digits, behind) = encoded.strip_prefix("\\x{")?.split_once('}')?;
                let is_hex = (2..=6).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                let character = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex).and_then(char::from_u32)?;
                (character, behind)
            }
            '+' | '=' | ' ' => return None,
            _ => (character, encoded.get(character.len_utf8()..)?),
        };
        if character.is_control() {
            return None;
        }
        address.push(character);
        encoded = behind;
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_notified_of_is_a_set_or_never() {
        for (value, notify, written) in [
            ("never", Notify::NEVER, "NEVER"),
            ("SUCCESS", Notify::new(true, false, false), "SUCCESS"),
            ("delay,Failure", Notify::new(false, true, true), "FAILURE,DELAY"),
            ("SUCCESS,SUCCESS,FAILURE,DELAY", Notify::new(true, true, true), "SUCCESS,FAILURE,DELAY"),
        ] {
            assert_eq!(Notify::parse(value), Some(notify), "{value}");
            assert_eq!(notify.to_string(), written);
        }
        for value in ["", "NEVER,SUCCESS", "SUCCESS,NEVER", "SUCCESS,", ",DELAY", "ALWAYS", "SUCCESS, DELAY"] {
            assert_eq!(Notify::parse(value), None, "{value}");
        }
    }

    #[test]
    fn an_original_recipient_is_decoded_by_its_type_and_written_as_it_came() {
        for (value, addr_type, address) in [
            ("rfc822;Bob@Example.COM", "rfc822", "Bob@Example.COM"),
            ("RFC822;a+2Bb+3Dc@d", "RFC822", "a+b=c@d"),
            ("x400;/G=a+20b/", "x400", "/G=a b/"),
            ("utf-8;j\\x{FC}rgen@b", "utf-8", "jürgen@b"),
            ("UTF-8;jürgen\\x{2B}x@b", "UTF-8", "jürgen+x@b"),
            ("utf-8;\\x{1F600}@b", "utf-8", "😀@b"),
        ] {
            // `=` cannot stand in a parameter's value, and is tried here as xtext only.
            let value = if addr_type == "x400" { "x400;/G+3Da+20b/" } else { value };
            let original = OriginalRecipient::parse(value).expect(value);
            assert_eq!(
                (original.addr_type(), original.address(), original.to_string().as_str()),
                (addr_type, address, value)
            );
            let made = OriginalRecipient::new(addr_type, address).unwrap();
            assert_eq!(made.address(), address);
            assert!(made.is_ascii());
        }
        for value in
            ["", "a@b", ";a@b", "rfc822;", "rfc 822;a", "rfc822;a+", "rfc822;a+C3+A4", "utf-8;\\x{D800}", "utf-8;a+2Bb"]
        {
            assert_eq!(OriginalRecipient::parse(value), None, "{value}");
        }
    }

    #[test]
    fn no_control_character_hides_in_an_encoding() {
        for value in ["rfc822;a+0D+0AX:+20y", "rfc822;+00", "rfc822;+7F", "utf-8;\\x{0D}\\x{0A}", "utf-8;\\x{85}"] {
            assert_eq!(OriginalRecipient::parse(value), None, "{value}");
        }
        for value in ["a+0Ab", "+00", "+FF", "", "a=b", "ä"] {
            assert_eq!(EnvelopeId::parse(value), None, "{value}");
        }
    }

    #[test]
    fn lengths_end_where_the_rfc_says() {
        assert!(EnvelopeId::parse(&"a".repeat(100)).is_some());
        assert!(EnvelopeId::parse(&"a".repeat(101)).is_none());
        assert!(OriginalRecipient::parse(&format!("rfc822;{}", "a".repeat(493))).is_some());
        assert!(OriginalRecipient::parse(&format!("rfc822;{}", "a".repeat(494))).is_none());
        assert_eq!(EnvelopeId::new("QQ 314=1").unwrap().to_string(), "QQ+20314+3D1");
    }
}
