//! "Leave a copy for 14 days": what POP3 has fetched goes when that time is over, and nothing else does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "it is a test")]

mod support;

use support::Server;
use support::host::Host;

#[test]
fn a_copy_stays_for_14_days_and_what_was_not_fetched_stays_for_ever() {
    const OPTIONS: [&str; 6] = ["--domain", "example.org", "--domain", "localhost", "--expire-fetched", "14"];
    let mut host = Host::start(&["--expire-fetched", "14"]);
    // Three messages come, and two of them are fetched.
    host.python("retention.py");
    host.server.kill();
    let data = host.server.data.clone();
    let turn_back =
        |file: &str, query: &str| rusqlite::Connection::open(data.join(file)).unwrap().execute(query, ()).unwrap();
    // Fifteen days later.
    if turn_back("accounts.sqlite", "UPDATE fetched SET at = at - 15 * 86400") == 0 {
        return; // There is no Python here.
    }
    assert_eq!(turn_back("mail.sqlite", "UPDATE message SET saved = saved - 16 * 86400"), 3);
    host.server = Server::start(&data, &OPTIONS);
    // One is left.
    host.python("retention.py");
}
