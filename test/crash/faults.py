"""Who is hurt, when and how: a schedule that depends on nothing but the seed."""
import signal

# Orders for the mock; each lasts a moment.  Shares are small enough that no task
# meets one after the other for ever.
ORDERS = (
    {"apns": {"error": {"status": 503, "reason": "ServiceUnavailable", "ratio": 0.3}}},
    {"fcm": {"error": {"status": 503, "ratio": 0.2}}},
    {"apns": {"error": {"status": 500, "reason": "InternalServerError", "ratio": 0.2}}},
    {"apns": {"reset_every": 7}, "fcm": {"reset_every": 11}},
    {"apns": {"goaway_after": 20}, "fcm": {"goaway_after": 15}},
    {"apns": {"goaway_after": 25, "goaway_then_close": True}},
    {"fcm": {"goaway_after": 25, "goaway_then_close": True}},
    {"apns": {"refuse_every": 4}, "fcm": {"refuse_every": 6}},
    {"apns": {"close_after": 30}, "fcm": {"close_after": 40}},
    {"apns": {"silent": True}},
    {"fcm": {"silent": True}},
    {"apns": {"frozen": True}},
    {"apns": {"down": True}},
    {"fcm": {"down": True}},
    {"oauth": {"revoke": True}},
    {"apns": {"stream_limit": 2}, "fcm": {"stream_limit": 2}},
    {"apns": {"delay_ms": 300}, "fcm": {"delay_ms": 300}},
)
CALM = {"apns": {"delay_ms": 30}, "fcm": {"delay_ms": 30}}


class Hurt:
    """One signal to one program of one chain."""

    def __init__(self, program, signo, rng, chains):
        self.program = program
        self.signo = signo
        self.chain = rng.randrange(chains)
        # With the one before, or a little later.
        self.pause_s = 0.0 if rng.random() < 0.4 else rng.random() * 0.35
        # Most stops are short; one in eight outlasts the lease.
        self.stop_s = 3.2 + rng.random() if rng.random() < 0.125 else 0.05 + rng.random() * 0.8
        self.down_s = rng.random() * 0.4  # until it is started again, where we do that
        self.is_hasty = rng.random() < 0.5  # push-run: not waiting for what is left of the old chain


def schedule(programs, kills, stops, chains, rng):
    hurts = []
    for program in programs:
        hurts += [Hurt(program, signal.SIGKILL, rng, chains) for _ in range(kills)]
        hurts += [Hurt(program, signal.SIGSTOP, rng, chains) for _ in range(stops)]
    rng.shuffle(hurts)
    return hurts


def orders(rng):
    """Without end: what is ordered, and for how many seconds."""
    while True:
        if rng.random() < 0.4:
            yield CALM, 0.3 + rng.random()
        else:
            yield rng.choice(ORDERS), 0.2 + rng.random() * 1.2
