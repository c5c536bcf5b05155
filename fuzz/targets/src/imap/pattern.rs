//! A pattern of LIST matches a name exactly if the definition says so, and what matches begins with its prefix.

use imap_proto::list::Pattern;
use mailstore_traits::MailboxName;

/// One row for each octet of the name: whether the pattern's first so many characters fit what was read.
fn fits(reference: &str, pattern: &str, name: &str) -> bool {
    let letters = reference.bytes().map(|octet| (octet, false));
    let pattern: Vec<_> = letters.chain(pattern.bytes().map(|octet| (octet, matches!(octet, b'*' | b'%')))).collect();
    let any_case = if name.split('/').next() == Some("INBOX") { 5 } else { 0 };
    let past_wildcards = |row: &mut Vec<bool>| {
        for (at, &(_, is_wildcard)) in pattern.iter().enumerate() {
            row[at + 1] |= row[at] && is_wildcard;
        }
    };
    let mut row = vec![false; pattern.len() + 1];
    row[0] = true;
    past_wildcards(&mut row);
    for (read, octet) in name.bytes().enumerate() {
        let mut next = vec![false; row.len()];
        for (at, &(letter, is_wildcard)) in pattern.iter().enumerate() {
            let is_letter = letter == octet || (read < any_case && letter.eq_ignore_ascii_case(&octet));
            next[at] |= row[at] && is_wildcard && (letter == b'*' || octet != b'/');
            next[at + 1] |= row[at] && !is_wildcard && is_letter;
        }
        past_wildcards(&mut next);
        row = next;
    }
    row[pattern.len()]
}

/// See the module.
pub fn run(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let mut words = text.splitn(3, '\n');
    let (Some(reference), Some(pattern), Some(name)) = (words.next(), words.next(), words.next()) else { return };
    let Ok(name) = MailboxName::parse(name) else { return };
    let Some(compiled) = Pattern::new(reference, pattern, 1000) else {
        assert!(reference.len() + pattern.len() > 1000);
        return;
    };
    let matches = compiled.matches(name.as_str());
    assert_eq!(matches, fits(reference, pattern, name.as_str()));
    if matches {
        let start = &name.as_str().as_bytes()[..compiled.prefix().len()];
        assert!(start.eq_ignore_ascii_case(compiled.prefix().as_bytes()));
    }
}
