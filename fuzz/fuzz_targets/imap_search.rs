//! SEARCH finds what a plain reading of RFC 9051 §6.4.4 finds in a few messages. SORT and THREAD are not spoken, so there
//! is nothing of them to be searched for here.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::imap::search::run(octets));
