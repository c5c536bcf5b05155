"""Fifty sessions at once, over TLS and with login: each message arrives, once."""

import threading

from common import *

COUNT, EACH = 50, 4
faults = []
start = threading.Barrier(COUNT)


def session(number):
    try:
        start.wait()
        client = submissions() if number % 2 else submission()
        for turn in range(EACH):
            client.sendmail("a@example.net", [USER], f"Subject: {number}-{turn}\r\n\r\nx\r\n".encode())
        client.quit()
    except Exception as fault:
        faults.append((number, repr(fault)))


threads = [threading.Thread(target=session, args=(number,)) for number in range(COUNT)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not faults, faults
subjects = sorted(without_trace(message)[1] for message in emptied())
wanted = sorted(f"Subject: {n}-{t}\r\n\r\nx\r\n".encode() for n in range(COUNT) for t in range(EACH))
assert subjects == wanted, (len(subjects), len(wanted))
print(f"ok: {COUNT} sessions, {COUNT * EACH} messages")
