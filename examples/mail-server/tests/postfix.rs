//! Postfix delivers two thousand queued messages to the program, over LMTP and over SMTP: each arrives once, at the first
//! attempt, as it was sent.
//!
//! A private Postfix runs in a folder that goes with the test: it needs the Debian package's users and programs and
//! nothing of `/etc/postfix`. Its master must be root, for it gives up its rights itself; for anybody else, and without
//! Postfix, the tests are skipped, and said to be; with `CI=true` they fail.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod support;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::host::{Host, is_there, must_be_root};
use support::shapes::{ACCOUNTS, Message, id_of, message, split_trace};
use support::{run, text};
use tempfile::TempDir;

const MESSAGES: usize = 2000;
/// Longer than any machine needs, shorter than Postfix waits before it tries again.
const PATIENCE: Duration = Duration::from_secs(240);

// ---- Postfix ----------------------------------------------------------------------------------------------------------

/// A Postfix of the test's own; stopped when it is dropped.
struct Postfix {
    folder: TempDir,
}

impl Postfix {
    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for Postfix");
        let path = folder.path();
        // Its programs run as a user of their own, who has to get through to what is theirs.
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("ours");
        let config = path.join("config");
        std::fs::create_dir(&config).expect("ours");
        std::fs::create_dir(path.join("queue")).expect("ours");
        let path = path.display();
        // What delivers keeps its defaults: connection cache, pipelining, concurrency. What comes in is held, so that it
        // all is in the queue when delivery begins.
        let main = format!(
            "compatibility_level = 3.6\n\
             config_directory = {path}/config\nqueue_directory = {path}/queue\ndata_directory = {path}/data\n\
             maillog_file = {path}/log\nmaillog_file_prefixes = {path}\n\
             myhostname = client.example.net\nmydestination =\nmynetworks = 127.0.0.0/8\nrelay_domains = example.org\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nsmtp_dns_support_level = disabled\n\
             alias_maps =\nalias_database =\nlocal_recipient_maps =\nnotify_classes =\n\
             smtpd_client_restrictions = check_client_access static:HOLD, permit\nsmtpd_peername_lookup = no\n\
             in_flow_delay = 0\nalways_add_missing_headers = no\n\
             {more}\n"
        );
        std::fs::write(config.join("main.cf"), main).expect("ours");
        let mut master = String::from("inject unix n - n - - smtpd\npostlog unix-dgram n - n - 1 postlogd\n");
        for (name, options, program) in [
            ("pickup", "n - n 60 1", "pickup"),
            ("cleanup", "n - n - 0", "cleanup"),
            ("qmgr", "n - n 300 1", "qmgr"),
            ("tlsmgr", "- - n 1000? 1", "tlsmgr"),
            ("rewrite", "- - n - -", "trivial-rewrite"),
            ("bounce", "- - n - 0", "bounce"),
            ("defer", "- - n - 0", "bounce"),
            ("trace", "- - n - 0", "bounce"),
            ("verify", "- - n - 1", "verify"),
            ("flush", "n - n 1000? 0", "flush"),
            ("proxymap", "- - n - -", "proxymap"),
            ("smtp", "- - n - -", "smtp"),
            ("relay", "- - n - -", "smtp"),
            ("lmtp", "- - n - -", "lmtp"),
            ("showq", "n - n - -", "showq"),
            ("error", "- - n - -", "error"),
            ("retry", "- - n - -", "error"),
            ("discard", "- - n - -", "discard"),
            ("anvil", "- - n - 1", "anvil"),
            ("scache", "- - n - 1", "scache"),
        ] {
            writeln!(master, "{name} unix {options} {program}").expect("a string");
        }
        std::fs::write(config.join("master.cf"), master).expect("ours");
        let postfix = Self { folder };
        postfix.succeeds("postfix", &["start"]);
        postfix
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> String {
        text(&std::fs::read(self.path().join("log")).unwrap_or_default())
    }

