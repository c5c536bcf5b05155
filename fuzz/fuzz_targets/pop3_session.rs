//! Whatever a client sends, however it is cut, a session over a maildrop of two messages has the same conversation.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::pop3::session::run(octets));
