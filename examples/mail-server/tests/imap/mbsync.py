"""mbsync (isync): two-way synchronisation of two thousand messages; a second run has nothing to do; then flags and
removals from both sides."""

from sync import *

client = emptied()
fill(client, range(0, COUNT // 2))

with tempfile.TemporaryDirectory() as home:
    local = pathlib.Path(home, "mail")
    local.mkdir()
    tls = f'SSLType STARTTLS\nCertificateFile "{CERTIFICATE}"' if CERTIFICATE else "SSLType None\nAuthMechs LOGIN"
    config = pathlib.Path(home, "mbsyncrc")
    config.write_text(f"""
IMAPAccount there
Host {HOST}
Port {PORT}
User "{USER}"
Pass "{PASSWORD}"
Timeout 300
{tls}

IMAPStore there
Account there

MaildirStore here
Path {local}/
Inbox {local}/INBOX
SubFolders Verbatim

Channel both
Far :there:
Near :here:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
CopyArrivalDate yes
""")

    def folder(name):
        # mbsync leaves names as they are on the wire, and means the same with them in both places.
        return local / encoded(name)

    def sync(*more):
        return run("mbsync", "-c", str(config), "-a", *more, HOME=home)

    def nothing_to_do():
        """A run whose commands change nothing and read no message."""
        commands = re.findall(r"^.*>>> \d+ (.*)$", sync("-Dn"), re.M)
        same(len([command for command in commands if command.startswith("SELECT")]), len(FOLDERS), commands)
        wrong = re.compile("APPEND|STORE|EXPUNGE|COPY|MOVE|CREATE|DELETE|RENAME|BODY")
        same([command for command in commands if wrong.search(command)], [])

    # Half of it is here already, in one folder that the server has and one that it has not.
    for number in range(COUNT // 2, COUNT):
        put(folder(FOLDERS[number % len(FOLDERS)]), number)
    begin = time.monotonic()
    sync()
    told(f"mbsync: {COUNT} messages both ways", begin)
    everything = wanted(range(COUNT))
    for name in FOLDERS:
        same(set(maildir_messages(folder(name))), everything[name], f"here in {name}")
    on_server = there(client)
    same({name: set(messages) for name, messages in on_server.items()}, everything, "there")
    for name in FOLDERS:
        for which, (letters, _) in maildir_messages(folder(name)).items():
            letters_there = {letter for flag, letter in (("\\Seen", "S"), ("\\Flagged", "F"), ("\\Answered", "R")) if flag in on_server[name][which]}
            same(letters, letters_there, f"{name} {which}")

    # Nothing to do, and nothing done.
    before, server_before = fingerprint(local, [".mbsyncstate", ".uidvalidity"]), there(client)
    begin = time.monotonic()
    nothing_to_do()
    told("mbsync: nothing to do", begin)
    same(fingerprint(local, [".mbsyncstate", ".uidvalidity"]), before, "files")
    same(there(client), server_before, "server")

    # Both sides change things: flags here and there, removals here and there, new mail here and there.
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
    same(set(now_there), left, "there")
    for which, _ in here[:20]:
        assert {"\\Flagged", "\\Seen"} <= now_there[which], now_there[which]
    for which, _ in here[40:60]:
        if which[0] % 2 == 0:
            assert {"F", "R"} <= now_here[which][0], now_here[which]
    nothing_to_do()
client.logout()
print("ok")
