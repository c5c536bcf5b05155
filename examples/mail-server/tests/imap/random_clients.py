"""Twenty clients of one account do random valid commands for a minute. Each keeps the model that a client has of its mailbox,
and nothing that the server says may contradict it; when all are still, model and mailbox have to be the same.

What is checked: EXISTS never shrinks and EXPUNGE names a message that is there; no EXPUNGE during FETCH, STORE and SEARCH;
a number and its UID belong together for as long as nothing before it goes; UIDs rise; a UID's octets are the same to
everybody, for ever; flags are what they were told to be, one's own silent changes included; a MODSEQ never falls; no valid
command is BAD. Run as the others are; IMAP_SECONDS and IMAP_SEED in the environment change how long and what."""

import hashlib
import os
import random
import socket
import threading
import time

from common import *

CLIENTS, SECONDS = 20, float(os.environ.get("IMAP_SECONDS", "60"))
SEED = int(os.environ.get("IMAP_SEED", random.randrange(1 << 30)))
MAILBOXES = ["INBOX", "random one", "Zufällig & zwei"]
FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Label", "custom"]
NO_EXPUNGE = {"FETCH", "STORE", "SEARCH"}  # RFC 9051 section 7.5.1; the UID forms may

octets_of, octets_lock = {}, threading.Lock()  # (validity, mailbox, UID) -> hash
faults = []
stop_at = 0.0
still = threading.Barrier(CLIENTS)


def parsed(data):
    """A response as nested lists of octets; None is NIL."""
    stack, at = [[]], 0
    token = re.compile(rb'[^\s()"\[{]+(?:\[[^\]]*\](?:<\d+>)?)?')
    while at < len(data):
        octet = data[at:at + 1]
        if octet in b" ":
            at += 1
        elif octet == b"(":
            stack.append([])
            at += 1
        elif octet == b")":
            done = stack.pop()
            stack[-1].append(done)
            at += 1
        elif octet == b'"':
            end = re.compile(rb'"((?:\\.|[^"\\])*)"').match(data, at)
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", end.group(1)))
            at = end.end()
        elif octet == b"{":
            head = re.compile(rb"\{(\d+)\}\r\n").match(data, at)
            at = head.end() + int(head.group(1))
            stack[-1].append(data[head.end():at])
        else:
            word = token.match(data, at)
            assert word, data[at:at + 40]
            stack[-1].append(None if word.group(0).upper() == b"NIL" else word.group(0))
            at = word.end()
    assert len(stack) == 1, data
    return stack[0]


class Message:
    def __init__(self):
        self.uid, self.flags, self.modseq = None, None, 0


