"""Mail is taken for the server's own domains and nobody else's, and only with login on the submission ports."""

import smtplib

from common import *

DOMAIN = USER.split("@")[1]


def answer(client, recipient, sender="<a@example.net>"):
    client.docmd("RSET")
    assert client.docmd(f"MAIL FROM:{sender}")[0] == 250
    return client.docmd(f"RCPT TO:{recipient}")[0]


client = smtplib.SMTP(HOST, PORTS["smtp"], timeout=60)
client.ehlo()
local = USER.split("@")[0]
for good in (f"<{USER}>", f"<{USER.upper()}>", f"<{local}+tag@{DOMAIN}>", "<postmaster>", f"<Postmaster@{DOMAIN}>", f"<abuse@{DOMAIN}>"):
    assert answer(client, good) == 250, good
for bad in (
    "<a@example.com>",
    f"<a%example.com@{DOMAIN}>",
    f'<"a@example.com"@{DOMAIN}>',
    f"<@{DOMAIN}:a@example.com>",
    "<a@[127.0.0.1]>",
    f"<example.com!a@{DOMAIN}>",
    f"<nobody@{DOMAIN}>",
    f"<{local}@sub.{DOMAIN}>",
    f"<{local}>",
    "<abuse>",
):
    code = answer(client, bad)
    assert 500 <= code < 600, (bad, code)
assert answer(client, f"<{USER}>", "<>") == 250
client.quit()

client = smtplib.SMTP(HOST, PORTS["submission"], timeout=60)
client.starttls(context=TLS)
client.ehlo()
assert client.docmd("MAIL FROM:<a@example.net>")[0] == 530
client.quit()
client = submissions()
assert answer(client, f"<{USER}>") == 250
assert 500 <= answer(client, "<a@example.com>") < 600, "there is no relay yet"
client.quit()
print("ok: nobody else's mail")
