//! A PROXY header is read the same however it is cut, and never waits for more than its ceiling.

use bytes::BytesMut;
use mail_wire::proxy::{ProxyError, ProxyHeader, ProxyReader};

fn read(octets: &[u8], cut: usize) -> Option<Result<ProxyHeader, ProxyError>> {
    let (mut reader, mut input) = (ProxyReader::new(), BytesMut::new());
    for chunk in octets.chunks(cut) {
        input.extend_from_slice(chunk);
        if let Some(read) = reader.next(&mut input).transpose() {
            return Some(read);
        }
        assert!(input.len() < 8192);
    }
    None
}

/// See the module.
pub fn run(octets: &[u8]) {
    let cut = octets.first().map_or(1, |&first| usize::from(first % 16) + 1);
    assert_eq!(read(octets, cut), read(octets, usize::MAX));
}
