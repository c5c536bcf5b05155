//! A message has one end wherever it is cut, nothing that stands alone is passed on, and what goes out comes in again.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::wire::dot::run(octets));
