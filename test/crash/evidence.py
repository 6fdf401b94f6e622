"""What became of every task, from two accounts that pushpipe cannot embellish:
what the mock vendors received, and Redis' append-only file.

The file tells each claim (a receipt begins with its time), and when a delivery
was marked as done.  So a repeat can be judged: it is inside the unavoidable window
when no claim that was made after the mark sent anything, that is, when there are
at least as many claims before the mark as there were deliveries, and between the
two the claim was lost (its worker died, its lease ran out) or its answer was.
"""
import glob
import hashlib
import json
import os
import re

import tasks as tasks_of
from world import DEDUPE_WINDOW_MS, Trouble

CLOCK_MS = 5  # roundings
FORGETS_MS = 2000  # redis.conf on appendfsync everysec: one second, two at the worst
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
ENTRY = re.compile(rb"(\d+) (\d+) (\S+) (\w) (\S+)\n(.*)", re.S)
INFLIGHT = re.compile(rb"\{(.*)\}:inflight:(.*)")
IS_LOST_ANSWER = re.compile(rb"worker-restarted|lease-lost|ambiguous")


def length(n):
    """Seven bits a byte, the low ones first; all bytes but the last have the eighth set."""
    return bytes([n]) if n < 0x80 else bytes([n & 0x7F | 0x80]) + length(n >> 7)


def digest(*parts):
    h = hashlib.sha256()
    for part in parts:
        part = part if isinstance(part, bytes) else part.encode()
        h.update(length(len(part)) + part)
    return h.digest()[:16]


