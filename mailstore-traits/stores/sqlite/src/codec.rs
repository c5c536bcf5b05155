//! Between the contract's types and the columns' integers and texts.

use mailstore_traits::{EmailId, Flag, Flags, Keyword, MailboxId, ModSeq, SystemFlag, Timestamp, Uid, UidValidity};

use crate::error::{Fault, Outcome};

/// 128 random bits: a body's key and its EMAILID.
pub(crate) type Key = [u8; 16];

pub(crate) const ANSWERED: i64 = 1;
pub(crate) const DELETED: i64 = 2;
pub(crate) const DRAFT: i64 = 4;
pub(crate) const FLAGGED: i64 = 8;
pub(crate) const SEEN: i64 = 16;

const fn bit(flag: SystemFlag) -> i64 {
    match flag {
        SystemFlag::Answered => ANSWERED,
        SystemFlag::Deleted => DELETED,
        SystemFlag::Draft => DRAFT,
        SystemFlag::Flagged => FLAGGED,
        SystemFlag::Seen => SEEN,
        // A flag that came after this version has no bit to be kept in.
        _ => 0,
    }
}

/// The system's flags as bits.
pub(crate) fn bits(flags: &Flags) -> i64 {
    flags.iter().fold(0, |bits, flag| match flag {
        Flag::System(flag) => bits | bit(*flag),
        _ => bits,
    })
}

/// Bits and the text of keywords as flags.
pub(crate) fn flags(bits: i64, keywords: &str) -> Outcome<Flags> {
    let mut flags: Flags = SystemFlag::ALL.into_iter().filter(|&flag| bits & bit(flag) != 0).collect();
    for keyword in keywords.split(' ').filter(|keyword| !keyword.is_empty()) {
        flags.insert(self::keyword(keyword)?);
    }
    Ok(flags)
}

pub(crate) fn keyword(text: &str) -> Outcome<Keyword> {
    Keyword::new(text).map_err(|_| Fault::corrupt("a keyword that is none"))
}

/// A count or number as SQLite keeps it. Nothing that this store counts reaches 2⁶³.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(crate) fn uid(value: i64) -> Outcome<Uid> {
    u32::try_from(value).ok().and_then(Uid::new).ok_or_else(|| Fault::corrupt("a UID out of range"))
}

/// UIDNEXT; 2³² stands for "all have been given out".
pub(crate) fn uid_next(value: i64) -> Option<Uid> {
    u32::try_from(value).ok().and_then(Uid::new)
}

pub(crate) fn modseq(value: i64) -> Outcome<ModSeq> {
    u64::try_from(value).ok().and_then(ModSeq::new).ok_or_else(|| Fault::corrupt("a modseq out of range"))
}

pub(crate) fn uid_validity(value: i64) -> Outcome<UidValidity> {
    u32::try_from(value).ok().and_then(UidValidity::new).ok_or_else(|| Fault::corrupt("a UIDVALIDITY out of range"))
}

pub(crate) fn mailbox_id(text: String) -> Outcome<MailboxId> {
    MailboxId::new(text).map_err(|_| Fault::corrupt("a mailbox id that is none"))
}

pub(crate) fn timestamp(seconds: i64, zone: i64) -> Timestamp {
    Timestamp::from_unix(seconds).with_offset_minutes(i16::try_from(zone).unwrap_or(0))
}

/// Random octets for an id: nobody can guess another's, and two machines never give out the same.
pub(crate) fn random_key() -> Outcome<Key> {
    let mut key = Key::default();
    getrandom::fill(&mut key).map_err(|error| {
        Fault::Store(mailstore_traits::StoreError::new(
            mailstore_traits::ErrorKind::Unavailable,
            format!("no random octets: {error}"),
        ))
    })?;
    Ok(key)
}

pub(crate) fn hex(octets: &[u8]) -> String {
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

/// A letter in front keeps the id from beginning with a digit, as RFC 8474 §7 advises.
pub(crate) fn email_id(key: &[u8]) -> Outcome<EmailId> {
    // Every row that is read has one.
    let mut text = String::with_capacity(33);
    text.push('e');
    push_hex(key, &mut text);
    EmailId::new(text).map_err(|_| Fault::corrupt("an email id that is none"))
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
