"""Two clients in one mailbox at once: expunge and move under each other's hands, flags, IDLE, and what a client may still say
about a message that another has removed. And names that are hard to write."""

import socket
import threading
import time

from common import *


first = emptied()
second = logged_in()
ok(first.create("Shared"))
for number in range(1, 11):
    ok(first.append("Shared", None, None, message(number)))
ok(first.create("Other"))
same(ok(first.select("Shared")), [b"10"])
same(ok(second.select("Shared")), [b"10"])

# Both mark all and expunge at the same moment: all go, and each is told of each exactly once.
ok(first.store("1:4", "+FLAGS.SILENT", r"(\Deleted)"))
start = threading.Barrier(2)
faults = []


def expunge(name, client):
    try:
        start.wait()
        ok(client.expunge())
        ok(client.noop())
    except Exception as fault:
        faults.append((name, repr(fault)))


threads = [threading.Thread(target=expunge, args=pair) for pair in (("first", first), ("second", second))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
same(faults, [])
for client in (first, second):
    same(ok(client.uid("SEARCH", "ALL")), [b"5 6 7 8 9 10"])
    same(ok(client.search(None, "ALL")), [b"1 2 3 4 5 6"])

# While the first has not been told, its numbers stay what they were: message 2 is UID 6, whoever removes UID 5.
ok(second.uid("STORE", "5", "+FLAGS.SILENT", r"(\Deleted)"))
ok(second.expunge())
data = ok(first.fetch("2", "(UID)"))
assert b"UID 6" in data[0], data
found = first.fetch("1", "(UID BODY.PEEK[TEXT])")
# The removed one is left out, or its octets are still there, or it is NO [EXPUNGEISSUED]: never another's, and never BAD.
assert found[0] in ("OK", "NO") and b"UID 6" not in repr(found).encode(), found
kind, data = first.store("1:2", "+FLAGS", r"(\Flagged)")
assert kind in ("OK", "NO"), data
assert b"Flagged" in ok(second.uid("FETCH", "6", "FLAGS"))[0] or kind == "NO"
ok(first.noop())
first.untagged_responses.clear()  # what came with a NO
same(ok(first.search(None, "ALL")), [b"1 2 3 4 5"])
data = ok(first.fetch("1", "(UID)"))
assert b"UID 6" in data[0], data
same(ok(first.uid("FETCH", "5", "FLAGS")), [None])

# Both move the same message: one of them has it, and it is in the other mailbox once.
if "MOVE" in first.capabilities:
    start = threading.Barrier(2)
    kinds = {}

    def move(name, client):
        try:
            start.wait()
            kinds[name] = client.uid("MOVE", "7:8", "Other")[0]
        except Exception as fault:
            faults.append((name, repr(fault)))

    threads = [threading.Thread(target=move, args=pair) for pair in (("first", first), ("second", second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(faults, [])
    assert "OK" in kinds.values(), kinds
    for client in (first, second):
        ok(client.noop())
        same(ok(client.uid("SEARCH", "ALL")), [b"6 9 10"])
    status = ok(first.status("Other", "(MESSAGES)"))[0]
    assert b"MESSAGES 2" in status, status

# One removes the mailbox that the other is in.
ok(second.select("Other"))
ok(first.delete("Other"))
try:
    kind, data = second.uid("SEARCH", "ALL")
    assert kind in ("OK", "NO"), data
except imaplib.IMAP4.abort:
    pass  # to say BYE is a way, too (RFC 2180 section 3)
second = logged_in()
no(second.select("Other"))

# Odd names, with another writing of them beside: made here, seen there.
for name in ODD_NAMES:
    ok(first.create(quoted(name)))
    ok(second.append(quoted(name), r"(\Seen)", None, message(1)))
    ok(first.subscribe(quoted(name)))
    same(ok(first.select(quoted(name))), [b"1"], name)
there = names(second)
same([name for name in ODD_NAMES if name not in there], [], list(there))
subscribed = names(second, command=imaplib.IMAP4.lsub)
same([name for name in ODD_NAMES if name not in subscribed], [], list(subscribed))
# Parents that nobody has made need not be there, but lead there (RFC 9051 section 6.3.9).
assert "a" in names(second, pattern='"%"')
same(set(names(second, pattern='"a/%"')), {"a/b"})
ok(first.rename(quoted("two  spaces"), quoted("Größe & more")))
assert "Größe & more" in names(second) and "two  spaces" not in names(second)
ok(first.rename(quoted("Größe & more"), quoted("two  spaces")))
for wrong in ('"&ZZ"', '"a//b"', '"&AGE-"'):
    kind = first.create(wrong)[0] if wrong != '"&AGE-"' else "NO"  # an `a` in disguise: refused by some, made by others
    assert kind == "NO", wrong

# IDLE: a raw socket, for imaplib has none. DONE in any case; a command right behind it.
sock = socket.create_connection((HOST, PORT), timeout=60)
file = sock.makefile("rb")
file.readline()
if TLS:
    sock.sendall(b"t STARTTLS\r\n")
    assert file.readline().startswith(b"t OK")
    sock = TLS.wrap_socket(sock, server_hostname=HOST)
    file = sock.makefile("rb")


def until(wanted):
    lines = []
    while True:
        line = file.readline()
        assert line, (wanted, lines)
        lines.append(line)
        if wanted in line:
            return lines


sock.sendall(f'a LOGIN "{USER}" "{PASSWORD}"\r\nb SELECT Shared\r\n'.encode())
until(b"b OK")
sock.sendall(b"c IDLE\r\n")
until(b"+ ")
begin = time.monotonic()
ok(second.append("Shared", None, None, message(11)))
until(b"EXISTS")
ok(second.select("Shared"))
ok(second.uid("STORE", "6", "+FLAGS", r"(\Answered)"))
assert b"\\Answered" in until(b"FETCH")[-1]
ok(second.uid("STORE", "6", "+FLAGS.SILENT", r"(\Deleted)"))
ok(second.expunge())
until(b"* 1 EXPUNGE")
# Some servers gather news for half a second; nobody waits for minutes.
assert time.monotonic() - begin < 20, time.monotonic() - begin
sock.sendall(b"done\r\nd NOOP\r\n")
until(b"c OK")
until(b"d OK")
sock.close()
for client in (first, second):
    client.logout()
emptied().logout()
print("ok")
