//! A PROXY header is read the same however it is cut, and never waits for more than its ceiling.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::wire::proxy::run(octets));
