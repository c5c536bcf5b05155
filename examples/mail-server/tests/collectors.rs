//! fetchmail and getmail collect a maildrop of a thousand messages, over TLS from the first octet and over STLS, and
//! leave or delete as told; what they got is what was in it, octet for octet, but for what they do to it themselves.
//!
//! A program that is not installed is a test that is skipped, and said so; with `CI=true` in the environment it is one
//! that fails. Both programs dislike root; where the tests are root, they run as `nobody`.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod support;

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use support::host::{Host, is_there};
use support::shapes::{id_of, message, split_trace};
use support::{program, run, text};
use tempfile::TempDir;

const MESSAGES: usize = 1000;

/// Takes a message on its standard input into a file of its own in the folder that is named.
const INTO_A_FILE: &[u8] = b"set -C; cat >\"$1/$$\"\n";

/// The same, and then waits until whoever started it sleeps and wants to hear of its end: getmail 6.18 does not notice a
/// child that has ended before, and gives up after a minute.
const INTO_A_FILE_NOT_TOO_SOON: &[u8] = b"
set -C
cat >\"$1/$$\" || exit
until [ \"$state\" = S ] && [ $((0x$caught >> 16 & 1)) = 1 ]; do
    while read -r name value rest; do
        case $name in
        State:) state=$value ;;
        SigCgt:) caught=$value ;;
        esac
    done </proc/$PPID/status
done
";

/// Puts messages with these numbers into the account.
fn fill(host: &Host, numbers: std::ops::Range<usize>) {
    let maildir = host.folder.path().join(format!("maildir-{}", numbers.start));
    ["new", "cur", "tmp"].iter().for_each(|name| std::fs::create_dir_all(maildir.join(name)).expect("ours"));
    for number in numbers {
        std::fs::write(maildir.join(format!("new/{number:06}")), message(number).octets).expect("ours");
    }
    let mut command = program(&host.server.data);
    command.args(["import", "me"]).arg(maildir);
    host.succeeds(command, "");
}

/// A collector's own folder, and who it is.
struct Collector {
    folder: TempDir,
    /// What to become, for root.
    nobody: Option<(u32, u32)>,
    /// Whether it writes headers anew, where white space at a line's end gets lost or is put.
    rewrites_header: bool,
}

impl Collector {
    fn new(host: &Host, rewrites_header: bool) -> Self {
        let id = |what: &[&str]| {
            let output = Command::new("id").args(what).output().expect("id runs");
            text(&output.stdout).trim().parse::<u32>().expect("a number")
        };
        let nobody = (id(&["-u"]) == 0).then(|| (id(&["-u", "nobody"]), id(&["-g", "nobody"])));
        let folder = tempfile::tempdir().expect("a folder");
        let this = Self { folder, nobody, rewrites_header };
        this.own(this.folder.path());
        std::fs::create_dir(this.path("mail")).expect("ours");
        this.own(&this.path("mail"));
        this.file("ca.pem", &std::fs::read(host.server.certificate()).expect("there"));
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.nobody {
            std::os::unix::fs::chown(path, Some(user), Some(group)).expect("root may");
        }
    }

    /// A file that nobody else may read, for passwords are in it.
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("ours");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("ours");
        self.own(&path);
        path
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env("HOME", self.folder.path()).current_dir(self.folder.path());
        if let Some((user, group)) = self.nobody {
            command.uid(user).gid(group);
        }
        command
    }

    /// What it has collected since the last time, by id, behind the fields that it put in front itself.
    fn collected(&self) -> HashMap<String, Vec<u8>> {
        let mut all = HashMap::new();
        for entry in std::fs::read_dir(self.path("mail")).expect("there") {
            let path = entry.expect("there").path();
            let mail = std::fs::read(&path).expect("there");
            let (_, octets) = split_trace(&mail);
            let id = id_of(octets).unwrap_or_else(|| panic!("no message of ours: {}", text(&mail)));
            assert!(all.insert(id.clone(), octets.to_vec()).is_none(), "{id} twice");
            std::fs::remove_file(path).expect("ours");
        }
        all
    }

    /// What it has collected since the last time are the messages with these numbers, as files have them: lines end in LF.
    fn has_got(&self, numbers: std::ops::Range<usize>) {
        let mut all = self.collected();
        for number in numbers {
            let sent = message(number);
            let got = all.remove(&sent.id).unwrap_or_else(|| panic!("{} was not collected", sent.id));
            let mut sent = text_lines(&sent.octets);
            // Both end a header that nothing stands behind with an empty line.
            if number % 10 == 5 && got.ends_with(b"\n\n") {
                sent.push(b'\n');
            }
            let got = if self.rewrites_header { header_trimmed(&got) } else { got };
            let sent = if self.rewrites_header { header_trimmed(&sent) } else { sent };
            assert!(got == sent, "was\n{}\nbecame\n{}", sent.escape_ascii(), got.escape_ascii());
        }
        assert!(all.is_empty(), "too much: {:?}", all.keys());
    }
}

/// With line ends as files have them.
fn text_lines(octets: &[u8]) -> Vec<u8> {
    let mut lines = octets.to_vec();
    lines.retain(|octet| *octet != b'\r');
    lines
}

/// Without white space at the ends of the header's lines.
fn header_trimmed(octets: &[u8]) -> Vec<u8> {
    let mut inside = true;
    let mut all = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        inside &= line != b"\n";
        if inside {
            all.extend_from_slice(line.trim_ascii_end());
            all.push(b'\n');
        } else {
            all.extend_from_slice(line);
        }
    }
    all
}

