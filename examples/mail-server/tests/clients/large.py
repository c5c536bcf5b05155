"""A message as large as is taken comes back whole; a larger one is refused, told beforehand or not."""

import hashlib
import smtplib

from common import *

LINE = b"0123456789" * 7 + b"abcdef\r\n"
head = b"Subject: large\r\n\r\n"
content = head + LINE * ((LIMIT - len(head)) // len(LINE))
content += b"z" * (LIMIT - len(content) - 2) + b"\r\n" if LIMIT - len(content) >= 2 else b""
assert LIMIT - 100 < len(content) <= LIMIT

client = submissions()
assert int(client.esmtp_features["size"]) == LIMIT, client.esmtp_features
client.sendmail("a@example.net", [USER], content)
try:
    client.sendmail("a@example.net", [USER], content + LINE * 10)
    raise SystemExit("a message over the limit was taken")
except smtplib.SMTPSenderRefused as refused:
    assert refused.smtp_code == 552, refused
# Without SIZE= it is found out on the way, and the session goes on.
client.mail("a@example.net")
client.rcpt(USER)
code, text = client.data(content + LINE * 10)
assert code == 552, (code, text)
client.sendmail("a@example.net", [USER], b"Subject: after\r\n\r\nx\r\n")
client.quit()

first, second = emptied()
assert hashlib.sha256(without_trace(first)[1]).digest() == hashlib.sha256(content).digest()
assert without_trace(second)[1] == b"Subject: after\r\n\r\nx\r\n"
print(f"ok: {len(content)} octets")
