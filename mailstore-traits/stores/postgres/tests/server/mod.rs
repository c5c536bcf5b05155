//! A PostgreSQL of the tests' own: one for each test program, a database for each test.
//!
//! Without PostgreSQL (Debian: `postgresql`) the tests are skipped, and said to be; with `CI=true` they fail.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Makes a database server in a folder of its own, and removes both when its input ends: whoever started it may have been
/// killed, and leaves nothing behind.
const SCRIPT: &str = r#"
set -e
folder=$(mktemp -d "${TMPDIR:-/tmp}/pillarbox-pg.XXXXXX")
end() { "$1/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"; }
trap 'end "$1"' EXIT
trap '' INT HUP
"$1/initdb" -D "$folder/data" -A trust -U pillarbox -E UTF8 --no-locale -N >/dev/null
cat >>"$folder/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$folder'
max_connections = 300
shared_buffers = 64MB
fsync = $2
full_page_writes = $2
END
"$1/pg_ctl" -D "$folder/data" -l "$folder/log" -w start >/dev/null
echo "$folder"
cat >/dev/null
"#;

/// A server that runs; ended when this process ends.
pub(crate) struct Server {
    programs: PathBuf,
    folder: String,
    next: AtomicU32,
    /// The script ends with its input.
    _script: Child,
}

/// Where PostgreSQL's programs are: Debian keeps them out of everybody's path.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.starts_with(b"0\n"))
}

/// A command of PostgreSQL's, which refuses to work for the superuser, as a user that it works for.
fn as_user(program: &std::ffi::OsStr) -> Command {
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

impl Server {
    fn start(fsync: bool) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "PostgreSQL is not installed, and CI wants it tested"
            );
            eprintln!("SKIPPED: PostgreSQL is not installed (Debian: apt-get install postgresql)");
            return None;
        };
        let mut child: Child = as_user("sh".as_ref())
            .args(["-c", SCRIPT, "sh"])
            .arg(&programs)
            .arg(if fsync { "on" } else { "off" })
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut folder = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut folder).expect("it says where it is");
        if folder.is_empty() {
            let mut said = String::new();
            let _ = child.stderr.take().expect("piped").read_to_string(&mut said);
            panic!("PostgreSQL does not start: {said}");
        }
        Some(Self { programs, folder: folder.trim_end().to_owned(), next: AtomicU32::new(0), _script: child })
    }

    /// The URL of a database of that name.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://pillarbox@{}/{database}", self.folder.replace('/', "%2F"))
    }

    /// A new, empty database.
    pub(crate) async fn database(&self) -> String {
        let name = format!("test{}", self.next.fetch_add(1, Ordering::Relaxed));
        let client = connect(&self.url("postgres")).await;
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        self.url(&name)
    }

    /// Adds lines to the server's settings, and starts it anew.
    pub(crate) fn set(&self, lines: &str) {
        use std::io::Write;
        let path = format!("{}/data/postgresql.conf", self.folder);
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
        drop(file);
        self.control(&["restart"]);
    }

    /// A file in the server's folder that only the server may read.
    #[cfg(unix)]
    pub(crate) fn keep(&self, name: &str, text: &str) {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        let folder = format!("{}/data", self.folder);
        let owner = std::fs::metadata(&folder).unwrap();
        let path = format!("{folder}/{name}");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    /// Does that to the server.
    pub(crate) fn control(&self, what: &[&str]) {
        let done = as_user(self.programs.join("pg_ctl").as_os_str())
            .arg("-D")
            .arg(format!("{}/data", self.folder))
            .args(["-l", &format!("{}/log", self.folder), "-w"])
            .args(what)
            .current_dir("/")
            .stdout(Stdio::null())
            .status();
        assert!(done.unwrap().success(), "pg_ctl {what:?}");
    }
}

/// This program's server; `None` without PostgreSQL.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(false)).as_ref()
}

/// One that keeps what it says is kept, too, if the machine goes down.
pub(crate) fn durable_server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(true)).as_ref()
}

/// One that can be stopped under a test's store, for nobody else uses it.
pub(crate) fn server_to_stop() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(false)).as_ref()
}

/// A connection to look behind the store's back.
pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET search_path = pillarbox").await.unwrap();
    client
}
