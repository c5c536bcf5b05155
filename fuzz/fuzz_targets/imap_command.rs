//! A frame that is a command is written again and read as the same one; so is the head of an APPEND.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::imap::command::run(octets));
