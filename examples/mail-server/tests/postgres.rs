//! Three servers, one PostgreSQL: what happens on one is seen on the others, and a server that dies takes nothing along.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs, reason = "it is a test")]

#[path = "../../../mailstore-traits/stores/postgres/tests/server/mod.rs"]
mod database;
mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::{Line, Server, program, run, text};

/// Servers on one database, each with a folder of its own as on a machine of its own.
struct Cluster {
    folder: tempfile::TempDir,
    url: String,
    password: String,
    servers: Vec<Server>,
}

impl Cluster {
    fn start(number: usize) -> Option<Self> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let database = database::durable_server()?;
        let url = runtime.block_on(database.database());
        let folder = tempfile::tempdir().unwrap();
        let mut this = Self { folder, url, password: String::new(), servers: Vec::new() };
        for at in 0..number {
            let server = this.server(at);
            // The first start of all makes the account; the others find it.
            assert_eq!(server.password.is_some(), at == 0, "{}", server.printed);
            if let Some(password) = &server.password {
                this.password = password.clone();
            }
            this.servers.push(server);
        }
        Some(this)
    }

    fn server(&self, at: usize) -> Server {
        self.server_with(at, &[])
    }

    fn server_with(&self, at: usize, more: &[&str]) -> Server {
        let options = ["--store", &self.url, "--domain", "example.org", "--allow-insecure-login"];
        Server::start(&self.folder.path().join(format!("node{at}")), &[&options, more].concat())
    }

    /// Asks the database until it says yes.
    fn wait_for(&self, query: &str) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let client = database::connect(&self.url).await;
            let deadline = Instant::now() + Duration::from_secs(60);
            while !client.query_one(query, &[]).await.unwrap().get::<_, bool>(0) {
                assert!(Instant::now() < deadline, "{query} does not come true");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    }

    /// An IMAP connection that has selected INBOX.
    fn imap(&self, at: usize) -> Imap {
        let mut imap = Imap { line: self.servers[at].connect("imap"), tag: 0 };
        imap.line.line().unwrap();
        let password = self.password.clone();
        imap.ask(&format!("LOGIN me@example.org {password}"));
        imap.ask("SELECT INBOX");
        imap
    }
}

struct Imap {
    line: Line,
    tag: u32,
}

impl Imap {
    /// Asks, and gives what is told before the tagged answer, which is OK.
    fn ask(&mut self, command: &str) -> Vec<String> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.line.send(format!("{tag} {command}\r\n").as_bytes()).unwrap();
        let mut told = Vec::new();
        loop {
            let line = self.line.line().unwrap();
            if let Some(status) = line.strip_prefix(&format!("{tag} ")) {
                assert!(status.starts_with("OK"), "{command}: {status}");
                return told;
            }
            told.push(line);
        }
    }

    fn idle(&mut self) {
        self.line.send(b"idle IDLE\r\n").unwrap();
        assert!(self.line.line().unwrap().starts_with('+'));
    }

    /// What an idling connection hears first that ends so.
    fn hear(&mut self, end: &str) -> String {
        loop {
            let line = self.line.line().unwrap();
            if line.ends_with(end) {
                return line;
            }
        }
    }

    fn done(&mut self) {
        self.line.send(b"DONE\r\n").unwrap();
        while !self.line.line().unwrap().starts_with("idle OK") {}
    }
}

/// Sends a message by SMTP; whether it was taken.
fn send(port: u16, subject: &str) -> std::io::Result<bool> {
    send_to(port, "me@example.org", subject)
}