    /// Runs one of its commands on this instance.
    fn succeeds(&self, command: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(command);
        command.arg("-c").arg(self.path().join("config")).args(arguments);
        let output = run(command, "");
        let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {told}\n{}", self.log());
        told
    }

    /// Puts messages into the queue, over a few sessions at once.
    fn queue(&self, messages: &[Message]) {
        let socket = &self.path().join("queue/public/inject");
        std::thread::scope(|scope| {
            let parts: Vec<_> = messages
                .chunks(messages.len().div_ceil(8))
                .map(|part| scope.spawn(move || part.iter().try_fold(Injection::open(socket)?, Injection::send)))
                .collect();
            for part in parts {
                if let Err(why) = part.join().expect("no panic") {
                    panic!("not queued: {why}\n{}", self.log());
                }
            }
        });
    }

    /// Lets go of what is held, and waits until nothing is left; how long that took.
    fn deliver(&self, count: usize) -> Duration {
        let begin = Instant::now();
        self.succeeds("postsuper", &["-H", "ALL"]);
        // Held mail goes to the deferred queue, and from there at once, without a word about it in the log.
        self.succeeds("postqueue", &["-f"]);
        loop {
            let log = self.log();
            let done = log.matches(": removed\n").count();
            if done == count {
                return begin.elapsed();
            }
            if let Some(bad) = log.lines().find(|line| line.contains("status=") && !line.contains("status=sent")) {
                panic!("{done} of {count} are gone, and then: {bad}");
            }
            let late = begin.elapsed() > PATIENCE;
            assert!(!late, "{done} of {count} after {PATIENCE:?}:\n{}", self.succeeds("postqueue", &["-p"]));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // `stop` would wait for what is under way, and nothing may be.
        let _ = Command::new("postfix").arg("-c").arg(self.path().join("config")).arg("abort").output();
    }
}

/// A session with the side of Postfix that takes mail.
struct Injection {
    reader: BufReader<UnixStream>,
}

impl Injection {
    fn open(socket: &Path) -> std::io::Result<Self> {
        let mut this = Self { reader: BufReader::new(UnixStream::connect(socket)?) };
        this.expect("220")?;
        this.write(b"EHLO client.example.net\r\n")?;
        this.expect("250")?;
        Ok(this)
    }

    fn send(mut self, message: &Message) -> std::io::Result<Self> {
        let mut commands = format!("MAIL FROM:<{}>{}\r\n", message.sender, message.mail_parameters);
        for account in &message.accounts {
            commands.push_str(&format!("RCPT TO:<{account}@example.org>{}\r\n", message.rcpt_parameters));
        }
        commands.push_str("DATA\r\n");
        self.write(commands.as_bytes())?;
        (0..=message.accounts.len()).try_for_each(|_| self.expect("250"))?;
        self.expect("354")?;
        let mut stuffed = Vec::with_capacity(message.octets.len() + 64);
        for line in message.octets.split_inclusive(|octet| *octet == b'\n') {
            stuffed.extend(line.starts_with(b".").then_some(b'.'));
            stuffed.extend(line);
        }
        stuffed.extend(b".\r\n");
        self.write(&stuffed)?;
        self.expect("250")?;
        Ok(self)
    }

    fn write(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(octets)
    }

