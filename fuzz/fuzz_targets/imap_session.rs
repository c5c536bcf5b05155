//! Whatever a client sends, however it is cut, a session has the same conversation, and what it says can be read.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::imap::session::run(octets));
