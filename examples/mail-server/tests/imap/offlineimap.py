"""offlineimap3: two-way synchronisation of two thousand messages; a second run has nothing to do; then flags, removals and
new mail from both sides."""

from sync import *

# What it says when it does something to a message.
DONE = re.compile(r"^ *(?:Copy message|Adding flags|Deleting flags|Deleting \d|ERROR|WARNING).*$", re.M)

client = emptied()
fill(client, range(0, COUNT // 2))

with tempfile.TemporaryDirectory() as home:
    local = pathlib.Path(home, "mail")
    local.mkdir()
    # Behind STARTTLS its imaplib2 breaks off once in some dozens of connections ("EOF occurred in violation of protocol"),
    # where imaplib does a thousand without, and imaplib2 itself hundreds with TLS from the first octet on: it reads and
    # writes one TLS socket from two threads. So TLS comes first where it can.
    imaps = os.environ.get("IMAPS_PORT")
    tls = f"ssl = yes\nstarttls = no\nsslcacertfile = {CERTIFICATE}" if imaps else "ssl = no\nstarttls = no"
    config = pathlib.Path(home, "offlineimaprc")
    # Every name in one folder each, `/` written as a dot: what a Maildir can hold.
    config.write_text(f"""
[general]
accounts = me
metadata = {home}/metadata
ui = basic
fsync = false
[Account me]
localrepository = here
remoterepository = there
utf8foldernames = yes
[Repository here]
type = Maildir
localfolders = {local}
sep = .
[Repository there]
type = IMAP
remotehost = {HOST}
remoteport = {imaps or PORT}
remoteuser = {USER}
remotepass = {PASSWORD.replace("%", "%%")}
auth_mechanisms = PLAIN, LOGIN
{tls}
""")

    def folder(name):
        return local / name.replace("/", ".")

    def sync():
        return run("offlineimap", "-c", str(config), "-o", HOME=home, PYTHONUTF8="1")

    for number in range(COUNT // 2, COUNT):
        put(folder(FOLDERS[number % len(FOLDERS)]), number)
    begin = time.monotonic()
    same(len(DONE.findall(sync())), COUNT, "it says what it does")
    told(f"offlineimap: {COUNT} messages both ways", begin)
    everything = wanted(range(COUNT))
    for name in FOLDERS:
        same(set(maildir_messages(folder(name))), everything[name], f"here in {name}")
    on_server = there(client)
    same({name: set(messages) for name, messages in on_server.items()}, everything, "there")
    for name in FOLDERS:
        for which, (letters, _) in maildir_messages(folder(name)).items():
            letters_there = {letter for flag, letter in (("\\Seen", "S"), ("\\Flagged", "F"), ("\\Answered", "R")) if flag in on_server[name][which]}
            same(letters, letters_there, f"{name} {which}")

    before = fingerprint(local)
    begin = time.monotonic()
    said = sync()
    told("offlineimap: nothing to do", begin)
    same(DONE.findall(said), [])
    same(fingerprint(local), before, "files")
    same(there(client), on_server, "server")

    name = FOLDERS[1]
    here = sorted(maildir_messages(folder(name)).items())
    for which, (letters, path) in here[:20]:
        path.rename(path.with_name(path.name.partition(":2,")[0] + ":2,FS"))
    for which, (letters, path) in here[20:40]:
        path.unlink()
    ok(client.select(quoted(name)))
    gone, flagged = [], []
    for number in [which[0] for which, _ in here[40:60]]:
        uid = ok(client.uid("SEARCH", "HEADER", "Message-ID", f"<{number}@example.net>"))[0].decode()
        assert uid.isdigit(), uid
        (gone if number % 2 else flagged).append(uid)
    ok(client.uid("STORE", ",".join(gone), "+FLAGS.SILENT", r"(\Deleted)"))
    ok(client.uid("STORE", ",".join(flagged), "+FLAGS.SILENT", r"(\Flagged \Answered)"))
    ok(client.expunge())
    ok(client.append(quoted(name), None, None, sent(COUNT)))
    put(folder(name), COUNT + 1)
    sync()
    left = {which for which, _ in here} - {which for which, _ in here[20:40]} - {w for w, _ in here[40:60] if w[0] % 2}
    left |= {key(sent(COUNT)), key(sent(COUNT + 1))}
    now_here, now_there = maildir_messages(folder(name)), there(client)[name]
    same(set(now_here), left, "here")
    same({which for which, flags in now_there.items() if "\\Deleted" not in flags}, left, "there")
    for which, _ in here[:20]:
        assert {"\\Flagged", "\\Seen"} <= now_there[which], now_there[which]
    for which, _ in here[40:60]:
        if which[0] % 2 == 0:
            assert {"F", "R"} <= now_here[which][0], now_here[which]
client.logout()
print("ok")