fn told(what: &str, count: usize, begin: Instant) {
    let took = begin.elapsed();
    eprintln!("{what}: {count} messages in {took:.1?}, {:.0} messages/s", count as f64 / took.as_secs_f64());
}

/// Runs fetchmail; its exit code (1 says that there was nothing new) and how many messages it says it has read.
fn fetchmail(collector: &Collector, rc: &Path) -> (Option<i32>, usize) {
    let mut command = collector.command("fetchmail");
    command.env("FETCHMAILHOME", collector.folder.path()).args(["-v", "-f"]).arg(rc);
    let output = run(command, "");
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    // Sizes are told before the message, and counted by it.
    let wrong = told.lines().find(|line| line.contains("expected length") || line.contains("POP3< -ERR"));
    assert!(wrong.is_none(), "{wrong:?}");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{told}");
    assert!(told.contains("SSL/TLS: using protocol TLSv1.3"), "{told}");
    (output.status.code(), told.matches("\nreading message ").count())
}

#[test]
fn fetchmail_leaves_a_thousand_messages_and_then_takes_them() {
    if !is_there("fetchmail", "--version") {
        return;
    }
    let host = Host::start(&[]);
    fill(&host, 0..MESSAGES);
    let collector = Collector::new(&host, false);
    let script = collector.file("mda.sh", INTO_A_FILE);
    let rc = |name: &str, role: &str, options: &str| {
        let content = format!(
            "set no syslog\nset no bouncemail\npoll localhost proto pop3 port {} uidl\n user \"{}\" password \"{}\"\n \
             sslcertck sslcertfile \"{}\" norewrite {options}\n mda \"/bin/sh {} {}\"\n",
            host.server.port(role),
            host.server.user,
            host.password,
            collector.path("ca.pem").display(),
            script.display(),
            collector.path("mail").display(),
        );
        collector.file(name, content.as_bytes())
    };

    let keep = rc("keep", "pop3s", "ssl keep");
    let begin = Instant::now();
    assert_eq!(fetchmail(&collector, &keep), (Some(0), MESSAGES));
    told("fetchmail, keep", MESSAGES, begin);
    collector.has_got(0..MESSAGES);
    // It knows them again by their UIDLs, which are those of the session before.
    assert_eq!(fetchmail(&collector, &keep), (Some(1), 0));
    // And only what is new is new, over STLS as well.
    fill(&host, MESSAGES..MESSAGES + 3);
    let keep = rc("keep-stls", "pop3", "sslproto \"tls1.2+\" keep");
    assert_eq!(fetchmail(&collector, &keep), (Some(0), 3));
    collector.has_got(MESSAGES..MESSAGES + 3);
    assert_eq!(host.exported().len(), MESSAGES + 3, "all are left");

    let take = rc("take", "pop3", "sslproto \"tls1.2+\" nokeep fetchall");
    let begin = Instant::now();
    assert_eq!(fetchmail(&collector, &take), (Some(0), MESSAGES + 3));
    told("fetchmail, nokeep", MESSAGES + 3, begin);
    collector.has_got(0..MESSAGES + 3);
    assert!(host.exported().is_empty(), "none is left");
    assert_eq!(fetchmail(&collector, &take), (Some(1), 0));
}

#[test]
fn getmail_leaves_a_thousand_messages_and_then_deletes_them() {
    if !is_there("getmail", "--version") {
        return;
    }
    let host = Host::start(&[]);
    fill(&host, 0..MESSAGES);
    let collector = Collector::new(&host, true);
    let script = collector.file("mda.sh", INTO_A_FILE_NOT_TOO_SOON);
    let getmail = |options: &str, expected: &str| {
        let content = format!(
            "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\nport = {}\nusername = {}\npassword = {}\n\
             ca_certs = {}\n[destination]\ntype = MDA_external\npath = /bin/sh\n\
             arguments = (\"{}\", \"{}\")\n[options]\n{options}\n\
             delivered_to = false\nreceived = false\nverbose = 2\n",
            host.server.port("pop3s"),
            host.server.user,
            host.password,
            collector.path("ca.pem").display(),
            script.display(),
            collector.path("mail").display(),
        );
        collector.file("getmailrc", content.as_bytes());
        let mut command = collector.command("getmail");
        command.arg("--getmaildir").arg(collector.folder.path()).args(["--rcfile", "getmailrc"]);
        let told = text(&host.succeeds(command, ""));
        assert!(told.contains(expected), "no `{expected}` in {told}");
    };

    let keep = "delete = false\nread_all = false";
    let begin = Instant::now();
    getmail(keep, &format!("Retrieved {MESSAGES} messages"));
    told("getmail, delete = false", MESSAGES, begin);
    collector.has_got(0..MESSAGES);
    getmail(keep, &format!("0 messages (0 bytes) retrieved, {MESSAGES} skipped"));
    fill(&host, MESSAGES..MESSAGES + 3);
    getmail(keep, &format!(" retrieved, {MESSAGES} skipped"));
    collector.has_got(MESSAGES..MESSAGES + 3);
    assert_eq!(host.exported().len(), MESSAGES + 3, "all are left");

    // What it has seen goes, and what it has not, when it has it.
    fill(&host, MESSAGES + 3..MESSAGES + 6);
    let begin = Instant::now();
    getmail("delete = true\nread_all = false", &format!(" retrieved, {} skipped", MESSAGES + 3));
    told("getmail, delete = true, most of them seen before", MESSAGES + 6, begin);
    collector.has_got(MESSAGES + 3..MESSAGES + 6);
    assert!(host.exported().is_empty(), "none is left");
    getmail(keep, "0 messages (0 bytes) retrieved, 0 skipped");
}
