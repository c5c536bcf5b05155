//! Commands are found in the same places wherever the octets are cut, and no more of one is held than was taken.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::imap::frame::run(octets));
