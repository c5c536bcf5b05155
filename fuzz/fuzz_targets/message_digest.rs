//! A digest is the same however the message is cut, keeps to its limits, and its octets say the same again.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::message::digest::run(octets));
