"""A copy is left, and is gone when its time is over. Run twice: with an empty maildrop first, and fifteen days later."""

import poplib
import time

from common import USER, pop3s, submission


def subjects(client):
    return [client.top(number + 1, 0)[1][-2].decode() for number in range(client.stat()[0])]


client = pop3s()
assert client.capa()["EXPIRE"] == ["14"], client.capa()
first = client.stat()[0] == 0
client.quit()

if first:
    with_mail = submission()
    for number in range(3):
        with_mail.sendmail(USER, [USER], f"From: {USER}\r\nTo: {USER}\r\nSubject: {number}\r\n\r\nbody\r\n")
    with_mail.quit()
    client = pop3s()
    assert subjects(client) == ["Subject: 0", "Subject: 1", "Subject: 2"], subjects(client)
    client.retr(1)
    client.retr(3)
    client.quit()
    # The session that comes next has waited for the one before.
    client = pop3s()
    assert client.stat()[0] == 3
    client.quit()
    time.sleep(0.5)
else:
    for attempt in range(100):
        try:
            client = pop3s()
        except poplib.error_proto as error:
            assert b"[IN-USE]" in error.args[0], error
        else:
            left = subjects(client)
            client.quit()
            if left == ["Subject: 1"]:
                break
        time.sleep(0.1)
    else:
        raise AssertionError(f"left: {left}")