fn send_to(port: u16, to: &str, subject: &str) -> std::io::Result<bool> {
    let mut line = Line::try_connect(port)?;
    line.reply()?;
    for (command, code) in [
        ("EHLO client.example.net\r\n", "250"),
        ("MAIL FROM:<ada@example.net>\r\n", "250"),
        (&*format!("RCPT TO:<{to}>\r\n"), "250"),
        ("DATA\r\n", "354"),
        (&*format!("Subject: {subject}\r\n\r\nHello\r\n.\r\n"), "250"),
    ] {
        line.send(command.as_bytes())?;
        if !line.reply()?.starts_with(code) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[test]
fn who_idles_on_one_hears_what_happens_on_another() {
    let Some(cluster) = Cluster::start(2) else { return };
    let (mut here, mut there) = (cluster.imap(0), cluster.imap(1));
    here.idle();
    let begun = Instant::now();
    assert!(send(cluster.servers[1].port("smtp"), "hello").unwrap());
    here.hear(" EXISTS");
    eprintln!("a delivery was told after {:?}", begun.elapsed());
    there.ask("NOOP");
    let begun = Instant::now();
    there.ask("STORE 1 +FLAGS (\\Flagged)");
    assert!(here.hear("FLAGS (\\Flagged))").starts_with("* 1 FETCH"));
    eprintln!("a flag was told after {:?}", begun.elapsed());
    there.ask("STORE 1 +FLAGS (\\Deleted)");
    there.ask("EXPUNGE");
    assert_eq!(here.hear("EXPUNGE"), "* 1 EXPUNGE");
    here.done();

    // An account that is made beside one server logs in at the other, and mail finds it.
    let mut command = program(&cluster.folder.path().join("node0"));
    command.args(["account", "add", "bob", "--password-stdin"]);
    let made = run(command, "correct horse battery\n");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let mut bob = Imap { line: cluster.servers[1].connect("imap"), tag: 0 };
    bob.line.line().unwrap();
    bob.ask("LOGIN bob@example.org \"correct horse battery\"");
    let listed = run(
        {
            let mut command = program(&cluster.folder.path().join("node1"));
            command.args(["account", "list"]);
            command
        },
        "",
    );
    assert!(text(&listed.stdout).contains("bob@example.org"), "{}", text(&listed.stdout));
}

#[test]
fn a_maildrop_moves_on_when_its_server_dies() {
    let Some(mut cluster) = Cluster::start(2) else { return };
    let login = |server: &Server| {
        let mut pop = server.connect("pop3");
        pop.line().unwrap();
        pop.send(b"USER me@example.org\r\n").unwrap();
        pop.line().unwrap();
        pop.send(format!("PASS {}\r\n", cluster.password).as_bytes()).unwrap();
        let answer = pop.line().unwrap();
        (pop, answer)
    };
    let (_held, answer) = login(&cluster.servers[0]);
    assert!(answer.starts_with("+OK"), "{answer}");
    let (_, answer) = login(&cluster.servers[1]);
    assert!(answer.starts_with("-ERR [IN-USE]"), "{answer}");
    cluster.servers[0].kill();
    // Whoever dies cannot give it back: it is free when nobody has said for half a minute that it is held.
    let begun = Instant::now();
    loop {
        let (_, answer) = login(&cluster.servers[1]);
        if answer.starts_with("+OK") {
            break;
        }
        assert!(answer.starts_with("-ERR [IN-USE]") && begun.elapsed() < Duration::from_secs(120), "{answer}");
        std::thread::sleep(Duration::from_millis(500));
    }
    eprintln!("the maildrop was free after {:?}", begun.elapsed());
}

#[test]
fn what_was_acknowledged_is_there_whoever_is_killed_and_however_they_are_restarted() {
    let Some(mut cluster) = Cluster::start(3) else { return };
    let ports = Arc::new(Mutex::new(cluster.servers.iter().map(|server| server.port("smtp")).collect::<Vec<_>>()));
    let over = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..6)
        .map(|sender| {
            let (ports, over) = (Arc::clone(&ports), Arc::clone(&over));
            std::thread::spawn(move || {
                let mut acknowledged = Vec::new();
                for number in 0.. {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let subject = format!("sent-{sender}-{number}.");
                    // As a sender does: another server if one does not answer, and again later.
                    let port = ports.lock().unwrap()[(sender + number) % 3];
                    if send(port, &subject).unwrap_or(false) {
                        acknowledged.push(subject);
                    } else {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
                acknowledged
            })
        })
        .collect();
    let pause = || std::thread::sleep(Duration::from_millis(700));
    for at in 0..3 {
        pause();
        // One is killed, and then each is ended as for a new version, one after the other.
        if at == 0 {
            cluster.servers[at].kill();
        } else {
            cluster.servers[at].signal("TERM");
            cluster.servers[at].wait(Duration::from_secs(60));
        }
        pause();
        cluster.servers[at] = cluster.server(at);
        ports.lock().unwrap()[at] = cluster.servers[at].port("smtp");
    }
    pause();
    over.store(true, Ordering::SeqCst);
    let acknowledged: Vec<String> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
    let mut imap = cluster.imap(1);
    let told = imap.ask("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
    let subjects = told.iter().filter_map(|line| line.strip_prefix("Subject: "));
    let mut found = BTreeSet::new();
    let mut twice = 0;
    for subject in subjects {
        twice += u32::from(!found.insert(subject.to_owned()));
    }
    let lost: Vec<_> = acknowledged.iter().filter(|subject| !found.contains(*subject)).collect();
    eprintln!("{} acknowledged, {} there", acknowledged.len(), found.len());
    assert!(lost.is_empty() && acknowledged.len() > 30, "{} acknowledged, lost: {lost:?}", acknowledged.len());
    assert_eq!(twice, 0, "no message is there twice that was sent once");
    // All of it reads well, and every server tells the same of it.
    let mut command = program(&cluster.folder.path().join("node2"));
    command.arg("check");
    let checked = run(command, "");
    assert!(text(&checked.stdout).contains("all is as it has to be"), "{}", text(&checked.stderr));
}

#[test]
fn a_copy_stays_for_14_days_whichever_server_it_was_fetched_from() {
    const EXPIRE: [&str; 2] = ["--expire-fetched", "14"];
    let Some(mut cluster) = Cluster::start(2) else { return };
    for at in 0..2 {
        cluster.servers[at].kill();
        let again = cluster.server_with(at, &EXPIRE);
        cluster.servers[at] = again;
    }
    for subject in ["one", "two", "three"] {
        assert!(send(cluster.servers[0].port("smtp"), subject).unwrap());
    }
    // Two are fetched from the first server.
    let mut pop3 = cluster.servers[0].connect("pop3");
    for (command, answer) in [("", "+OK"), ("USER me\r\n", "+OK"), (&*format!("PASS {}\r\n", cluster.password), "+OK")]
    {
        pop3.send(command.as_bytes()).unwrap();
        assert!(pop3.line().unwrap().starts_with(answer));
    }
    for command in ["RETR 1\r\n", "RETR 2\r\n"] {
        pop3.send(command.as_bytes()).unwrap();
        while pop3.line().unwrap() != "." {}
    }
    pop3.send(b"QUIT\r\n").unwrap();
    assert!(pop3.line().unwrap().starts_with("+OK"));
    // What was fetched is noted when the maildrop is closed, and the answer need not wait for that.
    cluster.wait_for("SELECT count(*) = 2 FROM fetched");
    // Fifteen days later. The other one sweeps, for whoever swept last did so long ago.
    cluster.servers[0].kill();
    for change in [
        "UPDATE fetched SET at = at - interval '15 days'",
        "UPDATE message SET saved = saved - 16 * 86400",
        "UPDATE chore SET begun = begun - interval '15 days'",
    ] {
        cluster.wait_for(&format!("WITH done AS ({change} RETURNING 1) SELECT count(*) > 0 FROM done"));
    }
    cluster.servers[1].kill();
    cluster.servers[1] = cluster.server_with(1, &EXPIRE);
    cluster.wait_for("SELECT messages = 1 FROM mailbox");
    cluster.wait_for("SELECT count(*) = 0 FROM fetched");
    assert_eq!(cluster.imap(1).ask("SEARCH SUBJECT three"), ["* SEARCH 1"]);
}

#[test]
fn postmaster_is_whom_the_server_was_told() {
    let Some(mut cluster) = Cluster::start(1) else { return };
    let mut command = program(&cluster.folder.path().join("node0"));
    command.args(["account", "add", "ada", "--password-stdin"]);
    let made = run(command, "correct horse battery\n");
    assert!(made.status.success(), "{}", text(&made.stderr));
    cluster.servers[0].kill();
    cluster.servers[0] = cluster.server_with(0, &["--postmaster", "ada", "--catch-all", "ada"]);
    let port = cluster.servers[0].port("smtp");
    for to in ["postmaster@example.org", "nobody@example.org"] {
        assert!(send_to(port, to, "for ada").unwrap());
    }
    cluster.wait_for(
        "SELECT messages = 2 FROM mailbox JOIN account ON account.id = mailbox.account WHERE account.name = 'ada@example.org'",
    );
}
