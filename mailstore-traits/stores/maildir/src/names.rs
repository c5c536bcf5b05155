//! Names of mailboxes and accounts as names of folders.
//!
//! `Work/Reports` is the folder `.Work.Reports` of the account's Maildir, as Maildir++ has it and Dovecot writes it, each
//! level in modified UTF-7. A dot inside a level would be read as another level, so it is written `&AC4-`: what modified
//! UTF-7 would make of it were it not plain, which nothing else is written as. An encoded name has no `/` and no control
//! octet, and begins with the dot, with something behind it that is no dot: it is always a name in the Maildir and never
//! the way out of it (attack row P1).

use mailstore_traits::{AccountId, ErrorKind, MailboxName, Result, StoreError, utf7};

/// What a folder's name may have everywhere.
const MAX: usize = 255;
const DOT: &str = "&AC4-";

/// The folder of a mailbox in the account's Maildir; of INBOX it is empty, for that is the Maildir itself.
///
/// # Errors
/// [`ErrorKind::Invalid`] if it is too long for a folder.
pub(crate) fn folder(name: &MailboxName) -> Result<Vec<u8>> {
    let mut folder = Vec::new();
    if name.is_inbox() {
        return Ok(folder);
    }
    for segment in name.segments() {
        folder.push(b'.');
        push_level(segment, &mut folder);
    }
    if folder.len() > MAX {
        return Err(StoreError::new(ErrorKind::Invalid, "the name is too long for a folder"));
    }
    Ok(folder)
}

/// A level without its dots.
pub(crate) fn push_level(segment: &str, out: &mut Vec<u8>) {
    for (at, part) in segment.split('.').enumerate() {
        if at > 0 {
            out.extend_from_slice(DOT.as_bytes());
        }
        utf7::encode(part, out);
    }
}

/// A level as it was; what is no modified UTF-7 is taken as it stands, for other programs write UTF-8 there.
pub(crate) fn level(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let mut level = String::new();
    for (at, part) in text.split(DOT).enumerate() {
        if at > 0 {
            level.push('.');
        }
        match utf7::decode(part.as_bytes()) {
            Ok(part) => level.push_str(&part),
            Err(_) => return Some(text.to_owned()),
        }
    }
    Some(level)
}

/// The mailbox of a folder in an account's Maildir; `None` if it is none.
pub(crate) fn mailbox(folder: &[u8]) -> Option<MailboxName> {
    let levels: Vec<String> =
        folder.strip_prefix(b".")?.split(|&octet| octet == b'.').map(level).collect::<Option<_>>()?;
    let name = MailboxName::from_segments(levels.iter().map(String::as_str)).ok()?;
    (!name.is_inbox()).then_some(name)
}

/// The folder of an account below the root: its name, with every octet that is not of `A-Z a-z 0-9 @ _ + - = .`, and a
/// dot in front, as `%` and two digits.
///
/// # Errors
/// [`ErrorKind::Invalid`] if it is too long for a folder, or empty.
pub(crate) fn home(account: &AccountId) -> Result<Vec<u8>> {
    let mut home = Vec::new();
    for (at, octet) in account.as_str().bytes().enumerate() {
        let plain = octet.is_ascii_alphanumeric() || b"@_+-=".contains(&octet) || (octet == b'.' && at > 0);
        if plain {
            home.push(octet);
        } else {
            home.extend_from_slice(format!("%{octet:02X}").as_bytes());
        }
    }
    if home.is_empty() || home.len() > MAX {
        return Err(StoreError::new(ErrorKind::Invalid, "the account's name is no name for a folder"));
    }
    Ok(home)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::parse(text).unwrap()
    }

    #[test]
    fn names_are_those_that_dovecot_makes() {
        for (text, folder_name) in [
            ("INBOX", ""),
            ("Work", ".Work"),
            ("Work/Sub", ".Work.Sub"),
            ("INBOX/Work", ".INBOX.Work"),
            ("Entwürfe", ".Entw&APw-rfe"),
            ("R&D", ".R&-D"),
            ("a.b", ".a&AC4-b"),
            ("..", ".&AC4-&AC4-"),
            ("../etc", ".&AC4-&AC4-.etc"),
            ("&AC4-", ".&-AC4-"),
            ("~", ".~"),
        ] {
            assert_eq!(folder(&name(text)).unwrap(), folder_name.as_bytes(), "{text}");
            if !folder_name.is_empty() {
                assert_eq!(mailbox(folder_name.as_bytes()), Some(name(text)));
            }
        }
    }

    #[test]
    fn folders_that_are_no_mailbox_are_none() {
        for hostile in [&b""[..], b"cur", b".", b"..", b"...", b".a..b", b".a.", b".\xff", b".INBOX", b".a\n", b".a/b"]
        {
            assert_eq!(mailbox(hostile), None, "{}", hostile.escape_ascii());
        }
        // Another program's, in UTF-8 or with a bare ampersand.
        assert_eq!(mailbox("ö.&amp".as_bytes()), None);
        assert_eq!(mailbox(".ö.&amp".as_bytes()), Some(name("ö/&amp")));
    }

    #[test]
    fn sec_p1_accounts_stay_below_the_root() {
        for (account, expected) in [
            ("ada@example.org", "ada@example.org"),
            ("..", "%2E."),
            (".", "%2E"),
            ("../../etc", "%2E.%2F..%2Fetc"),
            ("/etc", "%2Fetc"),
            (".pillarbox", "%2Epillarbox"),
            ("a\0b", "a%00b"),
            ("ä%", "%C3%A4%25"),
        ] {
            assert_eq!(home(&AccountId::from(account)).unwrap(), expected.as_bytes());
        }
        assert!(home(&AccountId::from("x".repeat(256).as_str())).is_err());
        assert!(home(&AccountId::from("")).is_err());
    }

    proptest! {
        #[test]
        fn sec_p1_every_name_is_one_folder_and_comes_back(text in "[a-c./&~%\\\\ ä-]{1,12}|.{1,20}") {
            if let Ok(name) = MailboxName::parse(&text) && let Ok(folder) = folder(&name) && !name.is_inbox() {
                prop_assert!(folder.starts_with(b".") && folder.len() > 1 && folder[1] != b'.');
                prop_assert!(!folder.iter().any(|octet| matches!(octet, b'/' | 0..=31 | 127..)));
                prop_assert_eq!(mailbox(&folder), Some(name));
            }
        }
    }
}
