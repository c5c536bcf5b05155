"""curl: what its IMAP URLs and -X can do."""

import subprocess
import tempfile
import urllib.parse

from common import *

emptied().logout()
BASE = f"imap://{HOST}:{PORT}/"


def curl(path, *more, fails=False):
    tls = ["--ssl-reqd", "--cacert", CERTIFICATE] if CERTIFICATE else []
    # Percent-encoded twice over by nobody: the name is sent as it is, so it is given as it is on the wire.
    command = ["curl", "-sS", "--max-time", "60", "-u", f"{USER}:{PASSWORD}", *tls, BASE + path, *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode != 0) == fails, (command[7:], done)
    return done.stdout


def path(name):
    return urllib.parse.quote(encoded(name), safe="/")


assert b"INBOX" in curl("")
folders = ["plain", "Entwürfe & Gelöschtes", "two words", 'say "hello"', "A/B"]
for folder in folders:
    curl("", "-X", f"CREATE {quoted(folder)}")
listed = curl("", "-X", 'LIST "" "*"').decode()
for folder in folders:
    assert quoted(folder) in listed or encoded(folder) in listed or quoted(folder)[1:-1] in listed, (folder, listed)
with tempfile.NamedTemporaryFile() as file:
    for number, folder in enumerate(folders):
        for content in (message(number), MULTIPART):
            file.seek(0)
            file.truncate()
            file.write(content)
            file.flush()
            curl(path(folder), "-T", file.name)
    curl("Nowhere", "-T", file.name, fails=True)
for number, folder in enumerate(folders):
    same(curl(path(folder) + ";MAILINDEX=1"), message(number), folder)
    same(curl(path(folder) + ";UID=2"), MULTIPART, folder)
same(curl("plain;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)"), b"Subject: Note 0\r\n\r\n")
same(curl("plain;UID=2;SECTION=1.1"), b"Sch=C3=B6ne Gr=C3=BC=C3=9Fe")
same(curl("plain;UID=1;SECTION=TEXT"), b"The engine weaves algebraical patterns.\r\n")
same(curl("plain?ALL").strip(), b"* SEARCH 1 2")
same(curl("plain?SUBJECT%20Note").strip(), b"* SEARCH 1")
assert b"\\Flagged" in curl("plain", "-X", r"STORE 1 +FLAGS (\Flagged)")
assert b"\\Flagged" in curl("plain", "-X", "FETCH 1:* (UID FLAGS)")
assert b"MESSAGES 2" in curl("", "-X", "STATUS plain (MESSAGES)")
assert b"EXISTS" in curl("", "-X", "EXAMINE plain")
curl("plain", "-X", "UID COPY 1 A/B")
same(curl("A/B;MAILINDEX=3"), message(0))
curl("plain;MAILINDEX=9", fails=True)
curl("Nowhere;MAILINDEX=1", fails=True)
curl("", "-X", "NOOP")
curl("", "-u", f"{USER}:{PASSWORD}x", fails=True)
emptied().logout()
print("ok")
