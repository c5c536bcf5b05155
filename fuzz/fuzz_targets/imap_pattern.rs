//! A pattern of LIST matches a name exactly if the definition says so, and what matches begins with its prefix.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::imap::pattern::run(octets));
