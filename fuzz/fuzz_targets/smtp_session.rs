//! Whatever a client sends, however it is cut, a session that says yes to everything has the same conversation.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::smtp::session::run(octets));
