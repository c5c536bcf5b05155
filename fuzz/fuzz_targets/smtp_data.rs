//! A message that comes behind DATA is what a reading of RFC 5321 §4.5.2 makes of it, ends where it says, and what stands
//! behind its end is left, wherever the octets are cut. One that comes by BDAT is what §2.3.8 makes of its octets.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pillarbox_fuzz_targets::smtp::data::run(octets));
