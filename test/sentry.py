# A strict stand-in for Sentry: python3 sentry.py PORT-FILE EVENTS-FILE ANSWERS-FILE
#
# Whatever is not as Sentry's documentation says is answered with 400 and a line
# {"refused": why}; an event is appended to EVENTS-FILE.  Each line of ANSWERS-FILE,
# "STATUS [NAME: VALUE]", is the answer to the next request, then 200.
import http.server, json, os, re, sys

port_file, events_file, answers_file = sys.argv[1:]
answered = 0


def check(path, headers, body):
    assert re.fullmatch(r"/api/42/envelope/", path), f"path {path}"
    auth = headers.get("X-Sentry-Auth", "")
    assert auth.startswith("Sentry "), "no X-Sentry-Auth"
    fields = dict(f.strip().split("=", 1) for f in auth[7:].split(","))
    assert fields.get("sentry_version") == "7", "version"
    assert fields.get("sentry_key") == "0123456789abcdef0123456789abcdef", "key"
    assert re.fullmatch(r"push-sentry/[0-9.]+[a-z0-9.-]*", fields.get("sentry_client", "")), "client"
    assert headers.get("Content-Type") == "application/x-sentry-envelope", "content type"
    assert len(body) <= 200 * 1024, "413"
    head, item, rest = body.split(b"\n", 2)
    head, item = json.loads(head), json.loads(item)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", head["sent_at"]), "sent_at"
    assert item["type"] == "event", "type"
    assert len(rest) == item["length"] + 1 and rest[-1:] == b"\n", f"length {item['length']} of {len(rest)}"
    event = json.loads(rest[: item["length"]])
    assert re.fullmatch(r"[0-9a-f]{32}", event["event_id"]) and event["event_id"] == head["event_id"], "event_id"
    assert isinstance(event["timestamp"], float) and event["timestamp"] > 1.6e9, "timestamp"
    assert event["platform"] == "native", "platform"
    assert event["level"] in ("fatal", "error", "warning"), "level"
    assert isinstance(event["fingerprint"], list) and all(isinstance(f, str) for f in event["fingerprint"]), "fingerprint"
    assert event["logentry"]["formatted"], "logentry"
    known = {"event_id", "timestamp", "platform", "level", "logger", "server_name", "release", "environment",
             "tags", "fingerprint", "logentry", "extra"}
    assert set(event) <= known, f"members {set(event) - known}"
    return event


class Endpoint(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        global answered
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, extra = 200, None
        try:
            line = check(self.path, self.headers, body)
            answers = open(answers_file).read().splitlines() if os.path.exists(answers_file) else []
            if answered < len(answers):
                status, _, extra = answers[answered].partition(" ")
                status, extra = int(status), extra or None
                answered += 1
            line["answered"] = status
        except (AssertionError, KeyError, ValueError) as e:
            status, line = 400, {"refused": f"{type(e).__name__}: {e}"}
        with open(events_file, "a") as out:
            print(json.dumps(line), file=out)
        answer = b'{"id":"x"}'
        self.send_response(status)
        if extra:
            self.send_header(*extra.split(": ", 1))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
with open(port_file + ".new", "w") as out:
    print(server.server_port, file=out)
os.rename(port_file + ".new", port_file)
server.serve_forever()
