//! `subscriptions`: the names that an account is subscribed to, as Dovecot keeps them.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use mailstore_traits::MailboxName;

use crate::dir::Dir;
use crate::names::{level, push_level};

/// In the account's folder.
pub(crate) const FILE: &[u8] = b"subscriptions";
/// Dovecot's second form: levels are separated by tabs. In the first one they are by what separates folders.
const SECOND: &[u8] = b"V\t2\n\n";
const MAX: u64 = 16 << 20;

/// The names in a file; `None` if there is no file.
pub(crate) fn read(home: &Dir) -> io::Result<Option<BTreeSet<MailboxName>>> {
    let mut text = Vec::new();
    match home.open(FILE) {
        Ok(file) => file.take(MAX).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(parse(&text)))
}

fn parse(text: &[u8]) -> BTreeSet<MailboxName> {
    let (lines, separator): (_, &[u8]) = match text.strip_prefix(SECOND) {
        Some(lines) => (lines, b"\t"),
        None => (text, b"./"),
    };
    let name = |line: &[u8]| {
        let levels: Vec<String> = line.split(|octet| separator.contains(octet)).map(level).collect::<Option<_>>()?;
        MailboxName::from_segments(levels.iter().map(String::as_str)).ok()
    };
    lines.split(|&octet| octet == b'\n').filter_map(name).collect()
}

/// Writes the file anew, and durably.
pub(crate) fn write(home: &Dir, names: &BTreeSet<MailboxName>) -> io::Result<()> {
    let temporary = b"subscriptions.pillarbox";
    let _ = home.remove(temporary);
    let mut file = home.create(temporary)?;
    file.write_all(&text(names))?;
    file.sync_all()?;
    home.replace(temporary, FILE)?;
    home.sync()
}

fn text(names: &BTreeSet<MailboxName>) -> Vec<u8> {
    let mut text = SECOND.to_vec();
    for name in names {
        for (at, segment) in name.segments().enumerate() {
            if at > 0 {
                text.push(b'\t');
            }
            push_level(segment, &mut text);
        }
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<MailboxName> {
        names.iter().map(|name| MailboxName::parse(name).unwrap()).collect()
    }

    #[test]
    fn both_forms_are_read() {
        let both = names(&["Entwürfe", "Work/Sub"]);
        assert_eq!(parse(b"V\t2\n\nWork\tSub\nEntw&APw-rfe\n"), both);
        assert_eq!(parse(b"Work.Sub\nEntw&APw-rfe\n"), both);
        assert_eq!(parse(b"V\t2\n\n\n\t\n\xff\n"), names(&[]));
        assert_eq!(parse(b""), names(&[]));
    }

    #[test]
    fn what_is_written_is_read() {
        let all = names(&["INBOX", "a.b/c", "ä/&", "..", "x y"]);
        assert_eq!(parse(&text(&all)), all);
    }
}
