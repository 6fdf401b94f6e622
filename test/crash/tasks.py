"""What the producers push: the same tasks for the same seed.

Each device of each task has a token of its own, so that a request at the vendor
tells which task it belongs to.  Device tokens count up behind zeros: none asks
the mock for a fault.
"""
import json

APP = "shop"
CAP = 3  # marketing notifications that a user may have
PER_USER = 5  # marketing tasks that a user is sent
QUEUES = ("push:high", "push:normal", "push:low")
BAD = ("rubbish-%d {", '{"id":"bad-%d","app":"nope","user":"u"}', '{"id":"bad-%d","app":"shop"}')


class Task:
    """One notification, and what must come of it."""

    def __init__(self, n, kind, queue):
        self.n = n
        self.id = "task-%d" % n
        self.kind = kind  # single, devices, user, marketing, later, bad
        self.queue = queue
        self.user = "u-%d" % (n % 500)
        self.targets = []  # of (vendor, token)
        self.devices = []
        self.line = ""
        self.copies = 1
        self.pushed = 0  # confirmed by Redis
        self.unsure = 0  # sent, but the answer was lost

    def add_device(self, is_ios):
        k = len(self.devices)
        if is_ios:
            device = {"platform": "ios", "token": "00%060x%02x" % (self.n, k)}
        else:
            device = {"platform": "android", "token": "t-%d-%d" % (self.n, k)}
        self.devices.append(device)
        self.targets.append(("apns" if is_ios else "fcm", device["token"]))


def _kind(dice):
    for share, kind in ((0.55, "single"), (0.70, "devices"), (0.80, "user"), (0.95, "marketing"), (0.99, "later")):
        if dice < share:
            return kind
    return "bad"


def _write(task, later_ms, rng):
    said = {"id": task.id, "app": APP, "user": task.user}
    if task.kind == "devices":
        del said["user"]
        said["devices"] = task.devices
    elif task.kind != "user":
        said["device"] = task.devices[0]
    if task.kind == "marketing":
        said["category"] = "marketing"
    if task.kind == "later":
        said["not_before_ms"] = later_ms(rng.random())
    if task.queue == "push:high":
        said["priority"] = "high"
    said["message"] = {"notification": {"title": "订单 %d" % task.n, "body": "on its way"}}
    task.line = json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def make(count, rng, begin_ms):
    tasks = []
    marketing = 0
    for n in range(count):
        kind = _kind(rng.random())
        task = Task(n, kind, rng.choices(QUEUES, (1, 7, 2))[0])
        tasks.append(task)
        if kind == "bad":
            task.line = rng.choice(BAD) % n
            continue
        for _ in range(rng.randint(2, 4) if kind in ("devices", "user") else 1):
            task.add_device(rng.random() < 0.5)
        if kind == "user":
            task.user = "r-%d" % n
        elif kind == "marketing":
            task.user = "m-%d" % (marketing // PER_USER)
            marketing += 1
        _write(task, lambda share: begin_ms + int(share * min(60000, 4 * count)), rng)
        if rng.random() < 0.1:
            task.copies = 2  # a second producer pushes the same
    return tasks


def registry(tasks):
    """What push-device imports: the devices of tasks that only name a user."""
    for task in tasks:
        if task.kind == "user":
            for device in task.devices:
                yield json.dumps(dict(device, app=APP, user=task.user, registered_ms=1700000000000))
