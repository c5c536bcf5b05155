//! The digest of a message, made while it comes in, beside mailparse, mail-parser and bare searches for line ends.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use mail_message::Digest;
use pillarbox_benches::work::message::{self, inputs};

fn main() {
    // Before anything is timed: all of them find the same in the same octets.
    message::agree(&inputs::small());
    message::agree(&inputs::large());
    divan::main();
}

macro_rules! readers {
    ($($group:ident: $input:ident { $($name:ident: $read:ident;)* })*) => {$(
        #[divan::bench_group]
        mod $group {
            use super::*;

            $(#[divan::bench]
            fn $name(bencher: Bencher<'_, '_>) {
                let input = inputs::$input();
                bencher.counter(BytesCount::new(input.len())).bench_local(|| message::$read(black_box(&input)));
            })*
        }
    )*};
}

readers! {
    message_of_4_kb: small {
        pillarbox: digest;
        mailparse: walk_mailparse;
        mail_parser: parse_mail_parser;
        line_scan: scan_lines;
    }
    message_of_250_kb: large {
        pillarbox: digest;
        mailparse: walk_mailparse;
        mail_parser: parse_mail_parser;
        line_scan: scan_lines;
        line_count: count_lines;
    }
}

#[divan::bench]
fn read_stored_digest(bencher: Bencher<'_, '_>) {
    let stored = Digest::of(&inputs::small()).to_octets();
    bencher.bench_local(|| Digest::from_octets(black_box(&stored)).expect("it was written a moment ago"));
}
