//! What a message nests is no depth of calls: everything is read on a stack of 64 KiB, without optimisation too.
#![allow(clippy::unwrap_used, reason = "it is a test")]

use mail_message::address::addresses;
use mail_message::{Digest, words};

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(64 * 1024).spawn(test).unwrap().join().unwrap();
}

#[test]
fn sec_m11_parts_nest_to_the_limit_and_beyond() {
    on_a_small_stack(|| {
        for depth in [10, 100, 2000] {
            let multiparts: String = (0..depth)
                .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"))
                .collect();
            let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(depth);
            for message in [multiparts, messages] {
                let digest = Digest::of(message.as_bytes());
                assert!(digest.parts().count() > 1);
                assert_eq!(Digest::from_octets(&digest.to_octets()).as_ref(), Ok(&digest));
            }
        }
    });
}

#[test]
fn sec_m11_comments_groups_and_encoded_words_nest_without_end() {
    on_a_small_stack(|| {
        let comments = format!("{}x{} a@b", "(".repeat(50_000), ")".repeat(50_000));
        assert_eq!(addresses(comments.as_bytes()).count(), 1);
        assert!(addresses("g:".repeat(50_000).as_bytes()).count() > 0);
        assert!(addresses("<".repeat(50_000).as_bytes()).count() <= 50_000);
        assert!(!words::encode("ä".repeat(50_000).as_bytes()).is_empty());
        let words = "=?utf-8?Q?=C3?= =?utf-8?B?pA==?= ".repeat(20_000);
        assert_eq!(words::decode(words.as_bytes()).trim_end(), "ä".repeat(20_000));
        // A word within a word within a word, and none of them ends.
        let nested = "=?utf-8?Q?x ".repeat(50_000);
        assert_eq!(words::decode(nested.as_bytes()), nested);
    });
}
