"""As much of a Redis client as the harness needs: one call, one answer."""
import socket


class Broken(Exception):
    """The connection is gone; what was sent may or may not have been done."""


class Refused(Exception):
    """The server answered with an error: nothing was done."""


class Redis:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.buffer = b""
        try:
            self.sock.connect(path)
        except OSError as e:
            raise Broken(str(e)) from e

    def close(self):
        self.sock.close()

    def call(self, *args):
        return self.pipeline([args])[0]

    def pipeline(self, calls):
        """Answers in order; an error answer is a Refused in the list, or raised when it is the only one."""
        out = []
        for args in calls:
            out.append(b"*%d\r\n" % len(args))
            for arg in args:
                arg = arg if isinstance(arg, bytes) else str(arg).encode()
                out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
        try:
            self.sock.sendall(b"".join(out))
            answers = [self._read() for _ in calls]
        except OSError as e:
            raise Broken(str(e)) from e
        if len(answers) == 1 and isinstance(answers[0], Refused):
            raise answers[0]
        return answers

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _more(self):
        more = self.sock.recv(65536)
        if not more:
            raise Broken("closed")
        self.buffer += more

    def _read(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return Refused(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return None if rest == b"-1" else [self._read() for _ in range(int(rest))]
        if rest == b"-1":
            return None
        n = int(rest)
        while len(self.buffer) < n + 2:
            self._more()
        text, self.buffer = self.buffer[:n], self.buffer[n + 2:]
        return text
