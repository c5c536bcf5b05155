//! A command that was parsed is written so that it parses to the same.

use bytes::BytesMut;
use smtp_proto::command::{Command, Dialect, FutureRelease, PriorityProfile};

/// See the module.
pub fn run(line: &[u8]) {
    let mut dialect = Dialect::default();
    let extensions = &mut dialect.extensions;
    extensions.binary_mime = true;
    extensions.auth = true;
    extensions.dsn = true;
    extensions.mt_priority = Some(PriorityProfile::Mixer);
    extensions.deliver_by = Some(0);
    extensions.future_release = "2030-01-01T00:00:00Z".parse().ok().map(|until| FutureRelease::new(3600, until));
    extensions.rrvs = true;
    if let Ok(command) = Command::parse(line, &dialect) {
        let mut written = BytesMut::new();
        command.encode(&mut written);
        let line = written.strip_suffix(b"\r\n").expect("a whole line");
        assert!(!line.contains(&b'\r') && !line.contains(&b'\n'));
        assert_eq!(Command::parse(line, &dialect).as_ref(), Ok(&command));
    }
}
