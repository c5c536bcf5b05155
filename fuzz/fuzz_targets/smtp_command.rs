//! A command that was parsed is written so that it parses to the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::smtp::command::run(octets));
