"""Logins: every mechanism that is offered works, with every password of the account; wrong ones are refused alike; and
none is taken, or offered, in the clear. SCRAM-SHA-256 is done by hand, with nothing but the standard library."""

import base64
import hashlib
import hmac
import os
import poplib
import smtplib

from common import *

NAME, APP = CONFIG["user"], CONFIG["app_password"]


def scram(user, password, exchange):
    """RFC 5802 and RFC 7677; `exchange` sends a client's message and gives the server's."""
    nonce = base64.b64encode(os.urandom(18)).decode()
    bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
    first = exchange(b"n,," + bare.encode()).decode()
    fields = dict(part.split("=", 1) for part in first.split(","))
    assert fields["r"].startswith(nonce) and int(fields["i"]) >= 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    mac = lambda key, text: hmac.new(key, text, hashlib.sha256).digest()
    without_proof = f"c=biws,r={fields['r']}"
    signed = f"{bare},{first},{without_proof}".encode()
    client_key = mac(salted, b"Client Key")
    signature = mac(hashlib.sha256(client_key).digest(), signed)
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
    final = exchange(f"{without_proof},p={proof}".encode())
    server = base64.b64encode(mac(mac(salted, b"Server Key"), signed))
    assert final == b"v=" + server, final


def smtp_scram(client, user, password):
    state = {"first": True}

    def exchange(message):
        text = base64.b64encode(message).decode()
        code, reply = client.docmd("AUTH", "SCRAM-SHA-256 " + text) if state.pop("first", False) else client.docmd(text)
        if code != 334:
            raise smtplib.SMTPAuthenticationError(code, reply)
        return base64.b64decode(reply)

    scram(user, password, exchange)
    code, reply = client.docmd("")
    assert code == 235, (code, reply)


def pop_scram(client, user, password):
    state = {"first": True}

    def exchange(message):
        text = base64.b64encode(message).decode()
        line = "AUTH SCRAM-SHA-256 " + text if state.pop("first", False) else text
        client._putcmd(line)
        reply = client._getline()[0]
        if not reply.startswith(b"+ "):
            raise poplib.error_proto(reply)
        return base64.b64decode(reply[2:])

    scram(user, password, exchange)
    return client._shortcmd("")


def bare_submissions():
    client = smtplib.SMTP_SSL(HOST, PORTS["submissions"], context=TLS, timeout=60)
    client.ehlo()
    return client


def bare_pop3s():
    return poplib.POP3_SSL(HOST, PORTS["pop3s"], context=TLS, timeout=60)


# What is offered, before TLS and after.
client = smtplib.SMTP(HOST, PORTS["submission"], timeout=60)
client.ehlo()
assert not client.has_extn("auth"), client.esmtp_features
assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] in (530, 538), "a password in the clear"
client.starttls(context=TLS)
client.ehlo()
offered = set(client.esmtp_features["auth"].split())
assert offered == {"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}, offered
client.quit()
client = poplib.POP3(HOST, PORTS["pop3"], timeout=60)
capabilities = client.capa()
assert "SASL" not in capabilities and "USER" not in capabilities and "STLS" in capabilities, capabilities
try:
    client.user(USER)
    client.pass_(PASSWORD)
    raise SystemExit("a password in the clear")
except poplib.error_proto:
    pass
client.quit()
assert set(bare_pop3s().capa()["SASL"]) == {"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}

# Good ones: the address, the bare name, another case; the password and an app password.
for user in (NAME, NAME.split("@")[0], NAME.upper()):
    for password in (PASSWORD, APP):
        for mechanism in ("PLAIN", "LOGIN"):
            client = bare_submissions()
            client.user, client.password = user, password
            assert client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))[0] == 235
            client.quit()
        client = bare_submissions()
        smtp_scram(client, user, password)
        client.quit()
        client = bare_pop3s()
        client.user(user)
        client.pass_(password)
        client.quit()
        client = bare_pop3s()
        pop_scram(client, user, password)
        client.quit()

# Bad ones: what is answered does not tell whether there is such a user.
answers = set()
for user in (NAME, "nobody@" + NAME.split("@")[1], "nobody"):
    for login in ("auth_plain", "auth_login", "scram"):
        client = bare_submissions()
        client.user, client.password = user, "wrong"
        try:
            if login == "scram":
                smtp_scram(client, user, "wrong")
            else:
                client.auth(login[5:].upper(), getattr(client, login))
            raise SystemExit("a wrong password was taken")
        except smtplib.SMTPAuthenticationError as refused:
            answers.add((refused.smtp_code, refused.smtp_error))
        client.close()
assert len(answers) == 1 and next(iter(answers))[0] == 535, answers
answers = set()
for user in (NAME, "nobody"):
    client = bare_pop3s()
    assert client.user(user).startswith(b"+OK")
    try:
        client.pass_("wrong")
        raise SystemExit("a wrong password was taken")
    except poplib.error_proto as refused:
        answers.add(refused.args)
    client.close()
assert len(answers) == 1, answers
print("ok: logins")
