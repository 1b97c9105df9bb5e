"""Webhooks of registries: a pushed image becomes a commit at once; whoever cannot prove himself brings about nothing."""

import hashlib
import hmac
import json
import os

from lab import expect, free_port, request, wait
from releases import Releases

KEYS = {"harbor": "harbor's own word", "nexus": "what nexus knows", "generic": "known to one program"}


class Hooks:
    """serin with three webhooks and an automated workload, which looks at the registry only once an hour."""

    def __init__(self, w):
        self.w, self.port, self.r = w, free_port(), Releases(w)
        os.makedirs(w.path("hooks"))
        for name, key in KEYS.items():
            with open(w.path("hooks", name + ".key"), "w") as out:
                out.write(key)
        host = self.r.registry.address
        with open(w.path("hooks", "recv.yaml"), "w") as out:
            out.write("fluxRecvVersion: 1\nendpoints:\n- {source: Harbor, keyPath: harbor.key}\n"
                      f"- source: Nexus\n  keyPath: nexus.key\n  registryHost: \"{host}\"\n- {{source: Generic, keyPath: generic.key}}\n")
        self.paths = {name: "/hook/" + hashlib.sha256((key + (host if name == "nexus" else "")).encode()).hexdigest() for name, key in KEYS.items()}
        self.r.registry.add("shop/web", "1.0")
        self.r.begin({"web.yaml": self.r.automated()}, "--registry-scan-interval=1h", "--automation-interval=1h",
                     f"--listen-hooks=127.0.0.1:{self.port}", "--hooks-config=" + w.path("hooks", "recv.yaml"))
        wait(lambda: self.r.scans() >= 1, "the first scan")

    def post(self, name, body, headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return request(f"http://127.0.0.1:{self.port}", "POST", self.paths.get(name, name), body, {"Content-Type": "application/json", **headers})[0]

    def generic(self, key=KEYS["generic"], signature=None, name="web", headers=None):
        body = json.dumps({"Kind": "image", "Source": {"Name": {"Domain": self.r.registry.address, "Image": "shop/" + name}}}).encode()
        proof = hmac.new(key.encode(), body, hashlib.sha256).hexdigest() if signature is None else signature(body)
        return self.post("generic", body, {"X-Signature": proof, **(headers or {})} if proof is not False else headers or {})


def right(body):
    return hmac.new(KEYS["generic"].encode(), body, hashlib.sha256).hexdigest()


def test_a_registry_s_webhook_becomes_a_commit(w):
    h = Hooks(w)
    h.r.registry.add("shop/web", "1.1")
    image = {"type": "PUSH_ARTIFACT", "event_data": {"resources": [{"resource_url": h.r.image(tag="1.1")}]}}
    expect(h.post("harbor", image, {"Authorization": KEYS["harbor"]}), 200, "Harbor's webhook")
    h.r.wait_live("1.1")
    h.r.registry.add("shop/web", "1.2")
    body = json.dumps({"action": "CREATED", "component": {"format": "docker", "name": "shop/web", "version": "1.2"}}).encode()
    proof = hmac.new(KEYS["nexus"].encode(), body, hashlib.sha1).hexdigest()
    expect(h.post("nexus", body, {"X-Nexus-Webhook-Id": "rm:repository:component", "X-Nexus-Webhook-Signature": proof}), 200, "Nexus's webhook")
    h.r.wait_live("1.2")
    h.r.registry.add("shop/web", "1.3")
    expect(h.generic(), 200, "a signed webhook")
    h.r.wait_live("1.3")


def test_a_webhook_without_proof_brings_about_nothing(w):
    """None, an empty, a short, a long, a wrong one, that of another body, of another key; and what is no request at all."""
    h = Hooks(w)
    h.r.registry.add("shop/web", "1.1")
    scans = h.r.scans()
    wrong = {"none": lambda body: False, "empty": lambda body: "", "short": lambda body: right(body)[:32], "one": lambda body: right(body)[:-1],
             "long": lambda body: right(body) + "0", "wrong": lambda body: "0" * 64, "other": lambda body: right(body + b" "),
             "name": lambda body: "sha1=" + right(body), "huge": lambda body: right(body) * 100}
    for name, signature in wrong.items():
        expect(h.generic(signature=signature), 401, f"answer to a signature: {name}")
    expect(h.generic(key=KEYS["harbor"]), 401, "answer to another endpoint's key")
    expect(h.post("harbor", {"type": "PUSH_ARTIFACT"}, {"Authorization": KEYS["harbor"][:-1]}), 401, "answer to a short token")
    expect(h.post("harbor", {"type": "PUSH_ARTIFACT"}, {}), 401, "answer without a token")
    expect(h.post("/hook/" + "0" * 64, {}, {}), 404, "answer of an endpoint that is not there")
    for body, status in ((b"", 400), (b"{", 400), (b"[" * 100000, 400), (b"\xff" * 1000, 400), (b'{"Kind":"nothing"}', 400)):
        expect(h.post("generic", body, {"X-Signature": right(body)}), status, f"answer to a signed body {body[:10]}")
    big = b'"' + b"x" * (2 << 20) + b'"'
    try:
        status = h.post("generic", big, {"X-Signature": right(big)})
    except OSError:  # closed before all of it was sent
        status = 413
    expect(status, 413, "answer to two megabytes")
    w.settle(2)
    expect((h.r.scans(), h.r.live()), (scans, "1.0"), "scans, tag in the cluster")
    for key in KEYS.values():
        expect(key in w.log(), False, "a key in the log")
    expect(h.generic(), 200, "a signed webhook after all that")
    h.r.wait_live("1.1")


def test_a_webhook_again_and_again_is_one_commit(w):
    h = Hooks(w)
    head = h.r.count()
    h.r.registry.add("shop/web", "1.1")
    before = h.r.scans()
    for n in range(50):
        expect(h.generic(), 200, f"answer {n}")
    h.r.wait_live("1.1")
    scans = h.r.scans() - before
    for n in range(50):
        expect(h.generic(name="nobody"), 200, f"answer {n} for an unknown image")
    w.settle(2)
    expect(h.r.count(), head + 1, "commits")
    w.note(f"{scans:.0f} scans for 50 webhooks")
    expect(0 < scans <= 50, True, f"scans of the registry, of which those share one that come while one runs: {scans}")
