//! IMAP's commands and responses, ours beside imap-codec's and imap-proto's.

use bytes::BytesMut;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use pillarbox_benches::work::imap;

fn main() {
    divan::main();
}

const TIMES: usize = 60;

#[divan::bench_group]
mod commands {
    use super::*;

    fn read(bencher: Bencher<'_, '_>, read: fn(&[u8]) -> usize) {
        let wire = imap::commands(TIMES);
        let count = imap::COMMANDS.len() * TIMES;
        assert_eq!(read(&wire), count);
        bencher.counter(ItemsCount::new(count)).bench_local(|| read(black_box(&wire)));
    }

    #[divan::bench]
    fn pillarbox(bencher: Bencher<'_, '_>) {
        read(bencher, imap::read_commands);
    }

    #[divan::bench]
    fn imap_codec(bencher: Bencher<'_, '_>) {
        read(bencher, imap::read_commands_imap_codec);
    }
}

#[divan::bench_group]
mod fetch_responses_written {
    use super::*;

    #[divan::bench]
    fn pillarbox(bencher: Bencher<'_, '_>) {
        let (response, mut out) = (imap::response(), BytesMut::with_capacity(32 * 1024));
        bencher
            .counter(ItemsCount::new(TIMES))
            .bench_local(|| imap::write_responses(black_box(&response), TIMES, &mut out));
    }

    #[divan::bench]
    fn imap_codec(bencher: Bencher<'_, '_>) {
        let (response, mut out) = (imap::response_imap_codec(), BytesMut::with_capacity(32 * 1024));
        bencher
            .counter(ItemsCount::new(TIMES))
            .bench_local(|| imap::write_responses_imap_codec(black_box(&response), TIMES, &mut out));
    }
}

#[divan::bench_group]
mod fetch_responses_read {
    use super::*;

    fn read(bencher: Bencher<'_, '_>, read: fn(&[u8]) -> usize) {
        let wire = imap::responses(TIMES);
        assert_eq!(read(&wire), TIMES);
        bencher.counter(ItemsCount::new(TIMES)).bench_local(|| read(black_box(&wire)));
    }

    #[divan::bench]
    fn pillarbox(bencher: Bencher<'_, '_>) {
        read(bencher, imap::read_responses);
    }

    #[divan::bench]
    fn imap_proto(bencher: Bencher<'_, '_>) {
        read(bencher, imap::read_responses_imap_proto);
    }

    #[divan::bench]
    fn imap_codec(bencher: Bencher<'_, '_>) {
        read(bencher, imap::read_responses_imap_codec);
    }
}
