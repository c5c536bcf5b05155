"""What the client scripts share: where the server is, what is sent, and how what comes back is compared."""

import json
import poplib
import re
import smtplib
import ssl
import sys

poplib._MAXLINE = 1 << 20  # lines of 998 octets are legal; its own limit is lower than some of ours

CONFIG = json.load(open(sys.argv[1]))
HOST = "127.0.0.1"
USER, PASSWORD = CONFIG["user"], CONFIG["password"]
PORTS = CONFIG["ports"]
TLS = ssl.create_default_context(cafile=CONFIG["certificate"])
LIMIT = 36 * 1024 * 1024

# The trace fields that a delivery puts in front (RFC 5321 section 4.4), and nothing else.
TRACE = re.compile(rb"\A(?:(?:Return-Path|Received|Delivered-To):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+", re.I)


def submission(mechanism=None):
    """A session on the submission port: STARTTLS, then login."""
    client = smtplib.SMTP(HOST, PORTS["submission"], timeout=120)
    client.starttls(context=TLS)
    return logged_in(client, mechanism)


def submissions(mechanism=None):
    """A session on the submissions port: TLS from the first octet, then login."""
    return logged_in(smtplib.SMTP_SSL(HOST, PORTS["submissions"], context=TLS, timeout=120), mechanism)


def logged_in(client, mechanism):
    client.ehlo()
    if mechanism is None:
        client.login(USER, PASSWORD)
    else:
        client.user, client.password = USER, PASSWORD
        code, text = client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))
        assert code == 235, (code, text)
    return client


def pop3s():
    """A maildrop, over TLS."""
    client = poplib.POP3_SSL(HOST, PORTS["pop3s"], context=TLS, timeout=120)
    client.utf8()
    client.user(USER)
    client.pass_(PASSWORD)
    return client


def pop3():
    """A maildrop, over STLS."""
    client = poplib.POP3(HOST, PORTS["pop3"], timeout=120)
    client.stls(context=TLS)
    client.utf8()
    client.user(USER)
    client.pass_(PASSWORD)
    return client


def octets(client, number):
    """A message as it came."""
    return b"".join(line + b"\r\n" for line in client.retr(number)[1])


def without_trace(message, sent_by_smtp=True):
    """The message without what the delivery put in front of it."""
    trace = TRACE.match(message)
    assert trace, message[:300]
    assert message.lower().startswith(b"return-path:"), message[:100]
    return trace.group(0), message[trace.end():]


def emptied(open_maildrop=pop3s):
    """Everything in the maildrop, which is empty afterwards."""
    client = open_maildrop()
    count, size = client.stat()
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    messages = [octets(client, number) for number in range(1, count + 1)]
    assert [len(message) for message in messages] == sizes, (sizes, [len(m) for m in messages])
    assert sum(sizes) == size
    for number in range(1, count + 1):
        client.dele(number)
    client.quit()
    return messages
