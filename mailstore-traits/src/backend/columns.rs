//! Between the contract's types and a database's integers and texts.

use crate::{
    EmailId, ErrorKind, Flag, Flags, Keyword, MailboxId, ModSeq, Result, StoreError, SystemFlag, Timestamp, Uid,
    UidValidity,
};

/// 128 random bits: a body's key and its EMAILID.
pub type Key = [u8; 16];

/// `\Answered` as a bit.
pub const ANSWERED: i64 = 1;
/// `\Deleted` as a bit.
pub const DELETED: i64 = 2;
/// `\Draft` as a bit.
pub const DRAFT: i64 = 4;
/// `\Flagged` as a bit.
pub const FLAGGED: i64 = 8;
/// `\Seen` as a bit.
pub const SEEN: i64 = 16;

const fn bit(flag: SystemFlag) -> i64 {
    match flag {
        SystemFlag::Answered => ANSWERED,
        SystemFlag::Deleted => DELETED,
        SystemFlag::Draft => DRAFT,
        SystemFlag::Flagged => FLAGGED,
        SystemFlag::Seen => SEEN,
    }
}

/// The system's flags as bits.
pub fn bits(flags: &Flags) -> i64 {
    flags.iter().fold(0, |bits, flag| match flag {
        Flag::System(flag) => bits | bit(*flag),
        _ => bits,
    })
}

/// Bits and the text of keywords, with single spaces between them, as flags.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if it is none.
pub fn flags(bits: i64, keywords: &str) -> Result<Flags> {
    let mut flags: Flags = SystemFlag::ALL.into_iter().filter(|&flag| bits & bit(flag) != 0).collect();
    for keyword in keywords.split(' ').filter(|keyword| !keyword.is_empty()) {
        flags.insert(self::keyword(keyword)?);
    }
    Ok(flags)
}

/// A keyword that was kept.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if it is none.
pub fn keyword(text: &str) -> Result<Keyword> {
    Keyword::new(text).map_err(|_| corrupt("a keyword that is none"))
}

/// A count or number as databases keep it. Nothing that a store counts reaches 2⁶³.
pub fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count that was kept.
pub fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A UID that was kept.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if it is none.
pub fn uid(value: i64) -> Result<Uid> {
    u32::try_from(value).ok().and_then(Uid::new).ok_or_else(|| corrupt("a UID out of range"))
}

/// UIDNEXT; 2³² stands for "all have been given out".
pub fn uid_next(value: i64) -> Option<Uid> {
    u32::try_from(value).ok().and_then(Uid::new)
}

/// A modification sequence that was kept.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if it is none.
pub fn modseq(value: i64) -> Result<ModSeq> {
    u64::try_from(value).ok().and_then(ModSeq::new).ok_or_else(|| corrupt("a modseq out of range"))
}

/// A UIDVALIDITY that was kept.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if it is none.
pub fn uid_validity(value: i64) -> Result<UidValidity> {
    u32::try_from(value).ok().and_then(UidValidity::new).ok_or_else(|| corrupt("a UIDVALIDITY out of range"))
}

/// A mailbox id that was kept.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if it is none.
pub fn mailbox_id(text: String) -> Result<MailboxId> {
    MailboxId::new(text).map_err(|_| corrupt("a mailbox id that is none"))
}

/// Seconds of Unix time, and minutes east of UTC, as a time.
pub fn timestamp(seconds: i64, zone: i64) -> Timestamp {
    Timestamp::from_unix(seconds).with_offset_minutes(i16::try_from(zone).unwrap_or(0))
}

/// Random octets for an id: nobody can guess another's, and two machines never give out the same.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if the system has none.
pub fn random_key() -> Result<Key> {
    let mut key = Key::default();
    getrandom::fill(&mut key)
        .map_err(|error| StoreError::new(ErrorKind::Unavailable, format!("no random octets: {error}")))?;
    Ok(key)
}

/// Octets in hexadecimal digits, in lower case.
pub fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().saturating_mul(2));
    push_hex(octets, &mut text);
    text
}

fn push_hex(octets: &[u8], text: &mut String) {
    let digit = |digit: u8| char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    for octet in octets {
        text.push(digit(octet >> 4));
        text.push(digit(octet & 15));
    }
}

/// A body's key as the id that clients are told. A letter in front keeps it from beginning with a digit, as RFC 8474 §7
/// advises.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if it is none.
pub fn email_id(key: &[u8]) -> Result<EmailId> {
    // Every row that is read has one.
    let mut text = String::with_capacity(33);
    text.push('e');
    push_hex(key, &mut text);
    EmailId::new(text).map_err(|_| corrupt("an email id that is none"))
}

fn corrupt(text: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_back_as_they_went() {
        let set: Flags =
            ["\\Seen", "\\Deleted", "$Junk", "work"].map(|flag| Flag::parse(flag).unwrap()).into_iter().collect();
        assert_eq!(flags(bits(&set), "$Junk work").unwrap(), set);
        assert_eq!(flags(31, "").unwrap().len(), 5);
        assert!(flags(0, "").unwrap().is_empty());
    }

    #[test]
    fn ids_have_the_shape_that_a_client_may_be_told() {
        assert_eq!(email_id(&[0xab; 16]).unwrap().as_str(), format!("e{}", "ab".repeat(16)));
        assert_ne!(random_key().unwrap(), random_key().unwrap());
    }
}
