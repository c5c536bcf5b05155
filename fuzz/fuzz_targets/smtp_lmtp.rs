//! A conversation by LMTP with any answers: behind the message there is one reply for each recipient that was accepted, in
//! their order, and what was pipelined behind it has its own (RFC 2033 §4.2).
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::smtp::lmtp::run(octets));
