//! Messages: a digest of one as it comes in, beside readers of whole messages and a search for line ends.

use mail_message::{Digest, Digester, Limits};
use mailparse::{MailHeaderMap, ParsedMail};

#[path = "../inputs/message.rs"]
pub mod inputs;

use super::{Round, Work};

/// So many octets come from a connection at once.
pub const READ: usize = 16 * 1024;

/// What an ENVELOPE is made of (RFC 9051 §7.5.2).
const ENVELOPE: [&str; 10] =
    ["Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID"];

/// What BODYSTRUCTURE tells of a part besides its type, parameters and size.
const BODYSTRUCTURE: [&str; 7] = [
    "Content-Transfer-Encoding",
    "Content-ID",
    "Content-Description",
    "Content-MD5",
    "Content-Disposition",
    "Content-Language",
    "Content-Location",
];

/// The digest of a message that comes in in reads.
pub fn digest_in_reads(message: &[u8]) -> Digest {
    let mut digester = Digester::new(&Limits::default());
    for read in message.chunks(READ) {
        digester.feed(std::hint::black_box(read));
    }
    digester.finish()
}

/// A digest as a store keeps it: all that ENVELOPE, BODYSTRUCTURE and a preview need. Gives its octets.
pub fn digest(message: &[u8]) -> usize {
    std::hint::black_box(digest_in_reads(message).to_octets()).octets.len()
}

/// The same facts by mailparse, which wants the whole message in memory and gives raw values too, but counts no lines,
/// looks at no octets and writes nothing down. Gives the octets of what was read.
pub fn walk_mailparse(message: &[u8]) -> usize {
    fn part(mail: &ParsedMail<'_>, names: &[&str]) -> usize {
        let values = names.iter().filter_map(|name| mail.headers.get_first_header(name));
        let read: usize = values.map(|header| std::hint::black_box(header.get_value_raw()).len()).sum();
        let parameters = std::hint::black_box(&mail.ctype.params).len();
        let parts: usize = mail.subparts.iter().map(|inner| part(inner, &[])).sum();
        let structure = BODYSTRUCTURE.iter().filter_map(|name| mail.headers.get_first_header(name));
        let structure: usize = structure.map(|header| std::hint::black_box(header.get_value_raw()).len()).sum();
        read + parameters + structure + std::hint::black_box(mail.raw_bytes).len() + parts
    }
    part(&mailparse::parse_mail(message).expect("it is a message"), &ENVELOPE)
}

/// mail-parser, which decodes every body and reads every field into a structure besides. Gives the number of parts.
pub fn parse_mail_parser(message: &[u8]) -> usize {
    let message = mail_parser::MessageParser::default().parse(message).expect("it is a message");
    std::hint::black_box(&message).parts.len()
}

/// The least that somebody does who goes through a message by its lines: each line's end is found, and its length looked
/// at. Gives the longest line's octets.
pub fn scan_lines(message: &[u8]) -> usize {
    let (mut start, mut longest) = (0, 0);
    for read in message.chunks(READ) {
        for end in memchr::memchr_iter(b'\n', std::hint::black_box(read)) {
            longest = longest.max(std::hint::black_box(end).wrapping_sub(start));
            start = end;
        }
        start = start.wrapping_sub(read.len());
    }
    longest
}

/// Less than that: line ends are only counted, wherever they are.
pub fn count_lines(message: &[u8]) -> usize {
    message.chunks(READ).map(|read| memchr::memchr_iter(b'\n', std::hint::black_box(read)).count()).sum()
}

/// Parts and subject, as each of the three finds them. A benchmark whose parties disagree measures nothing.
///
/// # Panics
/// If they do.
pub fn agree(message: &[u8]) {
    fn parts(mail: &ParsedMail<'_>) -> usize {
        1 + mail.subparts.iter().map(parts).sum::<usize>()
    }
    let digest = digest_in_reads(message);
    let theirs = mailparse::parse_mail(message).expect("it is a message");
    let others = mail_parser::MessageParser::default().parse(message).expect("it is a message");
    let subject = digest.field("Subject").expect("a subject").value.trim_ascii();
    assert_eq!(subject, inputs::SUBJECT.as_bytes());
    assert_eq!(theirs.headers.get_first_value("Subject").as_deref(), Some(inputs::SUBJECT));
    assert_eq!(others.subject(), Some(inputs::SUBJECT));
    assert_eq!(parts(&theirs), digest.parts().len());
    assert_eq!(others.parts.len(), digest.parts().len());
    assert_eq!(digest.lines(), count_lines(message) as u64);
    assert!(digest.defects().is_empty());
}

/// What is counted.
pub fn work() -> Vec<Work> {
    fn round(message: fn() -> Vec<u8>, read: fn(&[u8]) -> usize) -> Round {
        let message = message();
        agree(&message);
        Box::new(move || read(&message))
    }
    let work = |name, prepare| Work { name, item: "message", items: 1, prepare };
    vec![
        work("message of 4 KB/pillarbox", || round(inputs::small, digest)),
        work("message of 4 KB/mailparse", || round(inputs::small, walk_mailparse)),
        work("message of 4 KB/mail-parser", || round(inputs::small, parse_mail_parser)),
        work("message of 250 KB/pillarbox", || round(inputs::large, digest)),
        work("message of 250 KB/mailparse", || round(inputs::large, walk_mailparse)),
        work("message of 250 KB/mail-parser", || round(inputs::large, parse_mail_parser)),
        work("message of 250 KB/line scan", || round(inputs::large, scan_lines)),
        work("message of 250 KB/line count", || round(inputs::large, count_lines)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_find_the_same_parts_and_subject() {
        for (message, octets, parts) in [(inputs::small(), 3_800..4_300, 3), (inputs::large(), 245_000..255_000, 5)] {
            assert!(octets.contains(&message.len()), "{}", message.len());
            assert_eq!(digest_in_reads(&message).parts().len(), parts);
            agree(&message);
        }
    }

    #[test]
    fn the_scan_finds_the_longest_line() {
        let message = inputs::large();
        let longest = message.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::len).max();
        assert_eq!(Some(scan_lines(&message)), longest);
    }
}
