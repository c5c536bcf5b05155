"""Prints what an IMAP client would keep of an account, in an order that is always the same.

    state.py HOST PORT USER PASSWORD CERTIFICATE
"""

import imaplib
import ssl
import sys

host, port, user, password, certificate = sys.argv[1:]
client = imaplib.IMAP4(host, int(port))
client.starttls(ssl.create_default_context(cafile=certificate))
client.login(user, password)
_, subscribed = client.lsub()
print("subscribed", sorted(line for line in subscribed if line))
_, listed = client.list()
for line in sorted(listed):
    name = line.decode().split(' "/" ')[1]
    assert client.select(name, readonly=True)[0] == "OK", name
    told = {code: client.response(code)[1] for code in ("UIDVALIDITY", "UIDNEXT", "EXISTS")}
    print(line.decode(), told)
    _, found = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY.PEEK[])")
    for piece in found:
        if piece is not None:
            # What is recent is so to one session and to no other: no client keeps it.
            print(repr(piece).replace(" \\\\Recent", "").replace("\\\\Recent", ""))
client.logout()
