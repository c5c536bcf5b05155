//! Two clients of one mailbox in the memory store say anything, garbage too: every answer can be read, numbers and UIDs
//! hold for each of them, and in the end both believe the same of the mailbox, and believe what is so.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::imap::store::run(octets));
