"""Webhooks: a push is applied when the git host says so, long before the next look at the repository."""

import hashlib
import hmac
import json
import os
import re

from lab import contains, expect, free_port, request, wait

KEY = "a key that nobody knows"


def post(port, path, body, headers):
    return request(f"http://127.0.0.1:{port}", "POST", path, body, {"Content-Type": "application/json", **headers})


def test_a_webhook_brings_a_push_at_once(w):
    port, config = free_port(), w.path("hooks", "recv.yaml")
    os.makedirs(w.path("hooks"))
    with open(w.path("hooks", "github.key"), "w") as out:
        out.write(KEY + "\n")
    with open(config, "w") as out:
        out.write("fluxRecvVersion: 1\nendpoints:\n- {source: GitHub, keyPath: github.key}\n")
    w.commit({"web.yaml": [w.namespace(), w.configmap("one")]})
    w.serin("--git-poll-interval=1h", f"--listen-hooks=127.0.0.1:{port}", f"--hooks-config={config}")
    w.synced()
    head = w.commit({"web.yaml": [w.namespace(), w.configmap("two")]})
    w.settle()
    expect(w.data("two"), None, "the new object before anybody spoke of it")

    path = "/hook/" + hashlib.sha256((KEY + "\n").encode()).hexdigest()
    contains(w.log(), re.escape(f"source=GitHub path={path}"), "the path in the log")
    body = json.dumps({"ref": "refs/heads/" + w.branch, "repository": {"ssh_url": "git@git.example.org:a/b.git"}}).encode()
    signature = "sha256=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    told = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "1", "X-Hub-Signature-256": signature}
    expect(post(port, path, body, {**told, "X-Hub-Signature-256": signature[:-1] + "x"})[0], 401, "a wrong signature")
    expect(request(f"http://127.0.0.1:{port}", "GET", "/api/flux/v11/version")[0], 404, "the API at the listener for webhooks")
    w.settle()
    expect(w.data("two"), None, "the new object after a hook without proof")
    expect(post(port, path, body, told), (200, "OK"), "the hook")
    w.synced(head)
    expect(w.data("two"), {"key": "one"}, "the new object")
    expect(post(port, path, body, told), (200, "OK"), "the hook once more")
    wait(lambda: "webhook repeated" in w.log(), "the repetition to be known")
    if KEY in w.log():
        raise AssertionError("the key is in the log")


def test_webhooks_need_their_file(w):
    process = w.serin("--listen-hooks=127.0.0.1:0", ready=False)
    wait(lambda: not process.running, "serin to end")
    contains(process.text(), "--listen-hooks and --hooks-config need each other", "why it ended")
    w.stop(expected=1)
