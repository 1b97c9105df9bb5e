"""Metrics servers and hooks that fail in every way: each a failed check, told with its reason, and no other canary waits for it."""

import time

from canaries import Canaries
from lab import contains, expect, free_port, lasts, wait
from test_canary_input import together

RATE = {"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}}
LATE = 5.0  # seconds; those that hang take as long, or longer
EVENT_MAX = 1100  # characters of a Kubernetes Event
TEXT_MAX = 6000  # of what the log and event webhooks get

# What a metrics server does, and what the event says of it.
METRICS = {
    "slow": ({"delay": 20}, "Prometheus query failed: running query failed: request failed: "),
    "nan": ({"value": "NaN"}, "Halt advancement no values found for istio metric request-success-rate probably nan."),
    "text": ({"body": "hello"}, "Prometheus query failed: running query failed: "),
    "list": ({"body": "[" * 100000}, "Prometheus query failed: running query failed: "),
    "huge": ({"body": b'{"status":"' + b"x" * 50_000_000 + b'"}'}, "Prometheus query failed: running query failed: error reading body: the answer is over "),
    "broken": ({"status": 500, "body": "boom"}, "Prometheus query failed: running query failed: error response: Status 500 Internal Server Error: boom"),
    "endless": ({"status": 302, "headers": {"Location": "/endless/api/v1/query"}}, "Prometheus query failed: running query failed: "),
    "down": ({}, "Prometheus query failed: running query failed: "),
}


def in_time(c, ended, name="quick"):
    """A canary that does its steps meanwhile, each when it is due."""
    c.both(name, analysis={"stepWeight": 10, "maxWeight": 90})
    c.initialized(name)
    c.release(name)
    wait(ended, "the others to fail", 90)
    late = c.latest()
    c.w.note(f"no tick was later than {late:g} s, weight of the quick one {c.status(name)['canaryWeight']}")
    expect(late <= LATE, True, f"the latest tick: {late} s")


@together
@lasts(60)
def test_metrics_servers_that_fail(w):
    c = Canaries(w)
    for name, (answer, _) in METRICS.items():
        c.receiver.answers[name] = answer
        server = c.receiver.url(name) if name != "down" else f"http://127.0.0.1:{free_port()}"
        c.both(name, metricsServer=server, analysis={"threshold": 50, "metrics": [RATE]})
    c.initialized(*METRICS, timeout=90)
    for name in METRICS:
        c.release(name)
    in_time(c, lambda: all(c.status(name).get("failedChecks", 0) >= 2 for name in METRICS))
    w.note(f"resident {w.serin_process.rss_kib('VmHWM') // 1024} MiB at most")
    for name, (_, text) in METRICS.items():
        c.wait_said(name, text, "Warning")
        expect(max(len(one) for one in c.said(name)) < TEXT_MAX, True, f"length of what is said of {name}")
        expect((c.status(name)["phase"], c.image(name + "-primary")), ("Progressing", "1"), f"run of {name}")
    for name in METRICS:
        c.receiver.answers[name] = {}
    c.change("down", {"metricsServer": c.receiver.url("down")})
    c.succeeded(*METRICS, timeout=150)


HOOKS = {
    "hang": ({"hang": True}, 'giving up after 1 attempt(s): Post "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'),
    "loop": ({"status": 307, "headers": {"Location": "/loop"}}, "redirects"),
    "empty": ({"status": 204}, "advancement external check empty failed"),
    "error": ({"status": 500, "body": "secret"}, "POST {url} giving up after 1 attempt(s)"),
    "refusal": ({"status": 403, "body": "not yet"}, "advancement external check refusal failed not yet"),
    "big": ({"status": 400, "body": "y" * 10_000_000}, "advancement external check big failed "),
}


@together
@lasts(60)
def test_hooks_that_fail(w):
    c = Canaries(w)
    for name, (answer, _) in HOOKS.items():
        c.receiver.answers[name] = answer
        c.both(name, analysis={"threshold": 50, "webhooks": [{"name": name, "type": "rollout", "url": c.receiver.url(name), "timeout": "15s"}]})
    # What one answers is long, another never hears the events: nobody minds.
    c.receiver.answers.update(ear={"hang": True}, long={"body": "z" * 10_000_000})
    c.both("deaf", analysis={"webhooks": [{"name": "ear", "type": "event", "url": c.receiver.url("ear")}]})
    c.both("long", analysis={"webhooks": [{"name": "long", "type": "rollout", "url": c.receiver.url("long")}]})
    c.initialized(*HOOKS, "deaf", "long", timeout=90)
    for name in (*HOOKS, "deaf", "long"):
        c.release(name)
    in_time(c, lambda: all(c.status(name).get("failedChecks", 0) >= 1 for name in HOOKS))
    for name, (_, text) in HOOKS.items():
        c.wait_said(name, text.format(url=c.receiver.url(name)), "Warning")
        expect((c.status(name)["phase"], c.image(name + "-primary")), ("Progressing", "1"), f"run of {name}")
    c.warned("big", "external check big failed yyyy")
    events = [one["message"] for one in w.cluster.list("Event", w.ns) if one["involvedObject"]["name"] == "big"]
    expect(max(map(len, events)) < EVENT_MAX, True, "length of an event about a long answer")
    c.succeeded("deaf", "long", timeout=90)
    w.note(f"resident {w.serin_process.rss_kib('VmHWM') // 1024} MiB at most")
    for name in (*HOOKS, "ear"):
        c.receiver.answers[name] = {}
    c.succeeded(*HOOKS, timeout=150)
    contains("\n".join(body for _, _, body in c.receiver.asked("hang")), '"phase":"Progressing"', "what a hook is told")


@together
@lasts(30)
def test_the_end_does_not_wait_for_hooks_that_hang(w):
    c = Canaries(w)
    c.receiver.answers.update(gate={"hang": True}, slow={"delay": 30})
    c.both("gate", analysis={"webhooks": [{"name": "gate", "type": "confirm-rollout", "url": c.receiver.url("gate"), "timeout": "60s"}]})
    c.both("slow", metricsServer=c.receiver.url("slow"), analysis={"metrics": [RATE]})
    c.initialized("gate", "slow")
    c.release("gate")
    c.release("slow")
    wait(lambda: c.receiver.asked("gate"), "the gate to be asked")
    wait(lambda: any("vector" not in path for _, path, _ in c.receiver.asked("slow")), "the metrics to be asked for")
    began = time.monotonic()
    w.stop()
    w.note(f"ended in {time.monotonic() - began:.1f} s")
    expect(time.monotonic() - began < 20, True, "serin ends while its hooks hang")
    c.receiver.answers.update(gate={}, slow={})
    c.start()
    c.succeeded("gate", "slow", timeout=120)
