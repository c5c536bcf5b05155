//! The examples, run and talked to.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

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
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
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
    let mut example = Example::start("all_in_one", &["127.0.0.1:0", "127.0.0.1:0"]);
    let addresses = example.line();
    send(&address(&addresses, "SMTP on "), "ada@example.org", "250 ");
    let mut client = Client::connect(&address(&addresses, "POP3 on "));
    client.says("+OK ");
    client.ask("USER ada@example.org", "-ERR ");
}

#[test]
fn own_store_serves_a_folder_of_files() {
    let folder = std::env::temp_dir().join(format!("own-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("1.eml"), "Subject: one\n\n.dot\n").unwrap();
    let mut example = Example::start("own_store", &[folder.to_str().unwrap(), "127.0.0.1:0"]);
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
    std::fs::remove_dir_all(&folder).unwrap();
}
