//! A stored digest that somebody has tampered with is refused or read; it never panics, and what is read is sound.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::message::stored::run(octets));
