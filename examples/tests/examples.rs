//! The examples, run and talked to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;

#[path = "support/dns.rs"]
mod dns;

/// An example that runs until it is dropped.
struct Example {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Self {
        // Cargo builds a package's examples before its tests, into the folder beside theirs.
        let test = std::env::current_exe().unwrap();
        let program = test.parent().unwrap().parent().unwrap().join("examples").join(name);
        let mut child = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            // With `--test` alone Cargo builds no examples.
            .unwrap_or_else(|error| panic!("{}: {error}; build it with `cargo build --examples`", program.display()));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    fn line(&mut self) -> String {
        line(&mut self.stdout)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// The address that follows those words in a line.
fn address(line: &str, words: &str) -> String {
    let behind = line.split(words).nth(1).unwrap_or_else(|| panic!("no {words:?} in {line:?}"));
    behind.split([',', ' ']).next().unwrap().to_owned()
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    fn says(&mut self, beginning: &str) {
        let line = line(&mut self.0);
        assert!(line.starts_with(beginning), "{line:?}, and not {beginning:?}");
    }

    fn ask(&mut self, command: &str, beginning: &str) {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        self.says(beginning);
    }
}

fn send(address: &str, recipient: &str, at_the_end: &str) {
    let mut client = Client::connect(address);
    client.says("220 ");
    client.ask("HELO client.example.net", "250 ");
    client.ask("MAIL FROM:<a@example.net>", "250 ");
    client.ask(&format!("RCPT TO:<{recipient}>"), "250 ");
    client.ask("DATA", "354 ");
    client.ask("Subject: hello\r\n\r\n..dotted\r\n.", at_the_end);
    client.ask("QUIT", "221 ");
}

#[test]
fn smtp_sans_io_takes_what_it_says_and_acknowledges_nothing() {
    let mut example = Example::start("smtp_sans_io", &["127.0.0.1:0"]);
    let address = address(&example.line(), "listening on ");
    send(&address, "ada@example.org", "451 ");
    assert_eq!(example.line(), "a message of 27 octets");
}

#[test]
fn smtp_sink_writes_the_message_down() {
    let mut example = Example::start("smtp_sink", &["127.0.0.1:0"]);
    let address = address(&line(&mut example.stderr), "listening on ");
    send(&address, "anybody@anywhere.example", "250 ");
    assert_eq!([example.line(), example.line(), example.line()], ["Subject: hello", "", ".dotted"]);
}

#[test]
fn all_in_one_takes_mail_and_gives_none_away_in_clear() {
    let mut example = Example::start("all_in_one", &["127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"]);
    let addresses = example.line();
    send(&address(&addresses, "SMTP on "), "ada@example.org", "250 ");
    let mut client = Client::connect(&address(&addresses, "POP3 on "));
    client.says("+OK ");
    client.ask("USER ada@example.org", "-ERR ");
    let mut client = Client::connect(&address(&example.line(), "IMAP on "));
    client.says("* OK ");
    client.ask("a LOGIN ada@example.org \"correct horse\"", "a NO [PRIVACYREQUIRED]");
}

#[test]
fn imap_memory_server_shows_its_messages() {
    let mut example = Example::start("imap_memory_server", &["127.0.0.1:0"]);
    let mut client = Client::connect(&address(&example.line(), "IMAP on "));
    client.says("* OK [CAPABILITY IMAP4rev1 IMAP4rev2 ");
    client.ask("a STARTTLS", "a OK");
}

#[test]
fn own_store_serves_a_folder_of_files() {
    let folder = std::env::temp_dir().join(format!("own-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("1.eml"), "Subject: one\n\n.dot\n").unwrap();
    let mut example = Example::start("own_store", &[folder.to_str().unwrap(), "127.0.0.1:0", "127.0.0.1:0"]);
    let started = example.line();
    assert!(started.starts_with("1 messages"), "{started}");
    let mut client = Client::connect(&address(&started, "POP3 on "));
    client.says("+OK ");
    client.ask("USER reader", "+OK");
    client.ask("PASS letmein", "+OK");
    client.ask("LIST 1", "+OK 1 22");
    client.ask("RETR 1", "+OK");
    for expected in ["Subject: one", "", "..dot", "."] {
        client.says(expected);
    }
    client.ask("QUIT", "+OK");
    let mut client = Client::connect(&address(&example.line(), "IMAP on "));
    client.says("* OK ");
    client.ask("a LOGIN reader letmein", "a OK");
    client.ask("b STATUS INBOX (MESSAGES SIZE)", "* STATUS INBOX (MESSAGES 1 SIZE 22)");
    client.says("b OK");
    client.ask("c EXAMINE INBOX", "* FLAGS ");
    while line(&mut client.0).starts_with("* ") {}
    client.ask("d UID SEARCH SUBJECT ONE BODY DOT", "* SEARCH 1");
    client.says("d OK");
    client.ask("e FETCH 1 (ENVELOPE)", "* 1 FETCH (ENVELOPE (NIL \"one\" ");
    client.says("e OK");
    client.ask("f STORE 1 +FLAGS (\\Seen)", "f NO [NOPERM]");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn smtp_policy_puts_strangers_off_and_has_a_list_of_recipients() {
    let arguments = ["--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0", "--greylist-seconds", "0", "--rate", "3"];
    let mut example = Example::start("smtp_policy", &arguments);
    let addresses = example.line();
    let mut client = Client::connect(&address(&addresses, "SMTP on "));
    client.says("220 ");
    client.ask("HELO client.example.net", "250 ");
    client.ask("MAIL FROM:<eve@example.net>", "250 ");
    client.ask("RCPT TO:<nobody@example.org>", "550 5.1.1 ");
    client.ask("RCPT TO:<staff@example.org>", "550 5.7.1 not to be written to from outside");
    client.ask("RCPT TO:<ada@example.org>", "450 4.7.1 I do not know you yet");
    client.ask("RSET", "250 ");
    client.ask("MAIL FROM:<eve@example.net>", "250 ");
    client.ask("RCPT TO:<Ada@Example.ORG>", "250 ");
    client.ask("RCPT TO:<postmaster@example.org>", "250 ");
    client.ask("DATA", "354 ");
    client.ask("Subject: hello\r\n\r\nbody\r\n.", "250 ");
    // Known from now on, whoever it is for.
    client.ask("MAIL FROM:<eve@example.net>", "250 ");
    client.ask("RCPT TO:<postmaster@example.org>", "250 ");
    client.ask("RSET", "250 ");
    client.ask("MAIL FROM:<eve@example.net>", "421 4.7.0 too many messages");
    assert_eq!(line(&mut client.0), "", "421 hangs up");

    let messages = collect(&address(&addresses, "POP3 on "));
    assert_eq!(messages.len(), 1, "one copy for one account");
    assert!(messages[0].starts_with("Return-Path: <eve@example.net>\nX-Greylist: not delayed\nReceived: "));
}

#[test]
fn smtp_policy_waits_as_long_as_told_and_refuses_the_blocked() {
    let arguments = ["--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0", "--greylist-seconds", "3600", "bob@example.org"];
    let mut example = Example::start("smtp_policy", &arguments);
    let mut client = Client::connect(&address(&example.line(), "SMTP on "));
    client.says("220 ");
    client.ask("HELO client.example.net", "250 ");
    client.ask("MAIL FROM:<eve@example.net>", "250 ");
    client.ask("RCPT TO:<ada@example.org>", "550 5.7.1 ");
    for _ in 0..2 {
        client.ask("RCPT TO:<bob@example.org>", "450 4.7.1 ");
    }
    let mut example =
        Example::start("smtp_policy", &["--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0", "--block", "127.0.0.1"]);
    let mut client = Client::connect(&address(&example.line(), "SMTP on "));
    client.says("554 nothing is taken from your address");
    client.ask("HELO client.example.net", "503 ");
    client.ask("QUIT", "221 ");
}

/// All of ada's messages, by POP3, with the line ends of Unix.
fn collect(address: &str) -> Vec<String> {
    let mut client = Client::connect(address);
    client.says("+OK ");
    client.ask("USER ada@example.org", "+OK");
    client.ask("PASS correct horse", "+OK");
    client.0.get_mut().write_all(b"STAT\r\n").unwrap();
    let count: usize = line(&mut client.0).split(' ').nth(1).unwrap().parse().unwrap();
    let messages = (1..=count).map(|number| {
        client.ask(&format!("RETR {number}"), "+OK");
        let lines = std::iter::from_fn(|| Some(line(&mut client.0)).filter(|line| line != "."));
        lines.map(|line| line + "\n").collect()
    });
    let messages = messages.collect();
    client.ask("QUIT", "+OK");
    // The maildrop is free again when the connection is.
    assert_eq!(line(&mut client.0), "");
    messages
}

/// RFC 8463 §A.2: a key pair that everybody knows.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const PUBLIC_BASE64: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn signed(domain: &str, message: &str) -> String {
    let octets = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let key = Ed25519Key::from_seed_and_public_key(&octets(SEED), &octets(PUBLIC)).unwrap();
    let signer = DkimSigner::from_key(key).domain(domain).selector("s1").headers(["From", "Subject"]);
    signer.sign(message.as_bytes()).unwrap().to_header() + message
}

/// `smtp_authenticated_results` with a DNS of its own.
struct Checked {
    example: Example,
    smtp: String,
    pop3: String,
}

impl Checked {
    fn start() -> Self {
        let mut records = vec![
            ("client.example.net", "TXT", String::from("v=spf1 a -all")),
            ("client.example.net", "A", String::from("127.0.0.1")),
            ("good.example", "TXT", String::from("v=spf1 ip4:127.0.0.1 -all")),
            ("reject.example", "TXT", String::from("v=spf1 ip4:192.0.2.1 -all")),
            ("junk.example", "TXT", String::from("v=spf1 ip4:192.0.2.1 ~all")),
        ];
        for (key, dmarc, wish) in [
            ("s1._domainkey.good.example", "_dmarc.good.example", "reject"),
            ("s1._domainkey.reject.example", "_dmarc.reject.example", "reject"),
            ("s1._domainkey.junk.example", "_dmarc.junk.example", "quarantine"),
        ] {
            records.push((key, "TXT", format!("v=DKIM1; k=ed25519; p={PUBLIC_BASE64}")));
            records.push((dmarc, "TXT", format!("v=DMARC1; p={wish}")));
        }
        let dns = dns::serve(records);
        let arguments = ["--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0", "--dns", &dns];
        let mut example = Example::start("smtp_authenticated_results", &arguments);
        let addresses = example.line();
        let _ = example.line();
        Self { smtp: address(&addresses, "SMTP on "), pop3: address(&addresses, "POP3 on "), example }
    }

    /// Sends it, and gives back the last reply, its lines one behind another.
    fn send(&self, sender: &str, message: &str) -> String {
        let mut client = Client::connect(&self.smtp);
        client.says("220 ");
        client.ask("HELO client.example.net", "250 ");
        client.ask(&format!("MAIL FROM:<{sender}>"), "250 ");
        client.ask("RCPT TO:<ada@example.org>", "250 ");
        client.ask("DATA", "354 ");
        client.0.get_mut().write_all(format!("{message}.\r\n").as_bytes()).unwrap();
        let mut reply = line(&mut client.0);
        while reply.as_bytes()[reply.rfind('\n').map_or(0, |at| at + 1) + 3] == b'-' {
            reply = reply + "\n" + &line(&mut client.0);
        }
        client.ask("QUIT", "221 ");
        reply
    }

    /// Sends it, and gives back what has been delivered and its own Authentication-Results, unfolded.
    fn deliver(&mut self, sender: &str, message: &str) -> (String, String) {
        let before = collect(&self.pop3).len();
        assert_eq!(self.send(sender, message), "250 2.0.0 message accepted");
        let mut messages = collect(&self.pop3);
        assert_eq!(messages.len(), before + 1);
        let message = messages.pop().unwrap();
        let field = message.strip_prefix(&format!("Return-Path: <{sender}>\nAuthentication-Results:")).unwrap();
        let field = field.split("\nReceived: ").next().unwrap().replace('\n', "");
        assert!(self.example.line().starts_with("mail.example.org;"));
        (message, field)
    }
}

fn has(field: &str, parts: &[&str]) {
    for part in parts {
        assert!(field.contains(part), "{part:?} is not in {field:?}");
    }
}

const SPF_PASSES: [&str; 3] = [" mail.example.org;", "spf=pass (", "smtp.helo=client.example.net"];

#[test]
fn smtp_authenticated_results_says_what_is_true_and_takes_out_what_is_forged() {
    let mut checked = Checked::start();
    let forged = "Authentication-Results: (not) MAIL.example.org 1;\r\n dmarc=pass header.from=bank.example\r\n\
                  Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=good.example\r\n";
    let message = "From: Eve <eve@good.example>\r\nSubject: hello\r\n\r\nbody\r\n";
    let (whole, field) = checked.deliver("eve@good.example", &(forged.to_owned() + &signed("good.example", message)));
    has(&field, &SPF_PASSES);
    has(&field, &["smtp.mailfrom=eve@good.example", "dkim=pass header.d=good.example header.s=s1"]);
    has(&field, &["dmarc=pass header.from=good.example policy.dmarc=reject"]);
    assert!(!whole.contains("bank.example") && !whole.contains("MAIL.example.org"), "{whole}");
    assert!(whole.contains("\nAuthentication-Results: mx.example.net; spf=pass smtp.mailfrom=good.example\nDKIM-"));
    assert!(whole.ends_with("\nSubject: hello\n\nbody\n"), "{whole}");

    // Its signature is broken on the way; it still comes from where its domain says that it comes from.
    let broken = signed("good.example", message).replace("body\r\n", "another body\r\n");
    let (_, field) = checked.deliver("eve@good.example", &broken);
    has(&field, &["spf=pass", "dkim=neutral (body hash", "header.s=s1", "dmarc=pass"]);

    // From elsewhere, but signed: forwarded, most likely.
    let (_, field) =
        checked.deliver("eve@reject.example", &signed("reject.example", &message.replace("good", "reject")));
    has(&field, &["spf=fail (", "smtp.mailfrom=eve@reject.example", "dkim=pass", "dmarc=pass"]);

    let (_, field) = checked.deliver("eve@unknown.example", "From: eve@unknown.example\r\n\r\n");
    has(&field, &["spf=none (", "smtp.mailfrom=eve@unknown.example", "; dkim=none", "dmarc=none"]);
}

#[test]
fn smtp_authenticated_results_does_what_the_domain_wants() {
    let mut checked = Checked::start();
    let unsigned = "From: Eve <eve@reject.example>\r\nSubject: hello\r\n\r\nbody\r\n";
    assert_eq!(
        checked.send("eve@reject.example", unsigned),
        "550-5.7.1 this message is not from whom it says it is from\n\
         550 5.7.1 reject.example wants such messages refused (DMARC, RFC 9989)"
    );
    has(&checked.example.line(), &["spf=fail", "; dkim=none", "dmarc=fail", "header.from=reject.example"]);
    // A passing SPF of another domain's does not help.
    assert!(checked.send("eve@good.example", unsigned).starts_with("550-5.7.1 "));
    has(&checked.example.line(), &["smtp.mailfrom=eve@good.example", "dmarc=fail"]);

    let two = format!("From: ada@good.example\r\n{unsigned}");
    assert_eq!(checked.send("eve@good.example", &two), "550 5.7.1 more than one From field");

    assert!(checked.send("eve@junk.example", &unsigned.replace("reject", "junk")).starts_with("250 "));
    has(&checked.example.line(), &["spf=softfail", "dmarc=fail", "policy.dmarc=quarantine"]);
    assert!(collect(&checked.pop3).is_empty(), "it is in Junk, and not in INBOX");

    // Too large to look at is not refused for a signature that may be good.
    let large = signed("reject.example", unsigned) + &"large\r\n".repeat(9 * 1024 * 1024 / 7);
    let (_, field) = checked.deliver("eve@reject.example", &large);
    has(&field, &["; dkim=temperror (too large or too many signatures)", "dmarc=temperror"]);
}

#[test]
fn sec_i4_a_sender_cannot_write_results_of_its_own() {
    let mut checked = Checked::start();
    let sender = r#""x; dkim=pass header.d=bank.example; y=\"(\""@good.example"#;
    let (_, field) = checked.deliver(sender, "From: eve@good.example\r\n\r\n");
    let outside_quotes: String = field.replace("\\\\", "").replace("\\\"", "").split('"').step_by(2).collect();
    assert_eq!(outside_quotes.matches("dkim=").count(), 1, "{field}");
    assert_eq!(outside_quotes.matches(';').count(), 4, "{field}");
    has(&outside_quotes, &["dmarc=pass", "; dkim=none"]);
}

#[test]
fn smtp_authenticated_results_knows_bounces_and_messages_with_nothing_in_them() {
    let mut checked = Checked::start();
    let (_, field) = checked.deliver("", "From: postmaster@client.example.net\r\n\r\n");
    has(&field, &SPF_PASSES);
    has(&field, &["spf=pass (", "smtp.mailfrom=postmaster@client.example.net", "; dkim=none", "dmarc=none"]);
    let (_, field) = checked.deliver("eve@good.example", "\r\n");
    has(&field, &["smtp.mailfrom=eve@good.example", "; dkim=none", "dmarc=none"]);

    // Each signature is work; so many are nobody's.
    let mut message = String::from("From: eve@good.example\r\n\r\n");
    for _ in 0..9 {
        message = signed("good.example", &message);
    }
    let (_, field) = checked.deliver("eve@good.example", &message);
    has(&field, &["; dkim=temperror (too large or too many signatures)", "dmarc=pass"]);
}
