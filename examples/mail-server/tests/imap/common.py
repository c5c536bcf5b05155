"""What the IMAP scripts share. Each is run as `SCRIPT HOST PORT USER PASSWORD [CERTIFICATE]` against any IMAP server: with a
certificate to trust it uses STARTTLS, without one it logs in in the clear. A script empties the account first."""

import base64
import imaplib
import re
import ssl
import sys

HOST, PORT, USER, PASSWORD = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
CERTIFICATE = sys.argv[5] if len(sys.argv) > 5 else None
TLS = ssl.create_default_context(cafile=CERTIFICATE) if CERTIFICATE else None

imaplib._MAXLINE = 1 << 24  # a UID SEARCH of many thousand messages is one line

# What people call folders, and what trips programs up: other alphabets, what modified UTF-7 is made of, what has to be
# quoted, what patterns and shells are made of.
ODD_NAMES = [
    "Entwürfe & Gelöschtes",
    "R&D",
    "&",
    "two  spaces",
    'say "hello"',
    "back\\slash",
    "日本語/受信箱",
    "😀 smile",
    "a/b/c/d",
    "paren(thesis) {5}",
    "plain",
    "NIL",
    "inbox2",
    "-dash",
    "tilde~ and #hash",
    "Список",
]


def encoded(name):
    """Modified UTF-7 (RFC 3501 section 5.1.3), written anew here so that nobody's mistake agrees with itself."""
    def shifted(match):
        code = base64.b64encode(match.group(0).encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
        return "&" + code.decode() + "-"
    return re.sub(r"[^\x20-\x7e]+", shifted, name.replace("&", "&-"))


def quoted(name):
    """A name as a client writes it: encoded, and in quotes."""
    return '"' + encoded(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


def decoded(name):
    """The way back."""
    def plain(match):
        if not match.group(1):
            return "&"
        code = match.group(1).replace(",", "/")
        return base64.b64decode(code + "=" * (-len(code) % 4)).decode("utf-16-be")
    return re.sub(r"&([^-]*)-", plain, name)


def connected():
    client = imaplib.IMAP4(HOST, PORT, timeout=120)
    if TLS:
        ok(client.starttls(ssl_context=TLS))
    return client


def logged_in():
    client = connected()
    ok(client.login(USER, PASSWORD))
    return client


def ok(answer):
    """The data of an answer that has to be OK."""
    kind, data = answer
    assert kind == "OK", answer
    return data


def no(answer):
    """The text of an answer that has to be NO."""
    kind, data = answer
    assert kind == "NO", answer
    return data


def same(found, wanted, what=""):
    assert found == wanted, f"{what}\nfound  {found!r}\nwanted {wanted!r}"


def names(client, reference='""', pattern='"*"', command=imaplib.IMAP4.list):
    """The decoded names and attributes that LIST tells."""
    told = {}
    for line in ok(command(client, reference, pattern)):
        if line is None:
            continue
        if isinstance(line, tuple):
            head, name = line[0], line[1].decode()
        elif line == b"":
            continue  # what stands behind a literal
        else:
            head, name = re.match(rb'(\(.*?\) (?:"(?:\\.|[^"])*"|NIL)) (.*)', line, re.S).groups()
            name = name.decode()
            if name.startswith('"'):
                name = re.sub(r"\\(.)", r"\1", name[1:-1])
        attributes = re.match(rb"\((.*?)\)", head).group(1).decode().split()
        name = decoded(name)
        assert name not in told, f"{name} twice"
        told[name] = attributes
    return told


def emptied(keep=()):
    """A logged-in client of an account with nothing in it."""
    client = logged_in()
    # Children first: a mailbox with some need not go.
    for name, attributes in sorted(names(client).items(), key=lambda entry: -len(entry[0])):
        if name.upper() != "INBOX":
            gone = client.delete(quoted(name))
            # What only stands there for its children goes with them, on some servers.
            assert gone[0] == "OK" or {"\\NonExistent", "\\Noselect"} & set(attributes), gone
    for name in names(client, command=imaplib.IMAP4.lsub):
        if name.upper() != "INBOX":
            ok(client.unsubscribe(quoted(name)))
    ok(client.select("INBOX"))
    if ok(client.search(None, "ALL"))[0]:
        ok(client.store("1:*", "+FLAGS.SILENT", r"(\Deleted)"))
    ok(client.close())
    return client


def message(number, body="The engine weaves algebraical patterns.\r\n", subject=None):
    subject = subject or f"Note {number}"
    return (
        f"From: Charles Babbage <charles@example.net>\r\nTo: Ada <ada@example.org>\r\nSubject: {subject}\r\n"
        f"Date: Mon, 23 Nov 2026 09:{number // 60 % 60:02}:{number % 60:02} +0000\r\nMessage-ID: <{number}@example.net>\r\n\r\n{body}"
    ).encode()


MULTIPART = (
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.net>\r\nTo: a@example.org, group: b@example.org, c@example.org;\r\n"
    b"Cc: \"Quoted \\\"Name\\\"\" <q@example.org>\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?= two parts\r\n"
    b"Date: Mon, 23 Nov 2026 09:59:59 +0100\r\nMessage-ID: <multi@example.net>\r\nIn-Reply-To: <1@example.net>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"outer\"\r\n\r\npreamble\r\n"
    b"--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n"
    b"--inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSch=C3=B6ne Gr=C3=BC=C3=9Fe\r\n"
    b"--inner\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<p>Sch\xf6ne</p>\r\n--inner--\r\n"
    b"--outer\r\nContent-Type: application/octet-stream; name=\"data.bin\"\r\nContent-Disposition: attachment; filename=\"data.bin\"\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nAAECAwQFBgcICQ==\r\n"
    b"--outer\r\nContent-Type: message/rfc822\r\n\r\nFrom: inner@example.net\r\nSubject: inside\r\n\r\nThe inner text.\r\n"
    b"--outer--\r\n"
)
