"""An address, a password and a header in letters that are not ASCII (RFC 6531, RFC 6532)."""

import smtplib

from common import *

NAME, SECRET = "jürgen@müller.example", "Passwörter sind länger"
content = "From: Zoë <zoë@example.net>\r\nTo: Jürgen <jürgen@müller.example>\r\nSubject: Grüße\r\n\r\nÄÖÜ 中文\r\n".encode()

client = smtplib.SMTP(HOST, PORTS["smtp"], timeout=60)
client.ehlo()
client.sendmail("zoë@example.net", [NAME, "JÜRGEN+tag@müller.example"], content, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
# Without SMTPUTF8 such an address is not one.
client.docmd("MAIL FROM:<a@example.net>")
client.send(f"RCPT TO:<{NAME}>\r\n".encode())
code = client.getreply()[0]
assert 500 <= code < 600, code
client.quit()

# Whether a client says UTF8 or not, it gets what was sent: most do not know it, and delete what they have fetched.
for utf8 in [True, False]:
    client = poplib.POP3_SSL(HOST, PORTS["pop3s"], context=TLS, timeout=60)
    if utf8:
        client.utf8()
    client.user(NAME)
    client.pass_(SECRET)
    count = client.stat()[0]
    assert count == 1, count
    message = octets(client, 1)
    assert len(message) == int(client.list(1).split()[2])
    assert without_trace(message)[1] == content, (message, content)
    client.quit()
print("ok: an address in letters of its own")