class Client(threading.Thread):
    def __init__(self, number):
        super().__init__(daemon=True)
        self.number, self.random, self.log, self.tag = number, random.Random(SEED + number), [], 0
        self.done, self.mailbox, self.messages, self.writable, self.condstore = 0, None, [], False, number % 2 == 0
        self.command, self.codes = "", {}

    def run(self):
        try:
            self.live()
        except Exception as fault:  # told with the last lines of the conversation
            faults.append((self.number, repr(fault), self.log[-int(os.environ.get("IMAP_LOG", "40")):]))
            still.abort()

    def live(self):
        sock = socket.create_connection((HOST, PORT), timeout=120)
        self.file = sock.makefile("rwb")
        self.line()
        if TLS:
            self.ask("STARTTLS")
            sock = TLS.wrap_socket(sock, server_hostname=HOST)
            self.file = sock.makefile("rwb")
        self.sock = sock
        self.ask('LOGIN "%s" "%s"' % (USER, PASSWORD))
        if self.condstore:
            self.ask("ENABLE CONDSTORE")
        self.select()
        while time.monotonic() < stop_at:
            self.turn()
            self.done += 1
        still.wait(timeout=120)
        # Nobody changes anything any more: what there is to tell is told by NOOP.
        if self.mailbox is None:
            self.select(writable=False)
        self.ask("NOOP")
        self.ask("NOOP")
        believed = [(message.uid, message.flags) for message in self.messages]
        for message in self.messages:
            message.flags = None
        self.fetch_all()
        for (uid, flags), message in zip(believed, self.messages, strict=True):
            assert uid in (None, message.uid), (uid, message.uid)
            assert flags is None or flags == message.flags, f"UID {message.uid}: believed {flags}, is {message.flags}"
        self.result = (self.mailbox, [(message.uid, sorted(message.flags)) for message in self.messages])
        self.ask("LOGOUT")

    # The conversation.

    def line(self):
        """One response with its literals."""
        data = b""
        while True:
            part = self.file.readline()
            assert part.endswith(b"\r\n"), f"closed after {data + part}"
            data += part
            literal = re.search(rb"\{(\d+)\}\r\n\Z", part)
            if not literal:
                self.log.append("S: " + data.partition(b"\r\n")[0][:300].decode(errors="replace"))
                return data[:-2]
            data += self.file.read(int(literal.group(1)))

    def send(self, data):
        self.log.append("C: " + data.partition(b"\r\n")[0][:300].decode(errors="replace"))
        self.file.write(data)
        self.file.flush()

    def ask(self, command, literal=None, may_fail=False):
        self.tag += 1
        tag = b"t%d" % self.tag
        self.command = command.split()[0]
        self.codes, self.searched = {}, False
        if literal is None:
            self.send(tag + b" " + command.encode() + b"\r\n")
        else:
            self.send(tag + b" " + command.encode() + b" {%d}\r\n" % len(literal))
        while True:
            line = self.line()
            if line.startswith(b"* "):
                self.untagged(line[2:])
            elif line.startswith(b"+"):
                if literal is not None:
                    self.send(literal + b"\r\n")
                    literal = None
                else:
                    self.idle(line)
            else:
                told, kind, text = line.split(b" ", 2)
                assert told == tag, (told, tag)
                self.code(text)
                assert kind == b"OK" or may_fail and kind == b"NO", line
                return kind == b"OK"

    def idle(self, _):
        """Listens a little, then ends it."""
        self.sock.settimeout(0.05 + self.random.random() / 4)
        try:
            # Only what can be had without waiting inside a response.
            if self.file.peek(1):
                pass
        except (TimeoutError, OSError):
            # A file that has timed out refuses to be read again.
            self.sock.settimeout(120)
            self.file = self.sock.makefile("rwb")
        self.sock.settimeout(120)
        self.send(b"DONE\r\n")

    def code(self, text):
        found = re.match(rb"\[([A-Z-]+) ?([^\]]*)\]", text)
        if found:
            self.codes[found.group(1).decode()] = found.group(2).decode()

    def untagged(self, line):
        first, _, rest = line.partition(b" ")
        if first in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"):
            assert first in (b"OK", b"NO") or self.command == "LOGOUT", line
            self.code(rest)
        elif first.isdigit():
            number, (what, _, rest) = int(first), rest.partition(b" ")
            if what == b"EXISTS":
                assert number >= len(self.messages), f"{number} EXISTS of {len(self.messages)}"
                self.messages += [Message() for _ in range(number - len(self.messages))]
            elif what == b"EXPUNGE":
                assert self.command not in NO_EXPUNGE, f"EXPUNGE during {self.command}"
                assert 1 <= number <= len(self.messages), f"{number} EXPUNGE of {len(self.messages)}"
                gone = self.messages.pop(number - 1)
                if gone.uid is not None:
                    self.gone.add(gone.uid)
            elif what == b"FETCH":
                assert 1 <= number <= len(self.messages), f"{number} FETCH of {len(self.messages)}"
                self.fetched(number, parsed(rest)[0])
            else:
                assert what == b"RECENT", line
        elif first == b"SEARCH":
            self.found([int(number) for number in line.split()[1:] if number.isdigit()])
        else:
            assert first in (b"FLAGS", b"CAPABILITY", b"LIST", b"LSUB", b"STATUS", b"ENABLED", b"ID", b"NAMESPACE"), line

    def fetched(self, number, items):
        message, told = self.messages[number - 1], dict(zip(items[::2], items[1::2], strict=True))
        if b"UID" in told:
            uid = int(told[b"UID"])
            assert message.uid in (None, uid), f"message {number} was UID {message.uid}, is {uid}"
            assert uid not in self.gone, f"UID {uid} has come back"
            message.uid = uid
            # UIDs rise with the numbers.
            before = next((m.uid for m in reversed(self.messages[:number - 1]) if m.uid), 0)
            after = next((m.uid for m in self.messages[number:] if m.uid), 1 << 33)
            assert before < uid < after, f"UID {uid} between {before} and {after}"
        if b"FLAGS" in told:
            message.flags = {flag.decode() for flag in told[b"FLAGS"]} - {"\\Recent"}
        if b"MODSEQ" in told:
            modseq = int(told[b"MODSEQ"][0])
            assert modseq >= message.modseq, f"MODSEQ falls from {message.modseq} to {modseq}"
            message.modseq = modseq
        if told.get(b"BODY[]") is not None and message.uid:
            key, found = (self.validity, self.mailbox, message.uid), hashlib.sha256(told[b"BODY[]"]).digest()
            assert found in sent, f"UID {message.uid} is nothing that anybody sent: {told[b'BODY[]'][:100]}"
            with octets_lock:
                assert octets_of.setdefault(key, found) == found, f"{key} has changed"
            if b"RFC822.SIZE" in told:
                assert int(told[b"RFC822.SIZE"]) == len(told[b"BODY[]"])

    # The commands.

    def select(self, writable=None):
        self.writable = self.random.random() < 0.85 if writable is None else writable
        name = self.random.choice(MAILBOXES)
        # What is told from here on is of the next mailbox.
        self.messages, self.gone, self.mailbox = [], set(), name
        self.ask(("SELECT " if self.writable else "EXAMINE ") + quoted(name))
        self.validity = self.codes["UIDVALIDITY"]
        if self.random.random() < 0.8:
            self.fetch_all()

    def fetch_all(self):
        if self.messages:
            self.ask("FETCH 1:* (UID FLAGS%s)" % (" MODSEQ" if self.condstore else ""), may_fail=True)
            if any(message.uid is None or message.flags is None for message in self.messages):
                # Some were expunged: they are told of now, and the rest is asked for again.
                self.ask("NOOP")
                if self.messages:
                    self.ask("FETCH 1:* (UID FLAGS)", may_fail=True)

    def some(self):
        """A set of messages that the client knows of: (how to say it, the messages, whether by UID)."""
        known = [index for index, message in enumerate(self.messages) if message.uid]
        if known and self.random.random() < 0.5:
            picked = sorted(self.random.sample(known, min(len(known), self.random.randint(1, 4))))
            return ",".join(str(self.messages[i].uid) for i in picked), [self.messages[i] for i in picked], True
        low, high = sorted(self.random.randint(1, len(self.messages)) for _ in range(2))
        if self.random.random() < 0.2:
            high = len(self.messages)
            return f"{low}:*" if low < high else f"*:{low}", self.messages[low - 1:], False
        high = min(high, low + 5)
        return f"{high}:{low}" if self.random.random() < 0.1 else f"{low}:{high}", self.messages[low - 1:high], False

    def turn(self):
        pick = self.random.choices(
            ["append", "select", "fetch", "body", "store", "search", "copy", "move", "expunge", "noop", "idle", "close", "status", "folder"],
            [14, 4, 14, 8, 22, 8, 6, 5, 4, 10, 3, 1, 2, 2],
        )[0]
        if pick in ("fetch", "body", "store", "copy", "move", "search", "expunge") and (self.mailbox is None or not self.messages):
            pick = "select" if self.mailbox is None else "append"
        if pick in ("store", "move", "expunge") and not self.writable:
            pick = "fetch"
        getattr(self, "do_" + pick)()

    def do_append(self):
        body = f"From: {self.number}@example.org\r\nSubject: {self.tag}\r\n\r\n" + "text\r\n" * self.random.randint(0, 200)
        body = body.encode()
        with octets_lock:
            sent.add(hashlib.sha256(body).digest())
        flags = self.random.sample(FLAGS, self.random.randint(0, 2))
        self.ask(f"APPEND {quoted(self.random.choice(MAILBOXES))} ({' '.join(flags)})", body)

    def do_select(self):
        self.select()

    def do_fetch(self):
        if not self.messages:
            return
        say, picked, by_uid = self.some()
        items = "(UID FLAGS INTERNALDATE RFC822.SIZE%s)" % (" MODSEQ" if self.condstore else "")
        self.ask(f"{'UID ' * by_uid}FETCH {say} {items}", may_fail=True)

    def do_body(self):
        say, picked, by_uid = self.some()
        seen = self.writable and self.random.random() < 0.3
        self.ask(f"{'UID ' * by_uid}FETCH {say} (UID RFC822.SIZE {'BODY[]' if seen else 'BODY.PEEK[]'})", may_fail=True)

    def do_store(self):
        say, picked, by_uid = self.some()
        sign, silent = self.random.choice(["+", "-", "+", "-", ""]), self.random.random() < 0.5
        flags = set(self.random.sample(FLAGS, self.random.randint(1, 3)))
        if self.random.random() < 0.15:
            flags.add("\\Deleted")
        before = {id(message): message.flags for message in picked}
        self.ask(f"{'UID ' * by_uid}STORE {say} {sign}FLAGS{'.SILENT' * silent} ({' '.join(sorted(flags))})", may_fail=True)
        if silent:
            # What a client believes then; had it been told of others' changes meanwhile, it would know no better.
            for message in picked:
                if message.flags is not None and message.flags is before[id(message)]:
                    message.flags = message.flags | flags if sign == "+" else message.flags - flags if sign == "-" else set(flags)
                elif message.flags is not None:
                    message.flags = None

    def do_search(self):
        self.by_uid = self.random.random() < 0.5
        self.ask(f"{'UID ' * self.by_uid}SEARCH {self.random.choice(['ALL', 'SEEN', 'UNSEEN NOT FLAGGED', 'KEYWORD custom', 'LARGER 500'])}")
        assert self.searched, "no SEARCH response"

    def found(self, numbers):
        """Checked when it is told: what it names may be gone by the end of the same command."""
        self.searched = True
        assert numbers == sorted(set(numbers)), numbers
        if self.by_uid:
            known = {message.uid for message in self.messages}
            # A UID that is not known here belongs to a message whose UID has not been asked for.
            assert None in known or set(numbers) <= known, set(numbers) - known
        else:
            assert all(1 <= number <= len(self.messages) for number in numbers), (numbers, len(self.messages))

    def do_copy(self):
        say, picked, by_uid = self.some()
        if self.room():
            self.ask(f"{'UID ' * by_uid}COPY {say} {quoted(self.random.choice(MAILBOXES))}", may_fail=True)

    def do_move(self):
        say, picked, by_uid = self.some()
        self.ask(f"{'UID ' * by_uid}MOVE {say} {quoted(self.random.choice([name for name in MAILBOXES if name != self.mailbox]))}", may_fail=True)

    def room(self):
        """Copies of copies grow without bound; a large mailbox shows nothing that a small one does not."""
        return len(self.messages) < 150

    def do_expunge(self):
        known = [message for message in self.messages if message.uid]
        if not self.room() and known:
            self.ask("STORE 1:60 +FLAGS.SILENT (\\Deleted)", may_fail=True)
            for message in self.messages[:60]:
                message.flags = None
        if known and self.random.random() < 0.4:
            self.ask("UID EXPUNGE %d:%d" % tuple(sorted(self.random.choice(known).uid for _ in range(2))))
        else:
            self.ask("EXPUNGE")

    def do_noop(self):
        self.ask(self.random.choice(["NOOP", "NOOP", "CHECK"] if self.mailbox else ["NOOP"]))

    def do_idle(self):
        self.ask("IDLE")

    def do_close(self):
        if self.mailbox is not None:
            self.ask(self.random.choice(["CLOSE", "UNSELECT"]))
            self.mailbox, self.messages = None, []

    def do_status(self):
        self.ask(f"STATUS {quoted(self.random.choice(MAILBOXES))} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")

    def do_folder(self):
        name = quoted(f"of {self.number} {self.random.randint(1, 3)}")
        self.ask(self.random.choice(["CREATE ", "DELETE ", "SUBSCRIBE ", "UNSUBSCRIBE "]) + name, may_fail=True)
        self.ask('LIST "" "*"')


sent = set()
setup = emptied()
for name in MAILBOXES[1:]:
    setup.create(quoted(name))
setup.logout()
print(f"seed {SEED}")
stop_at = time.monotonic() + SECONDS
clients = [Client(number) for number in range(CLIENTS)]
for client in clients:
    client.start()
for client in clients:
    client.join()
if faults:
    for number, fault, log in sorted(faults, key=lambda fault: "BrokenBarrier" in fault[1])[:2]:
        print(f"client {number}: {fault}", *log, sep="\n  ")
    raise SystemExit(f"{len(faults)} clients found faults, seed {SEED}")
ends = {}
for client in clients:
    mailbox, found = client.result
    same(found, ends.setdefault(mailbox, found), f"two clients of {mailbox} see different mailboxes")
emptied().logout()
print(f"ok: {CLIENTS} clients, {sum(client.done for client in clients)} commands, {sum(map(lambda end: len(end), ends.values()))} messages at the end")
