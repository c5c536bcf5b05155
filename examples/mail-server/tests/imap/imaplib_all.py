"""Python's imaplib: every command that it has."""

import imaplib
import time

from common import *

client = emptied()
offered = set(client.capabilities)
assert "IMAP4REV1" in offered, offered

# Any state.
ok(client.noop())
same(set(ok(client.capability())[0].decode().upper().split()) >= {"IMAP4REV1", "UIDPLUS"}, True)
if "NAMESPACE" in offered:
    assert ok(client.namespace())[0].startswith(b'(("" "/"))'), ok(client.namespace())
if "ID" in offered:
    ok(client.xatom("ID", '("name" "imaplib" "version" NIL)'))
    ok(client.xatom("ID", "NIL"))

# Mailboxes.
ok(client.create("Work"))
no(client.create("Work"))
no(client.create("INBOX"))
ok(client.create("Work/2026/"))
same(set(names(client)) >= {"INBOX", "Work", "Work/2026"}, True, names(client))
assert "\\HasChildren" in names(client)["Work"], names(client)
same(set(names(client, pattern="%")) & {"Work", "Work/2026"}, {"Work"})
same(set(names(client, '"Work/"', "%")), {"Work/2026"})
ok(client.subscribe("Work"))
same(set(names(client, command=imaplib.IMAP4.lsub)) - {"INBOX"}, {"Work"})
ok(client.unsubscribe("Work"))
same(set(names(client, command=imaplib.IMAP4.lsub)) - {"INBOX"}, set())
ok(client.rename("Work", "Play"))
same(set(names(client)) & {"Work", "Work/2026", "Play", "Play/2026"}, {"Play", "Play/2026"})
no(client.rename("Nowhere", "Else"))
no(client.delete("Nowhere"))
no(client.select("Nowhere"))
same(client.state, "AUTH")

# APPEND, with everything and with nothing.
date = imaplib.Time2Internaldate(1795424400)
for number in range(1, 6):
    ok(client.append("Play", r"(\Seen $Label)" if number % 2 else None, date if number < 3 else None, message(number)))
told = client.append("Nowhere", None, None, message(1))
assert "TRYCREATE" in no(told)[0].decode(), told
status = ok(client.status("Play", "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY RECENT)"))[0].decode()
assert "MESSAGES 5" in status and "UNSEEN 2" in status and "UIDNEXT 6" in status, status

# SELECT and EXAMINE.
same(ok(client.select("Play", readonly=True)), [b"5"])
assert client.is_readonly
# Dovecot says OK to this and does nothing.
client.store("1", "+FLAGS", r"(\Deleted)")
assert b"Deleted" not in ok(client.fetch("1", "FLAGS"))[0]
same(ok(client.select("Play")), [b"5"])
flags = client.response("FLAGS")[1][0].decode()
assert "\\Deleted" in flags and "$Label" in flags, flags
assert "\\*" in client.response("PERMANENTFLAGS")[1][0].decode()
same(client.response("UIDNEXT")[1], [b"6"])
validity = client.response("UIDVALIDITY")[1]
assert int(validity[0]) > 0
ok(client.check())
client.recent()

# FETCH.
data = ok(client.fetch("1:2", "(FLAGS INTERNALDATE RFC822.SIZE UID)"))
assert len(data) == 2 and b"RFC822.SIZE %d" % len(message(1)) in data[0], data
assert set(imaplib.ParseFlags(data[0])) >= {b"\\Seen", b"$Label"}, data
same(time.mktime(imaplib.Internaldate2tuple(data[0])), 1795424400.0)
same(ok(client.fetch("3", "RFC822"))[0][1], message(3))
same(ok(client.fetch("2", "BODY.PEEK[]"))[0][1], message(2))
assert b"Seen" not in ok(client.fetch("2", "FLAGS"))[0]
same(ok(client.fetch("2", "BODY[TEXT]"))[0][1], b"The engine weaves algebraical patterns.\r\n")
assert b"Seen" in ok(client.fetch("2", "FLAGS"))[0]
same(ok(client.fetch("2", "BODY.PEEK[]<5.7>"))[0][1], message(2)[5:12])
same(ok(client.fetch("4", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))[0][1], b"Subject: Note 4\r\n\r\n")
envelope = ok(client.fetch("5", "ENVELOPE"))[0]
assert b'"Note 5" (("Charles Babbage" NIL "charles" "example.net"))' in envelope, envelope
for macro in ("ALL", "FAST", "FULL", "BODY", "BODYSTRUCTURE"):
    assert len(ok(client.fetch("1:*", macro))) >= 5
ok(client.append("Play", None, None, MULTIPART))
ok(client.noop())
structure = ok(client.fetch("6", "BODYSTRUCTURE"))[0]
assert b'"ALTERNATIVE"' in structure.upper() and b'"RFC822"' in structure.upper(), structure
same(ok(client.fetch("6", "BODY.PEEK[1.1]"))[0][1], b"Sch=C3=B6ne Gr=C3=BC=C3=9Fe")
same(ok(client.fetch("6", "BODY.PEEK[2]"))[0][1], b"AAECAwQFBgcICQ==")
same(ok(client.fetch("6", "BODY.PEEK[1.1.MIME]"))[0][1].split(b"\r\n")[0], b"Content-Type: text/plain; charset=utf-8")
same(ok(client.fetch("6", "BODY.PEEK[3.HEADER]"))[0][1], b"From: inner@example.net\r\nSubject: inside\r\n\r\n")
same(ok(client.fetch("6", "BODY.PEEK[3.TEXT]"))[0][1], b"The inner text.")
if "BINARY" in offered:
    same(ok(client.fetch("6", "BINARY.PEEK[2]"))[0][1], bytes(range(10)))
    assert b"BINARY.SIZE[2] 10" in ok(client.fetch("6", "BINARY.SIZE[2]"))[0]
