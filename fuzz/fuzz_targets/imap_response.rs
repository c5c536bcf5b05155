//! A frame that is a response is written again and read as the same one.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::imap::response::run(octets));
