//! Names of messages: `unique,S=octets,W=octets:2,flags`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use mailstore_traits::{Flag, Flags, Keyword, SystemFlag};

use crate::keywords::Keywords;

/// The keyword that the letter P stands for: "passed" to somebody else.
const FORWARDED: &str = "$Forwarded";

const SYSTEM: [(u8, SystemFlag); 5] = [
    (b'D', SystemFlag::Draft),
    (b'F', SystemFlag::Flagged),
    (b'R', SystemFlag::Answered),
    (b'S', SystemFlag::Seen),
    (b'T', SystemFlag::Deleted),
];

/// What never changes of a file's name, and what stands behind it.
pub(crate) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    let at = name.iter().position(|&octet| octet == b':').unwrap_or(name.len());
    name.split_at(at)
}

/// The letters behind `:2,`; none if it is not of that form.
pub(crate) fn letters(info: &[u8]) -> &[u8] {
    let letters = info.strip_prefix(b":2,").unwrap_or_default();
    // Other programs put more behind a comma.
    letters.split(|&octet| octet == b',').next().unwrap_or_default()
}

/// What the letters say.
pub(crate) fn flags(letters: &[u8], keywords: &Keywords) -> Flags {
    let mut flags = Flags::new();
    for &letter in letters {
        if let Some((_, flag)) = SYSTEM.iter().find(|(known, _)| *known == letter) {
            flags.insert(*flag);
        } else if let Some(keyword) = keyword(letter, keywords) {
            flags.insert(Flag::Keyword(keyword));
        }
    }
    flags
}

fn keyword(letter: u8, keywords: &Keywords) -> Option<Keyword> {
    if letter == b'P' { Keyword::new(FORWARDED).ok() } else { keywords.of(letter) }
}

/// Whether a keyword is one that a letter can say.
pub(crate) fn is_told(keyword: &Keyword, keywords: &Keywords) -> bool {
    keyword.as_str().eq_ignore_ascii_case(FORWARDED) || keywords.letter(keyword).is_some()
}

/// Which keywords need a letter that they do not have.
pub(crate) fn untold<'a>(flags: &'a Flags, keywords: &'a Keywords) -> impl Iterator<Item = &'a Keyword> {
    flags.keywords().filter(|keyword| !is_told(keyword, keywords))
}

/// The letters that say these flags, in the order of ASCII. Letters of `before` that mean nothing here stay.
pub(crate) fn letters_of(flags: &Flags, keywords: &Keywords, before: &[u8]) -> Vec<u8> {
    let mut letters: Vec<u8> = SYSTEM.iter().filter(|(_, flag)| flags.has(*flag)).map(|(letter, _)| *letter).collect();
    for keyword in flags.keywords() {
        if keyword.as_str().eq_ignore_ascii_case(FORWARDED) {
            letters.push(b'P');
        } else {
            letters.extend(keywords.letter(keyword));
        }
    }
    let is_ours = |letter: u8| SYSTEM.iter().any(|(known, _)| *known == letter) || keyword(letter, keywords).is_some();
    letters.extend(before.iter().copied().filter(|&letter| letter.is_ascii_alphabetic() && !is_ours(letter)));
    letters.sort_unstable();
    letters.dedup();
    letters
}

/// The sizes that a name tells: on the disk, and as it is served.
pub(crate) fn sizes(base: &[u8]) -> (Option<u64>, Option<u64>) {
    let field = |key: &[u8]| {
        let value = base.split(|&octet| octet == b',').skip(1).find_map(|field| field.strip_prefix(key))?;
        std::str::from_utf8(value).ok()?.parse().ok()
    };
    (field(b"S="), field(b"W="))
}

/// Something to sort by: when it was delivered, as its name tells.
pub(crate) fn delivered(base: &[u8]) -> u64 {
    let digits = base.iter().take_while(|octet| octet.is_ascii_digit()).take(18);
    digits.fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0'))))
}

/// A name that no other message ever has, as <https://cr.yp.to/proto/maildir.html> makes them.
pub(crate) fn unique(host: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 6];
    // Were there none, the rest would be unique all the same.
    let _ = getrandom::fill(&mut random);
    let random: String = random.iter().map(|octet| format!("{octet:02x}")).collect();
    let (seconds, micros, process) = (now.as_secs(), now.subsec_micros(), std::process::id());
    format!("{seconds}.M{micros}P{process}Q{count}R{random}.{host}")
}

/// This machine's name as it stands in names of files.
pub(crate) fn host() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let host: String = name
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_') { char } else { '_' })
        .take(64)
        .collect();
    if host.is_empty() { "localhost".to_owned() } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(flags: &Flags) -> String {
        flags.iter().map(Flag::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn odd_info_parts_are_read_as_far_as_they_go() {
        let keywords = Keywords::parse(b"0 $Junk\n1 Work\n");
        for (name, base, told) in [
            ("1.a.host", "1.a.host", ""),
            ("1.a.host:2,", "1.a.host", ""),
            ("1.a.host:2,FS", "1.a.host", "\\Flagged \\Seen"),
            ("1.a.host:2,SF", "1.a.host", "\\Flagged \\Seen"),
            ("1.a.host:2,DFPRST", "1.a.host", "\\Answered \\Deleted \\Draft \\Flagged \\Seen $Forwarded"),
            ("1.a.host:2,Sab", "1.a.host", "\\Seen $Junk Work"),
            ("1.a.host:2,SzX9", "1.a.host", "\\Seen"),
            ("1.a.host:2,S,F", "1.a.host", "\\Seen"),
            ("1.a.host:1,SF", "1.a.host", ""),
            ("1.a.host:", "1.a.host", ""),
            ("1.a.host:2", "1.a.host", ""),
            ("1.a.host:2,S:2,F", "1.a.host", "\\Seen"),
            ("x,S=10,W=12:2,S", "x,S=10,W=12", "\\Seen"),
        ] {
            let (found, info) = split(name.as_bytes());
            assert_eq!(found, base.as_bytes());
            assert_eq!(spelled(&flags(letters(info), &keywords)), told, "{name}");
        }
    }

    #[test]
    fn letters_of_other_programs_stay() {
        let keywords = Keywords::parse(b"0 $Junk\n");
        let seen: Flags = [SystemFlag::Seen].into_iter().collect();
        assert_eq!(letters_of(&seen, &keywords, b"FXaz"), b"SXz");
        let junk: Flags = [Flag::parse("$junk").unwrap(), Flag::parse("$Forwarded").unwrap()].into_iter().collect();
        assert_eq!(letters_of(&junk, &keywords, b""), b"Pa");
    }

    #[test]
    fn sizes_and_times_are_read_and_nothing_else() {
        assert_eq!(sizes(b"1.a,S=10,W=12"), (Some(10), Some(12)));
        assert_eq!(sizes(b"1.a,W=x,S="), (None, None));
        assert_eq!(sizes(b"S=1"), (None, None));
        assert_eq!(delivered(b"1700000000.M1P2.host"), 1_700_000_000);
        assert_eq!(delivered(b"x"), 0);
        assert_ne!(unique("h"), unique("h"));
    }
}
