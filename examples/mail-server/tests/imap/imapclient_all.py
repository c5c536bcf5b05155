"""imapclient (PyPI): what programs that are built on it do, IDLE and odd names among it."""

import datetime

from common import *

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

emptied().logout()


def session():
    client = IMAPClient(HOST, PORT, use_uid=True, ssl=False, timeout=60)
    if TLS:
        client.starttls(ssl_context=TLS)
    client.login(USER, PASSWORD)
    return client


client = session()
if client.has_capability("ID"):
    client.id_({"name": "imapclient"})
if client.has_capability("NAMESPACE"):
    same(client.namespace().personal[0][1], "/")

# Names: made, listed, subscribed, selected, renamed, deleted.
for name in ODD_NAMES:
    client.create_folder(name)
    client.subscribe_folder(name)
listed = {name for _, separator, name in client.list_folders()}
same(set(ODD_NAMES) - listed, set(), "LIST")
same(set(ODD_NAMES) - {name for _, _, name in client.list_sub_folders()}, set(), "LSUB")
for number, name in enumerate(ODD_NAMES):
    assert client.folder_exists(name), name
    client.append(name, message(number), [r"\Seen"], datetime.datetime(2026, 11, 23, 10, 0, tzinfo=datetime.timezone.utc))
    info = client.select_folder(name)
    same(info[b"EXISTS"], 1, name)
    same(client.fetch([1], ["BODY.PEEK[]"])[1][b"BODY[]"], message(number), name)
    same(client.folder_status(name, ["MESSAGES"])[b"MESSAGES"], 1)
    client.unselect_folder()
client.rename_folder("plain", "Größe")
assert client.folder_exists("Größe") and not client.folder_exists("plain")
client.rename_folder("a", "A & B")
assert client.folder_exists("A & B/b/c/d"), client.list_folders()
client.rename_folder("A & B", "a")
client.rename_folder("Größe", "plain")
# Some servers keep a parent that was never made itself.
for name in sorted(ODD_NAMES, key=len, reverse=True):
    client.unsubscribe_folder(name)
    client.delete_folder(name)
    assert not any(name == told and b"\\Noselect" not in flags for flags, _, told in client.list_folders()), name
emptied().logout()

# Flags.
for number in range(1, 8):
    client.append("INBOX", message(number), ["$Work"] if number == 1 else [])
client.append("INBOX", MULTIPART)
info = client.select_folder("INBOX")
same(info[b"EXISTS"], 8)
uids = client.search()
same(len(uids), 8)
client.add_flags(uids[:3], [r"\Flagged", "custom"])
client.remove_flags(uids[0], [r"\Flagged"])
client.set_flags(uids[4], [r"\Answered", r"\Draft"])
flags = client.get_flags(uids)
assert b"$Work" in flags[uids[0]] and rb"\Flagged" not in flags[uids[0]] and rb"\Flagged" in flags[uids[1]], flags
same({flag for flag in flags[uids[4]] if flag != rb"\Recent"}, {rb"\Answered", rb"\Draft"})

# FETCH.
got = client.fetch(uids, ["ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "RFC822.SIZE", "FLAGS", "UID"])
same(got[uids[0]][b"ENVELOPE"].subject, b"Note 1")
same(got[uids[0]][b"ENVELOPE"].from_[0].mailbox, b"charles")
same(got[uids[0]][b"RFC822.SIZE"], len(message(1)))
assert got[uids[7]][b"BODYSTRUCTURE"].is_multipart
assert got[uids[7]][b"ENVELOPE"].date
groups = got[uids[7]][b"ENVELOPE"].to
same([address.mailbox for address in groups], [b"a", b"group", b"b", b"c", None])

# SEARCH.
same(client.search(["FLAGGED"]), uids[1:3])
same(client.search(["SUBJECT", "Grüße"], charset="UTF-8"), [uids[7]])
same(client.search(["BODY", "Schöne"], charset="UTF-8"), [uids[7]])
same(client.search(["NOT", ["OR", ["KEYWORD", "$Work"], ["FLAGGED"]], "SMALLER", 500]), uids[3:7])
same(client.search(["SINCE", datetime.date(2000, 1, 1), "BEFORE", datetime.date(2001, 1, 1)]), [])
same(client.search(["TEXT", 'quote " and \\ backslash']), [])
if client.has_capability("CONDSTORE"):
    assert client.search(["MODSEQ", 1]).modseq
    assert client.fetch(uids[0], ["MODSEQ"])[uids[0]][b"MODSEQ"]
for capability, ask in (("SORT", lambda: client.sort("SUBJECT")), ("THREAD=REFERENCES", lambda: client.thread("REFERENCES"))):
    if client.has_capability(capability):
        ask()

# COPY, MOVE, EXPUNGE.
client.create_folder("Target")
client.copy(uids[:2], "Target")
if client.has_capability("MOVE"):
    client.move(uids[2:4], "Target")
else:
    client.copy(uids[2:4], "Target")
    client.delete_messages(uids[2:4])
    client.expunge()
same(client.search(), uids[:2] + uids[4:])
client.delete_messages(uids[:2])
if client.has_capability("UIDPLUS"):
    client.uid_expunge(uids[1:2])
    same(client.search(), uids[:1] + uids[4:])
client.expunge()
same(client.search(), uids[4:])
same(client.folder_status("Target", ["MESSAGES"])[b"MESSAGES"], 4)

# IDLE: another session's news while this one waits.
client.select_folder("Target")
client.idle()
same(client.idle_check(timeout=0.2), [])

other = session()


def heard(what):
    """Waits until it is told."""
    told = []
    for _ in range(60):
        told += client.idle_check(timeout=1)
        if any(what(entry) for entry in told):
            return
    raise SystemExit(f"IDLE told only {told}")


other.append("Target", message(9))
heard(lambda entry: entry[:2] == (5, b"EXISTS"))
other.select_folder("Target")
other.add_flags(other.search()[:1], [r"\Flagged"])
heard(lambda entry: entry[:2] == (1, b"FETCH") and rb"\Flagged" in entry[2][entry[2].index(b"FLAGS") + 1])
other.delete_messages(other.search()[1:2])
other.expunge()
heard(lambda entry: entry[:2] == (2, b"EXPUNGE"))
other.logout()
client.idle_done()
same(len(client.search()), 4)
client.close_folder()
client.delete_folder("Target")
try:
    client.select_folder("Target")
    raise SystemExit("it is still there")
except IMAPClientError:
    pass
client.logout()
print("ok")