    fn expect(&mut self, code: &str) -> std::io::Result<()> {
        let mut line = String::new();
        while line.is_empty() || line.as_bytes().get(3) == Some(&b'-') {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        if line.starts_with(code) { Ok(()) } else { Err(std::io::Error::other(line)) }
    }
}

// ---- What arrived -----------------------------------------------------------------------------------------------------

/// Every message is where it should be, once, as it was sent. The trace fields of all of them.
fn compare(host: &Host, sent: &[Message]) -> Vec<String> {
    let mut expected: HashMap<(&str, String), &Message> = HashMap::new();
    for message in sent {
        for account in &message.accounts {
            assert!(expected.insert((*account, message.id.clone()), message).is_none(), "unique");
        }
    }
    let mut traces = Vec::new();
    for account in ACCOUNTS {
        for arrived in host.exported_of(account) {
            let (trace, octets) = split_trace(&arrived);
            let trace = text(trace);
            let id = id_of(octets).unwrap_or_else(|| panic!("{account}: {trace}{}", text(octets)));
            let Some(message) = expected.remove(&(account, id.clone())) else {
                panic!("{account} has what was not sent to it, or has it twice: {id}");
            };
            assert!(octets == message.octets, "{id} became\n{}", text(octets));
            let path = format!("Return-Path: <{}>\r\n", message.sender);
            assert!(trace.starts_with(&path), "{id} has another sender: {trace}");
            traces.push(trace);
        }
    }
    let lost: Vec<_> = expected.iter().map(|((account, _), message)| (account, &message.id)).collect();
    assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
    traces
}

/// Nothing went wrong on the way, not even what went right afterwards.
fn sent_without_a_retry(postfix: &Postfix, deliveries: usize) -> String {
    let log = postfix.log();
    for wrong in [
        "status=deferred",
        "status=bounced",
        "status=expired",
        "warning:",
        "error:",
        "fatal:",
        "panic:",
        "lost connection",
        "conversation with",
        "timed out",
        "refused",
        "said:",
        "TLS library problem",
        "Cannot start TLS",
    ] {
        let line = log.lines().find(|line| line.contains(wrong));
        assert!(line.is_none(), "{line:?}");
    }
    assert_eq!(log.matches("status=sent").count(), deliveries);
    assert_eq!(postfix.succeeds("postqueue", &["-j"]), "");
    log
}

fn play(more: impl Fn(&Host) -> String) -> Option<(String, Vec<String>)> {
    if !is_there("postconf", "-d") || !must_be_root("Postfix's master") {
        return None;
    }
    let host = Host::start(&["--max-message-size", "10MiB"]);
    ACCOUNTS[1..].iter().for_each(|name| host.add(name));
    let postfix = Postfix::start(&more(&host));
    let messages: Vec<_> = (0..MESSAGES).map(message).collect();
    let octets: usize = messages.iter().map(|message| message.octets.len()).sum();
    let deliveries = messages.iter().map(|message| message.accounts.len()).sum();
    let begin = Instant::now();
    postfix.queue(&messages);
    let queued = begin.elapsed();
    assert!(!postfix.log().contains("status="), "held");
    let took = postfix.deliver(MESSAGES);
    eprintln!(
        "{MESSAGES} messages, {deliveries} deliveries, {octets} octets: queued in {queued:.1?}, delivered in {took:.1?}, \
         {:.0} messages/s; the server has {} KiB",
        MESSAGES as f64 / took.as_secs_f64(),
        host.server.resident()
    );
    let log = sent_without_a_retry(&postfix, deliveries);
    let traces = compare(&host, &messages);
    assert_eq!(traces.len(), deliveries);
    Some((log, traces))
}

#[test]
fn postfix_delivers_two_thousand_messages_over_lmtp() {
    let Some((log, traces)) = play(|host| {
        let port = host.server.port("lmtp");
        format!("transport_maps = static:lmtp:inet:127.0.0.1:{port}\nlmtp_tls_security_level = none")
    }) else {
        return;
    };
    // Its connection cache was at work.
    assert!(log.contains("conn_use="), "every message had a connection to itself");
    for trace in traces {
        assert!(trace.contains("with LMTP") || trace.contains("with UTF8LMTP"), "{trace}");
    }
}

#[test]
fn postfix_delivers_two_thousand_messages_over_smtp_with_tls() {
    let Some((_, traces)) = play(|host| {
        let port = host.server.port("smtp");
        format!("relay_transport = smtp:[127.0.0.1]:{port}\nsmtp_tls_security_level = may")
    }) else {
        return;
    };
    for trace in traces {
        assert!(trace.contains("with ESMTPS") || trace.contains("with UTF8SMTPS"), "{trace}");
    }
}
