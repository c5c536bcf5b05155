//! A server to drive with other people's programs, and whether they are there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Server, program, run, text};

/// Whether a program is there to test with.
pub(crate) fn is_there(name: &str, probe: &str) -> bool {
    let found = Command::new(name).arg(probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{name} is not installed, and CI wants every client tested");
    eprintln!("skipped: {name} is not installed");
    false
}

/// Whether this is root, where something else needs that.
pub(crate) fn must_be_root(what: &str) -> bool {
    let output = run(
        {
            let mut id = Command::new("id");
            id.arg("-u");
            id
        },
        "",
    );
    if text(&output.stdout).trim() == "0" {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what} needs root, and CI wants every test");
    eprintln!("skipped: {what} needs root");
    false
}

/// A server with its folder and its first account, `me`.
pub(crate) struct Host {
    pub(crate) folder: TempDir,
    pub(crate) server: Server,
    pub(crate) password: String,
    pub(crate) app_password: String,
}

impl Host {
    pub(crate) fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let data = folder.path().join("data");
        let server = Server::start(&data, &[&["--domain", "example.org", "--domain", "localhost"], more].concat());
        let password = server.password.clone().expect("a first start");
        let mut command = program(&data);
        command.args(["account", "app-password", "add", "me", "client"]);
        let app_password = text(&run(command, "").stdout).trim().to_owned();
        Self { folder, server, password, app_password }
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    /// Runs one of the scripts.
    pub(crate) fn python(&self, script: &str) {
        if !is_there("python3", "--version") {
            return;
        }
        let ports: Vec<String> = self.server.ports.iter().map(|(role, port)| format!("\"{role}\": {port}")).collect();
        let config = format!(
            "{{\"user\": \"{}\", \"password\": \"{}\", \"app_password\": \"{}\", \"certificate\": \"{}\", \"ports\": {{{}}}}}",
            self.server.user,
            self.password,
            self.app_password,
            self.server.certificate().display(),
            ports.join(", ")
        );
        let config = self.file("config.json", config.as_bytes());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
        let mut command = Command::new("python3");
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1").arg(&script).arg(&config);
        self.succeeds(command, "");
    }

    pub(crate) fn succeeds(&self, command: Command, input: &str) -> Vec<u8> {
        let named = format!("{command:?}");
        let output = run(command, input);
        let (told, wrong) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{named}: {:?}\n{told}\n{wrong}", output.status.code());
        output.stdout
    }

    /// Makes one more account.
    pub(crate) fn add(&self, name: &str) {
        let mut command = program(&self.server.data);
        command.args(["account", "add", name, "--password-stdin"]);
        self.succeeds(command, "correct horse battery\n");
    }

    /// What the first account has, through a way that no client had a part in.
    pub(crate) fn exported(&self) -> Vec<Vec<u8>> {
        self.exported_of("me")
    }

    /// What an account has.
    pub(crate) fn exported_of(&self, account: &str) -> Vec<Vec<u8>> {
        let to =
            self.folder.path().join(format!("out-{}", std::fs::read_dir(self.folder.path()).expect("there").count()));
        let mut command = program(&self.server.data);
        command.args(["export", account, "--format", "eml"]).arg(&to);
        self.succeeds(command, "");
        let mut files: Vec<_> =
            std::fs::read_dir(&to).expect("there").map(|entry| entry.expect("there").path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read(file).expect("there")).collect()
    }
}
