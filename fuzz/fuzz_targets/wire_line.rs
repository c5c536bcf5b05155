//! Lines are those that a plain reading finds, however the octets are cut, and no more than the ceiling ever waits.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::wire::line::run(octets));
