//! What is taken as a name is written with the same octets: no name has two spellings. And any text comes back.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::imap::utf7::run(octets));