def sip128(data):
    """SipHash-2-4 of 16 bytes with the key 0 to 15: how the stores know uids (lib/base/digest.c)."""
    mask = (1 << 64) - 1
    k0, k1 = 0x0706050403020100, 0x0F0E0D0C0B0A0908
    v = [0x736F6D6570736575 ^ k0, 0x646F72616E646F6D ^ k1 ^ 0xEE, 0x6C7967656E657261 ^ k0, 0x7465646279746573 ^ k1]

    def rotated(x, bits):
        return (x << bits | x >> (64 - bits)) & mask

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & mask
            v[1] = rotated(v[1], 13) ^ v[0]
            v[0] = rotated(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = rotated(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = rotated(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = rotated(v[1], 17) ^ v[2]
            v[2] = rotated(v[2], 32)

    whole = len(data) // 8 * 8
    blocks = [int.from_bytes(data[i:i + 8], "little") for i in range(0, whole, 8)]
    blocks.append((len(data) << 56 | int.from_bytes(data[whole:], "little")) & mask)
    for block in blocks:
        v[3] ^= block
        rounds(2)
        v[0] ^= block
    v[2] ^= 0xEE
    out = b""
    for _ in range(2):
        rounds(4)
        out += (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")
        v[1] ^= 0xDD
    return out


def fatigue_key(user):
    """The window of the cap of world.py's rule, as lib/policy/fatigue.c makes it."""
    rule = digest("fatigue rule", "", "marketing", "0 1 -1 86400000")
    return bytes(a ^ b for a, b in zip(rule, digest("fatigue", tasks_of.APP, user)))


def dedupe_key(task, vendor, token):
    """As lib/policy/dedupe.c makes it."""
    return digest("dedupe", task.id, tasks_of.APP, "ios" if vendor == "apns" else "android", token)


def commands(folder):
    """Each command of the append-only files, oldest first; a torn end is left out."""
    with open(glob.glob(os.path.join(folder, "*.manifest"))[0]) as f:
        # "file NAME seq 1 type i", and from Redis 8 on " startoffset 0" behind it.
        names = [line.split()[1] for line in f if line.split()[4:6] == ["type", "i"]]
    if not names:
        raise Trouble("Redis' append-only file cannot be read")
    for name in names:
        with open(os.path.join(folder, name), "rb") as f:
            data = f.read()
        at = 0
        while at < len(data):
            end = data.find(b"\r\n", at)
            if data[at:at + 1] != b"*" or end < 0:
                at = end + 2 if end >= 0 else len(data)
                continue
            args, at = [], end + 2
            for _ in range(int(data[data.rfind(b"*", 0, end) + 1:end])):
                end = data.find(b"\r\n", at)
                n = int(data[at + 1:end])
                args.append(data[end + 2:end + 2 + n])
                at = end + 4 + n
            yield args


class Claim:
    def __init__(self, ms, token, history):
        self.ms = ms
        self.token = token  # a retry's: one device; None: the whole task
        self.history = history

    def loss(self):
        """(when, why): how the attempt before this one was lost, if it was."""
        ms, _, _, why = (self.history.split(b",")[-1].split(b"|") + [b"", b"", b""])[:4]
        return (int(ms), why.decode()) if IS_LOST_ANSWER.fullmatch(why) else None


class Ledger:
    """What the append-only file tells."""

    def __init__(self, folder):
        self.claims = {}  # uid: [Claim]
        self.uids = {}  # task's id: {uid}
        self.done_ms = {}  # (dedupe key, uid's digest): when it was marked
        self.lines = {}  # line: how often it was pushed
        for args in commands(folder):
            word = args[0].upper()
            if word == b"HSET":
                where = INFLIGHT.fullmatch(args[1])
                if where:
                    for i in range(2, len(args), 2):
                        self._claim(where.group(1), args[i], args[i + 1])
            elif word == b"SET" and args[1].startswith(b"push:d:") and args[2][:1] == b"d":
                words = [a.upper() for a in args]
                ms = int(args[words.index(b"PXAT", 3) + 1]) - DEDUPE_WINDOW_MS
                self.done_ms.setdefault((args[1][7:], args[2][1:]), ms)
            elif word == b"LPUSH" and args[1].decode() in tasks_of.QUEUES:
                for line in args[2:]:
                    self.lines[line] = self.lines.get(line, 0) + 1

    def _claim(self, queue, field, entry):
        claim = re.split(rb"[-.]", field)[0].decode()
        ms = 0
        for c in claim:
            ms = ms * 36 + DIGITS.index(c)
        ms //= 1000
        token, history = None, b"-"
        if b"-" in field:
            uid, line = digest(queue)[:3].hex().encode() + field, entry
        else:
            _, _, uid, origin, history, line = ENTRY.fullmatch(entry).groups()
            if origin == b"d":
                token = json.loads(line)["device"]["token"]
        self.claims.setdefault(uid, []).append(Claim(ms, token, history))
        if len(self.claims[uid]) == 1:
            try:
                self.uids.setdefault(json.loads(line)["id"], set()).add(uid)
            except (ValueError, KeyError, TypeError):
                pass


class Receipt:
    def __init__(self, line):
        self.ms = line["unix_ms"]
        # What makes a repeat harmless on the device.
        self.name = (line.get("apns_id"), line.get("collapse_id"), line.get("tag"))


def received(path):
    """(vendor, token): the requests that were answered with 200."""
    receipts = {}
    with open(path, "rb") as f:
        for raw in f:
            line = json.loads(raw)
            if line["vendor"] != "oauth" and line["status"] == 200:
                receipts.setdefault((line["vendor"], line["token"]), []).append(Receipt(line))
    for list_ in receipts.values():
        list_.sort(key=lambda r: r.ms)
    return receipts


class Verdict:
    def __init__(self, tasks, ledger, receipts, forgets_ms):
        """`forgets_ms': when Redis was killed, if it may forget its last moments (everysec), else nothing."""
        self.ledger = ledger
        self.receipts = receipts
        self.forgets_ms = forgets_ms
        self.tasks = tasks
        self.counts = dict.fromkeys((
            "tasks", "pushed", "pushed twice or more", "deliverable", "delivered", "over the cap", "lost", "eaten",
            "repeated", "inside the window", "outside the window", "double-counted", "given up", "not rejected",
            "forgotten by Redis"), 0)
        self.remarks = []
        self.windows_ms = []
        self.causes = {}  # of repeats inside the window

    def remark(self, text, task):
        self.remarks.append("%s: %s (%s)" % (text, task.id, task.kind))

    # --- repeats ---

    def uid_digest(self, task):
        return {uid: sip128(uid) for uid in self.ledger.uids.get(task.id, ())}

    def is_inside(self, task, target, list_):
        """A repeat that nobody could have avoided."""
        if len({r.name for r in list_}) != 1:
            if any(0 <= kill - r.ms <= FORGETS_MS for r in list_[:-1] for kill in self.forgets_ms):
                return True  # the claim that sent it was forgotten
            return self.remark("repeat under another name", task)
        key = dedupe_key(task, *target)
        for uid, d in self.uid_digest(task).items():
            done_ms = self.ledger.done_ms.get((key, d))
            if done_ms is None:
                continue
            before = [c for c in self.ledger.claims[uid] if c.ms <= done_ms and c.token in (None, target[1])]
            if len(before) < len(list_):
                return self.remark("repeat after it was marked", task)
            losses = [c.loss() for c in before if c.loss()]
            for first, second in zip(list_, list_[1:]):
                between = [why for ms, why in losses if first.ms - CLOCK_MS <= ms <= second.ms + CLOCK_MS]
                if not between:
                    return self.remark("repeat without a loss between", task)
                self.causes[between[-1]] = self.causes.get(between[-1], 0) + 1
            return True
        return self.remark("repeat that was never marked", task)

    def measure(self, task, target, receipt):
        key = dedupe_key(task, *target)
        for uid, d in self.uid_digest(task).items():
            done_ms = self.ledger.done_ms.get((key, d))
            if done_ms is not None and len(self.ledger.claims[uid]) == 1:
                self.windows_ms.append(done_ms - receipt.ms)

    def look_at(self, task, target):
        """How often one device got it."""
        list_ = self.receipts.get(target, [])
        self.counts["repeated"] += max(0, len(list_) - 1)
        if len(list_) == 1:
            self.measure(task, target, list_[0])
        elif len(list_) > 1:
            where = "inside the window" if self.is_inside(task, target, list_) else "outside the window"
            self.counts[where] += len(list_) - 1
        return len(list_) > 0

    # --- everything ---

    def judge(self, suppressed, dead, counted):
        """`suppressed': tasks of which a record was held back as a duplicate; `dead': ids and lines among the
        dead letters; `counted': user: digests of uids that the cap has counted."""
        users = {}
        for task in self.tasks:
            n = self.ledger.lines.get(task.line.encode(), 0)
            self.counts["tasks"] += 1
            self.counts["pushed"] += n
            self.counts["pushed twice or more"] += n > 1
            if task.kind == "bad":
                self.counts["not rejected"] += dead.get(task.line, 0) != n
                continue
            if n == 0 and task.pushed > 0 and self.forgets_ms:
                self.counts["forgotten by Redis"] += 1
                continue
            self.counts["given up"] += dead.get(task.id, 0)
            for target in task.targets:
                is_there = self.look_at(task, target)
                if task.kind == "marketing":
                    users.setdefault(task.user, []).append((task, is_there))
                    continue
                self.counts["deliverable"] += 1
                self.counts["delivered"] += is_there
                if not is_there:
                    self.miss(task, task.id in suppressed)
        if self.counts["delivered"] and self.ledger.done_ms and not self.windows_ms:
            raise Trouble("no mark of anything that was delivered: are keys made in another way? see dedupe_key()")
        for user, list_ in users.items():
            self.judge_user(user, list_, suppressed, counted.get(user, []))

    def miss(self, task, is_eaten):
        self.counts["eaten" if is_eaten else "lost"] += 1
        self.remark("eaten" if is_eaten else "lost", task)

    def judge_user(self, user, list_, suppressed, counted):
        got = [task for task, is_there in list_ if is_there]
        due = min(tasks_of.CAP, len(list_))
        self.counts["deliverable"] += due
        self.counts["delivered"] += min(due, len(got))
        self.counts["over the cap"] += max(0, len(got) - due)
        for task, _ in [pair for pair in list_ if not pair[1]][:max(0, due - len(got))]:
            self.miss(task, task.id in suppressed)
        accepted = set()
        for task in got:
            for uid, d in self.uid_digest(task).items():
                if any((dedupe_key(task, *t), d) in self.ledger.done_ms for t in task.targets):
                    accepted.add(d[:7] + bytes([d[7] & 0xfe]))
        if sorted(counted) != sorted(accepted):
            self.counts["double-counted"] += 1
            self.remarks.append("double-counted: user %s was counted %d times for %d accepted" % (
                user, len(counted), len(accepted)))

    def is_good(self):
        bad = ("lost", "eaten", "outside the window", "double-counted", "over the cap", "given up", "not rejected")
        return not any(self.counts[name] for name in bad)
