//! A digest is the same however the message is cut, keeps to its limits, and its octets say the same again.

use mail_message::{Digest, Digester, Limits};

/// See the module.
pub fn run(octets: &[u8]) {
    let limits = Limits::default();
    let whole = Digest::of(octets);
    let cut = octets.first().map_or(1, |&first| usize::from(first % 16) + 1);
    let mut digester = Digester::new(&limits);
    for chunk in octets.chunks(cut) {
        digester.feed(chunk);
        assert!(digester.buffered() <= limits.octets());
    }
    assert_eq!(digester.finish(), whole);
    assert_eq!(whole.size(), octets.len() as u64);
    for part in whole.parts() {
        assert!(part.header().end <= part.body().start && part.body().end <= whole.size());
    }
    assert_eq!(Digest::from_octets(&whole.to_octets()).as_ref(), Ok(&whole));
}
