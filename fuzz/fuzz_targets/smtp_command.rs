//! A command that was parsed is written so that it parses to the same.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use smtp_proto::command::{Command, Dialect};

fuzz_target!(|line: &[u8]| {
    let dialect = Dialect::default();
    if let Ok(command) = Command::parse(line, &dialect) {
        let mut written = BytesMut::new();
        command.encode(&mut written);
        let line = written.strip_suffix(b"\r\n").expect("a whole line");
        assert!(!line.contains(&b'\r') && !line.contains(&b'\n'));
        assert_eq!(Command::parse(line, &dialect).as_ref(), Ok(&command));
    }
});
