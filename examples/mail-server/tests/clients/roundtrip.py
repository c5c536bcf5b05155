"""Every way in, every kind of content: what comes back by POP3 is what went in, apart from trace fields."""

import smtplib

from common import *

WAYS = {
    "lmtp": lambda: smtplib.LMTP(HOST, PORTS["lmtp"], timeout=120),
    "smtp": lambda: smtplib.SMTP(HOST, PORTS["smtp"], timeout=120),
    "submission PLAIN": lambda: submission("PLAIN"),
    "submission LOGIN": lambda: submission("LOGIN"),
    "submissions PLAIN": lambda: submissions("PLAIN"),
    "submissions LOGIN": lambda: submissions("LOGIN"),
    "submissions": lambda: submissions(),
}


def smtp_starttls():
    client = smtplib.SMTP(HOST, PORTS["smtp"], timeout=120)
    client.starttls(context=TLS)
    return client


WAYS["smtp STARTTLS"] = smtp_starttls

HEAD = b"From: a@example.net\r\nTo: b@example.net\r\nSubject: x\r\n\r\n"
CONTENTS = {
    "plain": (HEAD + b"Hello.\r\n", []),
    "8-bit": (HEAD + "Grüße, 中文\r\n".encode() + bytes(range(128, 256)) + b"\r\n", ["BODY=8BITMIME"]),
    "utf8 header": ("From: Jürgen <jürgen@example.net>\r\nSubject: Grüße\r\n\r\nx\r\n".encode(), ["SMTPUTF8", "BODY=8BITMIME"]),
    "empty": (b"", []),
    "empty body": (HEAD, []),
    "only a body": (b"\r\nonly a body\r\n", []),
    "dots": (HEAD + b".\r\n..\r\n.x\r\n...\r\n \r\n. \r\n.\r\n", []),
    "long lines": (HEAD + b"y" * 998 + b"\r\n" + b"." * 998 + b"\r\n", []),
    "blank lines": (HEAD + b"\r\n\r\n\r\n", []),
    "from lines": (HEAD + b"From me\r\n>From you\r\n", []),
}

sent = 0
for way, connect in WAYS.items():
    client = connect()
    client.ehlo()
    assert client.has_extn("8bitmime") and client.has_extn("smtputf8") and client.has_extn("pipelining"), way
    for name, (content, options) in CONTENTS.items():
        sender = "jürgen@example.net" if "SMTPUTF8" in options else "a@example.net"
        refused = client.sendmail(sender, [USER], content, mail_options=options)
        assert refused == {}, (way, name, refused)
        sent += 1
    client.quit()

expected = []
for _ in WAYS:
    # smtplib ends what does not end in CRLF with one.
    expected += [(name, content if content.endswith(b"\r\n") else content + b"\r\n") for name, (content, _) in CONTENTS.items()]
messages = emptied(pop3)
assert len(messages) == sent == len(expected), (len(messages), sent)
for (name, content), message in zip(expected, messages):
    trace, rest = without_trace(message)
    assert rest == content, (name, rest[:300], content[:300])
    assert trace.count(b"Received:") == 1, trace
assert emptied() == []
print(f"ok: {sent} messages, {len(WAYS)} ways in")