same(ok(client.uid("FETCH", "99", "FLAGS")), [None])

# STORE.
data = ok(client.store("1:2", "+FLAGS", r"(\Flagged custom)"))
same([b"custom" in line and b"\\Flagged" in line for line in data], [True, True], data)
same(ok(client.store("1", "-FLAGS.SILENT", "custom")), [None])
assert b"custom" not in ok(client.fetch("1", "FLAGS"))[0]
data = ok(client.uid("STORE", "3", "FLAGS", r"(\Answered)"))
assert b"UID 3" in data[0] and b"Answered" in data[0] and b"$Label" not in data[0], data

# SEARCH.
def found(*keys):
    return ok(client.uid("SEARCH", *keys))[0].decode()

same(found("ALL"), "1 2 3 4 5 6")
same(found("FLAGGED"), "1 2")
same(found("NOT", "SEEN", "UNANSWERED"), "4 6")
same(found("OR", "KEYWORD", "custom", "ANSWERED"), "2 3")
same(found("SUBJECT", '"Note 4"'), "4")
same(found("FROM", "babbage"), "1 2 3 4 5")
same(found("TEXT", "ALGEBRAICAL"), "1 2 3 4 5")
same(found("HEADER", "Message-ID", "<2@example.net>"), "2")
same(found("LARGER", str(len(message(1)))), "6")
same(found("UID", "2:3,5"), "2 3 5")
same(found("4:*"), "4 5 6")
same(found("SENTSINCE", "23-Nov-2026"), "1 2 3 4 5 6")
same(found("BEFORE", "1-Jan-2000"), "")
same(ok(client.search("UTF-8", "ALL"))[0], b"1 2 3 4 5 6")
client.literal = "Grüße".encode()
same(ok(client.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT"))[0], b"6")
client.literal = "Schöne".encode()
same(ok(client.uid("SEARCH", "CHARSET", "UTF-8", "BODY"))[0], b"6")
no(client.search("X-NO-SUCH", "SUBJECT", "x"))
for command, capability in (("sort", "SORT"), ("thread", "THREAD=REFERENCES")):
    if capability in offered:
        how = "(REVERSE SUBJECT)" if command == "sort" else "REFERENCES"
        ok(getattr(client, command)(how, "UTF-8", "ALL"))

# COPY, MOVE, EXPUNGE, CLOSE, UNSELECT.
ok(client.create("Else"))
ok(client.copy("1:3", "Else"))
assert "TRYCREATE" in no(client.copy("1", "Nowhere"))[0].decode()
data = ok(client.uid("COPY", "4", "Else"))
same(client.response("COPYUID")[1][-1].decode().split()[1:], ["4", "4"])
if "MOVE" in offered:
    ok(client.xatom("MOVE", "5", "Else"))
    same(found("ALL"), "1 2 3 4 6")
ok(client.store("2:3", "+FLAGS.SILENT", r"(\Deleted)"))
same(client.expunge()[0], "OK")
same(found("ALL"), "1 4 6" if "MOVE" in offered else "1 4 5 6")
ok(client.store("1", "+FLAGS.SILENT", r"(\Deleted)"))
if "UIDPLUS" in offered:
    ok(client.uid("EXPUNGE", "2:6"))
    assert "1" in found("ALL").split()
if "UNSELECT" in offered:
    ok(client.unselect())
    ok(client.select("Play"))
    assert "1" in found("ALL").split()
ok(client.close())
same(client.state, "AUTH")
same(ok(client.select("Else")), [b"5" if "MOVE" in offered else b"4"])
assert b"$Label" in ok(client.fetch("1", "FLAGS"))[0]
ok(client.select("Play"))
assert "1" not in found("ALL").split()
for name in ("getquotaroot", "myrights", "getacl"):
    capability = {"getquotaroot": "QUOTA"}.get(name, "ACL")
    if capability in offered:
        ok(getattr(client, name)("INBOX"))
if "ENABLE" in offered and "CONDSTORE" in offered:
    ok(client.enable("CONDSTORE"))
    assert b"MODSEQ" in ok(client.fetch("1", "(FLAGS MODSEQ)"))[0]
ok(client.delete("Else"))
ok(client.unselect() if "UNSELECT" in offered else client.close())
ok(client.delete("Play/2026"))
ok(client.delete("Play"))
same({"Play", "Else", "Play/2026"} & set(names(client)), set())
kind, data = client.logout()
same(kind, "BYE")

# The other ways in, and a wrong password.
for mechanism in sorted(capability[5:] for capability in offered if capability.startswith("AUTH=")):
    if mechanism == "PLAIN":
        client = connected()
        ok(client.authenticate("PLAIN", lambda _: b"\0" + USER.encode() + b"\0" + PASSWORD.encode()))
        client.logout()
    elif mechanism == "LOGIN":
        client, answers = connected(), [USER.encode(), PASSWORD.encode()]
        ok(client.authenticate("LOGIN", lambda _: answers.pop(0)))
        client.logout()
    elif mechanism == "CRAM-MD5":
        client = connected()
        ok(client.login_cram_md5(USER, PASSWORD))
        client.logout()
client = connected()
try:
    client.login(USER, PASSWORD + "x")
    raise SystemExit("a wrong password is taken")
except imaplib.IMAP4.error as error:
    assert PASSWORD not in str(error), "the password is told"
ok(client.login(USER, PASSWORD))
with client:
    ok(client.select())
same(client.state, "LOGOUT")
print("ok")
