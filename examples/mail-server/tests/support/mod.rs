//! The program as its users have it: a process with a folder, ports and two output streams.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod host;
pub(crate) mod shapes;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// All listeners on free ports.
pub(crate) const FREE_PORTS: [&str; 16] = [
    "--smtp",
    "127.0.0.1:0",
    "--submission",
    "127.0.0.1:0",
    "--submissions",
    "127.0.0.1:0",
    "--lmtp",
    "127.0.0.1:0",
    "--imap",
    "127.0.0.1:0",
    "--imaps",
    "127.0.0.1:0",
    "--pop3",
    "127.0.0.1:0",
    "--pop3s",
    "127.0.0.1:0",
];

/// The program, with nothing of this process's environment that it would heed.
pub(crate) fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pillarbox-mail-server"));
    command.env_remove("PILLARBOX_DATA").env_remove("PILLARBOX_STORE").env("NO_COLOR", "1").stdin(Stdio::null());
    command.arg("--data").arg(data);
    command
}

/// Runs a command to its end, with something on its standard input.
pub(crate) fn run(mut command: Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // One that does not read its input closes it.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

/// What a command printed.
pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// A server that runs; killed when it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) data: PathBuf,
    pub(crate) ports: HashMap<String, u16>,
    pub(crate) user: String,
    /// Only told by a first start.
    pub(crate) password: Option<String>,
    /// All that was printed up to `ready`.
    pub(crate) printed: String,
}

impl Server {
    /// Starts it on free ports and waits until it is ready.
    pub(crate) fn start(data: &Path, more: &[&str]) -> Self {
        let mut command = program(data);
        command.args(FREE_PORTS).args(more);
        Self::spawn(command, data)
    }

    /// Starts a command and waits until it is ready.
    pub(crate) fn spawn(mut command: Command, data: &Path) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut stderr = child.stderr.take().expect("piped");
        // Read all the time: a full pipe would stop the server.
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                let more = String::from_utf8_lossy(&chunk[..count]);
                if std::env::var_os("PILLARBOX_TEST_LOG").is_some() {
                    eprint!("{more}");
                }
                text.push_str(&more);
            }
            text
        });
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut printed = String::new();
        let ready = loop {
            match lines.next() {
                Some(Ok(line)) if line == "ready" => break true,
                Some(Ok(line)) => printed.push_str(&format!("{line}\n")),
                _ => break false,
            }
        };
        assert!(ready, "not ready: {printed}{}", log.join().unwrap_or_default());
        // And here, so that nothing printed later meets a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let words: Vec<&str> = printed.split_whitespace().collect();
        let behind = |what: &str, by: usize| {
            let at = words.iter().position(|word| *word == what)?;
            words.get(at + by).map(|word| (*word).to_owned())
        };
        let ports = ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s"].into_iter();
        let ports = ports.filter_map(|role| Some((role.to_owned(), behind(&format!("({role})"), 2)?.parse().ok()?)));
        let ports = ports.collect();
        let user = behind("name", 1).unwrap_or_default().trim_end_matches(',').to_owned();
        let password = behind("password", 1);
        Self { child, data: data.to_owned(), ports, user, password, printed }
    }

    pub(crate) fn port(&self, role: &str) -> u16 {
        *self.ports.get(role).unwrap_or_else(|| panic!("no {role} in {}", self.printed))
    }

    pub(crate) fn connect(&self, role: &str) -> Line {
        Line::connect(self.port(role))
    }

    /// The self-signed certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.data.join("tls-cert.pem")
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self, most: Duration) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.code();
            }
            assert!(begin.elapsed() < most, "the server did not end within {most:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Resident memory in KiB, as Linux tells it.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a running process");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A clear-text conversation, line by line.
pub(crate) struct Line {
    reader: BufReader<TcpStream>,
}

impl Line {
    pub(crate) fn connect(port: u16) -> Self {
        Self::try_connect(port).expect("the server accepts")
    }

    pub(crate) fn try_connect(port: u16) -> std::io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(300)))?;
        Ok(Self { reader: BufReader::new(socket) })
    }

    pub(crate) fn send(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(octets)
    }

    /// One line without its CRLF; an error at the end.
    pub(crate) fn line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// An SMTP reply's last line.
    pub(crate) fn reply(&mut self) -> std::io::Result<String> {
        loop {
            let line = self.line()?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    }

    /// Sends a command and wants a reply that begins so.
    pub(crate) fn ask(&mut self, command: &str, expected: &str) -> std::io::Result<String> {
        self.send(format!("{command}\r\n").as_bytes())?;
        let reply = self.reply()?;
        if reply.starts_with(expected) { Ok(reply) } else { Err(std::io::Error::other(format!("{command}: {reply}"))) }
    }

    /// What stands up to the line with the dot, with the dots taken away.
    pub(crate) fn multiline(&mut self) -> std::io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.reader.read_until(b'\n', &mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            match line.as_slice() {
                b".\r\n" => return Ok(all),
                [b'.', rest @ ..] => all.extend_from_slice(rest),
                line => all.extend_from_slice(line),
            }
        }
    }
}
