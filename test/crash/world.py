"""Redis, the mock vendors and the chains, and how they are hurt.

Every process here was started by this program or is a descendant of one: it is
their subreaper, so that what a killed push-run leaves behind becomes its child.  A
process is only signalled through a descriptor that names that very process.
"""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import redis_client

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("PUSH_BIN") or os.path.join(ROOT, "bin"))
PR_SET_CHILD_SUBREAPER = 36
DEDUPE_WINDOW_MS = 24 * 3600 * 1000
LEASE_MS = 3000
STAGES = ("push-pop", "push-auth", "push-risk", "push-lookup", "push-dedupe", "push-fatigue",
          "push-apns", "push-fcm", "push-ack", "push-stats")
NAIVE = ("push-lookup", "push-apns", "push-fcm", "push-stats")


class Trouble(Exception):
    """The harness cannot go on."""


def until(seconds, is_so, what, slow=float(os.environ.get("PUSH_TEST_SLOW") or 1)):
    end = time.monotonic() + seconds * slow
    while not is_so():
        if time.monotonic() > end:
            raise Trouble("waited in vain for: " + what)
        time.sleep(0.01)


def children_of(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(n) for n in f.read().split()]
    except OSError:
        return []


def name_of(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return ""


def send_signal(pid, signo, parent):
    """True when the process was there, still a child of `parent`, and got it."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if pid not in children_of(parent):
            return False
        signal.pidfd_send_signal(fd, signo)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


class Chain:
    """One push-run and the programs below it."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.process = None
        self.lives = 0
        self.log = open(os.path.join(world.dir, name + ".log"), "ab")
        self.conf = os.path.join(world.dir, name + ".conf")
        with open(self.conf, "w") as f:
            json.dump(world.conf(name), f)

    def start(self):
        self.process = subprocess.Popen([os.path.join(BIN, "push-run"), "-c", self.conf], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.log, env=self.world.env)
        self.lives += 1

    def pid(self, program):
        """Of a program below this push-run, or of push-run itself; None: not there now."""
        if self.process is None or self.process.poll() is not None:
            return None
        if program == "push-run":
            return self.process.pid
        for pid in children_of(self.process.pid):
            if name_of(pid) == program[:15]:
                return pid
        return None

    def hurt(self, program, signo):
        """True when the program was there to be signalled."""
        pid = self.pid(program)
        if pid is None:
            return False
        return send_signal(pid, signo, os.getpid() if program == "push-run" else self.process.pid)

    def revive(self):
        """Starts push-run again if it is gone; its status, or None."""
        status = self.process.poll()
        if status is not None:
            self.start()
        return status

    def signal_all(self, signo):
        if self.process.poll() is None:
            for pid in children_of(self.process.pid):
                send_signal(pid, signo, self.process.pid)
            send_signal(self.process.pid, signo, os.getpid())


class World:
    def __init__(self, is_naive, fsync, changes):
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise Trouble("cannot become a subreaper")
        self.dir = tempfile.mkdtemp(prefix="pushpipe-crash.")
        self.is_naive = is_naive
        self.changes = changes  # to push.conf
        self.fsync = fsync
        self.socket = os.path.join(self.dir, "redis.sock")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PUSH_")}
        self.env["TMPDIR"] = self.dir
        self.redis = None
        self.mock = None
        self.ports = {}
        self.chains = []

    # --- servers ---

    def path(self, name):
        return os.path.join(self.dir, name)

    def spawn(self, *argv, log):
        with open(self.path(log), "ab") as out:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env)

    def start_redis(self):
        self.redis = self.spawn("redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.dir,
                                "--save", "", "--appendonly", "yes", "--appendfsync", self.fsync,
                                "--auto-aof-rewrite-percentage", "0", log="redis.log")

    def client(self):
        return redis_client.Redis(self.socket)

    def redis_answers(self):
        try:
            client = self.client()
            client.call("PING")
            client.close()
            return True
        except (redis_client.Broken, redis_client.Refused):
            return False

    def start_mock(self):
        subprocess.run([os.path.join(ROOT, "scripts", "mock-certs"), self.path("keys")], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(self.path("control"), "w"):
            pass
        keys = self.path("keys")
        self.mock = self.spawn(os.path.join(BIN, "push-mock"), "--cert", keys + "/cert.pem", "--key", keys + "/key.pem",
                               "--credentials", keys + "/credentials.json", "--ports-file", self.path("ports"),
                               "--control", self.path("control"), "--received", self.path("received"),
                               "--summary", self.path("summary"), log="mock.log")
        until(20, lambda: os.path.exists(self.path("ports")), "the mock's ports")
        with open(self.path("ports")) as f:
            self.ports = json.load(f)

    def order(self, faults):
        """Tells the mock what to do wrong from now on."""
        with open(self.path("control.new"), "w") as f:
            json.dump(faults, f)
        os.rename(self.path("control.new"), self.path("control"))
        send_signal(self.mock.pid, signal.SIGHUP, os.getpid())

    # --- chains ---

    def import_devices(self, lines):
        conf = self.path("import.conf")
        with open(conf, "w") as f:
            json.dump(self.conf("import"), f)
        subprocess.run([os.path.join(BIN, "push-device"), "--config", conf, "import", "-"], env=self.env, check=True,
                       input="".join(line + "\n" for line in lines), encoding="utf-8", stdout=subprocess.DEVNULL)

    def conf(self, worker):
        keys = self.path("keys")
        programs = list(STAGES)
        if self.is_naive:
            naive = os.path.join(ROOT, "test", "crash", "naive-pop")
            programs = [{"program": naive, "args": [self.socket, "push:high", "push:normal", "push:low"]}] + list(NAIVE)
        programs[-1] = {"program": "push-stats", "args": ["--report"]}
        conf = {
            "redis": "unix://" + self.socket,
            "queues": ["push:high", "push:normal", "push:low"],
            "worker": worker,
            "apps": {"shop": {
                "auth": "optional",
                "apns": {"key_file": keys + "/AuthKey_MOCKKEY001.p8", "key_id": "MOCKKEY001",
                         "team_id": "MOCKTEAM01", "topic": "com.example.shop"},
                "fcm": {"service_account_file": keys + "/service-account.json"}}},
            # Giving up is another promise than the ones that are tried here.
            "pop": {"window": 200, "lease": "%dms" % LEASE_MS, "attempts": 1000},
            "ack": {"attempts": 1000, "results": self.path(worker + ".results")},
            "fatigue": {"rules": [{"category": "marketing", "limit": 3, "per": "24h"}]},
            "apns": {"production": "https://127.0.0.1:%d" % self.ports["apns"], "ca_file": keys + "/ca.pem",
                     "timeout": "1500ms"},
            "fcm": {"url": "https://127.0.0.1:%d" % self.ports["fcm"], "ca_file": keys + "/ca.pem",
                    "token_url": "https://127.0.0.1:%d/token" % self.ports["oauth"], "timeout": "1500ms"},
            "run": {"chain": programs, "drain": "3s", "restart": "500ms"},
        }
        for section, members in self.changes.items():
            conf[section] = dict(conf.get(section, {}), **members)
        return conf

    def start_chains(self, count):
        for i in range(count):
            chain = Chain(self, "w%d" % (i + 1))
            self.chains.append(chain)
            chain.start()

    def orphans(self):
        """Programs of a push-run that is gone."""
        known = {self.redis.pid, self.mock.pid} | {c.process.pid for c in self.chains}
        return [pid for pid in children_of(os.getpid()) if pid not in known]

    def reap(self):
        for pid in self.orphans():
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass

    def has_no_orphans(self):
        self.reap()
        return not self.orphans()

    # --- the end ---

    def close(self, keep):
        for chain in self.chains:
            chain.signal_all(signal.SIGCONT)
            chain.signal_all(signal.SIGKILL)
            chain.process.wait()
        for process in (self.mock, self.redis):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        for pid in children_of(os.getpid()):
            send_signal(pid, signal.SIGKILL, os.getpid())
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass
        if keep:
            print("everything is in " + self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
