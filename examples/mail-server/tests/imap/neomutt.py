"""neomutt, with no terminal but its commands pushed: it reads, flags, copies, moves and deletes, in folders with odd names."""

from sync import *

import pty
import select
import signal

client = emptied()
ODD = "Entwürfe & Gelöschtes"
ok(client.create("Target"))
ok(client.create(quoted(ODD)))
for number in range(1, 11):
    ok(client.append("INBOX", None, None, message(number)))
    ok(client.append(quoted(ODD), None, None, message(100 + number)))


def mutt(home, folder, keys):
    """Runs it on a terminal of its own with these keys; it quits by itself, or the test fails."""
    tls = f'set ssl_starttls=yes\nset ssl_force_tls=yes\nset certificate_file="{CERTIFICATE}"' if CERTIFICATE else "set ssl_starttls=no\nset ssl_force_tls=no"
    config = pathlib.Path(home, "neomuttrc")
    config.write_text(f"""
set imap_user="{USER}"
set imap_pass="{PASSWORD}"
set folder="imap://{HOST}:{PORT}/"
set spoolfile="imap://{HOST}:{PORT}/{folder}"
{tls}
set header_cache="{home}/cache"
set charset=utf-8
set sort=mailbox-order
set mark_old=no
set confirmappend=no
set delete=yes
set move=no
set quit=yes
set wait_key=no
set pager_stop=yes
set imap_check_subscribed=no
set abort_key="\\Cg"
push "{keys}"
""")
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(HOME=home, TERM="xterm", LANG="C.UTF-8", LC_ALL="C.UTF-8", COLUMNS="120", LINES="40")
        os.execvp("neomutt", ["neomutt", "-F", str(config)])
    shown, end = b"", time.monotonic() + 60
    try:
        while time.monotonic() < end:
            ready, _, _ = select.select([terminal], [], [], 1)
            if ready:
                try:
                    shown += os.read(terminal, 65536)
                except OSError:
                    break  # it has closed its terminal
        else:
            os.kill(pid, signal.SIGKILL)
            raise SystemExit(f"neomutt does not end\n{shown[-3000:].decode(errors='replace')}")
    finally:
        _, status = os.waitpid(pid, 0)
    assert status == 0, (status, shown[-3000:])
    return shown.decode(errors="replace")


def subjects(folder, *keys):
    """Which notes a folder has that match."""
    ok(client.select(quoted(folder), readonly=True))
    found = ok(client.search(None, *keys))[0].split()
    told = [ok(client.fetch(number, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))[0][1] for number in found]
    client.close()
    return sorted(int(re.search(rb"Note (\d+)", subject).group(1)) for subject in told)


with tempfile.TemporaryDirectory() as home:
    target = f"imap://{HOST}:{PORT}/Target"
    # 1: read. 2: flag. 3: delete. 4: copy. 5: save, which moves. Then leave, which expunges.
    shown = mutt(
        home, "INBOX",
        f"<first-entry><display-message><exit><jump>2<enter><flag-message><jump>3<enter><delete-message>"
        f"<jump>4<enter><copy-message><kill-line>{target}<enter><jump>5<enter><save-message><kill-line>{target}<enter>"
        f"<quit>",
    )
    same(subjects("INBOX", "ALL"), [1, 2, 4, 6, 7, 8, 9, 10], shown[-2000:])
    same(subjects("INBOX", "FLAGGED"), [2])
    assert 1 in subjects("INBOX", "SEEN")
    same(subjects("Target", "ALL"), [4, 5])
    # An odd name, and what a pattern matches.
    mutt(home, ODD, "<delete-pattern>~s 'Note 10[1-3]'<enter><tag-pattern>~s 'Note 10[45]'<enter><tag-prefix><flag-message><quit>")
    same(subjects(ODD, "ALL"), [104, 105, 106, 107, 108, 109, 110])
    same(subjects(ODD, "FLAGGED"), [104, 105])
    # A search that the server does, and the header cache of the first time.
    mutt(home, "INBOX", "<delete-pattern>=b algebraical<enter><quit>")
    same(subjects("INBOX", "ALL"), [])
client.logout()
emptied().logout()
print("ok")
