"""What the scripts of programs that synchronise share: two thousand messages, half of them here and half there, and what
both sides have in the end."""

import hashlib
import os
import pathlib
import subprocess
import tempfile
import time

from common import *

COUNT = 2000
FOLDERS = ["INBOX", "Entwürfe & Gelöschtes", "two words", "Parent", "Parent/Child"]


def run(*command, **environment):
    """Runs a program; what it printed, on both streams."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment}, timeout=900)
    told = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{told[-6000:]}"
    return told


def sent(number):
    """One of the messages: short ones, long ones, with lines that look like something else."""
    kinds = [
        "The engine weaves algebraical patterns.\r\n" * (1 + number % 40),
        ".\r\n..\r\nFrom me to you\r\n\r\nA0001 OK no\r\n" * (1 + number % 5),
        "no line end",
        "Grüße, 日本語\r\n" * (1 + number % 7),
    ]
    return message(number, kinds[number % 4])


def fill(client, numbers):
    """APPENDs them, spread over the folders."""
    for folder in FOLDERS[1:]:
        client.create(quoted(folder))
        client.subscribe(quoted(folder))
    for number in numbers:
        flags = [r"\Seen", r"\Flagged", r"\Answered", ""][number % 4]
        ok(client.append(quoted(FOLDERS[number % len(FOLDERS)]), f"({flags})", None, sent(number)))


def key(octets):
    """Which message it is, and that it is whole: line ends and what the program adds are not looked at."""
    head, _, body = octets.replace(b"\r\n", b"\n").partition(b"\n\n")
    number = int(re.search(rb"^Message-ID: <(\d+)@", head, re.M | re.I).group(1))
    return number, hashlib.sha256(body).hexdigest()


def wanted(numbers):
    """What each folder has to have."""
    folders = {folder: set() for folder in FOLDERS}
    for number in numbers:
        folders[FOLDERS[number % len(FOLDERS)]].add(key(sent(number)))
    return folders


def there(client):
    """What the server has: folder to messages to flags."""
    folders = {}
    for folder in FOLDERS:
        ok(client.select(quoted(folder), readonly=True))
        found = {}
        if client.untagged_responses["EXISTS"][-1] != b"0":
            for part in ok(client.fetch("1:*", "(UID FLAGS BODY.PEEK[])")):
                if isinstance(part, tuple):
                    head, octets = part
                    last = key(octets)
                    assert last not in found, f"{last} twice in {folder}"
                    found[last] = head
                    tail = found[last]
                elif last is not None and part != b")":
                    found[last] += part  # a server may tell the flags behind the body
        folders[folder] = {message: {flag.decode() for flag in imaplib.ParseFlags(head)} - {"\\Recent"} for message, head in found.items()}
        client.untagged_responses.clear()
    return folders


def fingerprint(folder, ignore=()):
    """Every file's name, size and time of change under a folder."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(pathlib.Path(folder).rglob("*"))
        if path.is_file() and not any(part in path.name for part in ignore)
    }


def maildir_messages(folder):
    """The messages of a Maildir: which, and their flags' letters."""
    found = {}
    for path in [*folder.joinpath("cur").iterdir(), *folder.joinpath("new").iterdir()]:
        which = key(path.read_bytes())
        assert which not in found, f"{which} twice in {folder}"
        found[which] = (set(path.name.partition(":2,")[2]), path)
    return found


def put(folder, number, letters="S"):
    """Puts a message into a Maildir."""
    for part in ("cur", "new", "tmp"):
        folder.joinpath(part).mkdir(parents=True, exist_ok=True)
    folder.joinpath("cur", f"{1795424400 + number}.{number}.here:2,{letters}").write_bytes(sent(number).replace(b"\r\n", b"\n"))


def told(what, begin):
    print(f"{what}: {time.monotonic() - begin:.1f} s")
