//! Whatever a client says to whatever mechanism, an exchange asks only what it may and stays ended once it has.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::wire::sasl::run(octets));
