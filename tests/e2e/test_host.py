"""What a git host is told of commits: of the sync, and of each workload to the end of its canary."""

import http.server
import json
import re
import threading

import test_canary_sync as one
from lab import expect, lasts, wait


class Host(http.server.ThreadingHTTPServer):
    """As GitLab answers: keeps every status, wants the token."""

    def __init__(self):
        self.said, self.strangers = [], 0
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def states(self, sha, context):
        return [state for at, about, state in self.said if (at, about) == (sha, context)]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = re.fullmatch(r"/api/v4/projects/[^/]+%2Frepo/statuses/([0-9a-f]{40})", self.path)
        if not found or self.headers["PRIVATE-TOKEN"] != "s3cret-of-the-host":
            self.server.strangers += 1
            self.send_error(401)
            return
        self.server.said.append((found.group(1), body["context"], (body["state"], body["description"])))
        self.send_response(201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def begin(w, host):
    token = w.path("host-token")
    with open(token, "w") as out:
        out.write("s3cret-of-the-host\n")
    one.install(w.cluster)
    w.cluster.create("Namespace", w.namespace())
    w.commit({"cart.yaml": [one.workload(w), one.apex(w)], "canary.yaml": one.canary(w)})
    server = w.sshd()
    w.serin("--canaries=on", "--k8s-allow-namespace=" + w.ns, "--git-host-status=gitlab", f"--git-host-token-file={token}",
            f"--identity-file={server.path('identity')}", f"--ssh-known-hosts={server.path('known_hosts')}", f"--git-url={w.url}",
            f"--git-host-api=http://127.0.0.1:{host.server_port}/api/v4")
    w.synced()
    wait(lambda: one.phase(w) == "Initialized", "the canary to be initialised")


@lasts(60)
def test_a_git_host_is_told_what_became_of_a_commit(w):
    host, about = Host(), f"serin/{w.ns}:deployment/cart"
    begin(w, host)
    first = w.head()
    wait(lambda: host.states(first, "serin/sync") and host.states(first, about), "the states of the first commit")
    expect(host.states(first, about), [("success", "applied")], "the workload's")
    expect(host.states(first, "serin/sync")[-1][0], "success", "the sync's")
    w.commit({"cart.yaml": [one.workload(w, "app:2"), one.apex(w)]})
    second = w.head()
    wait(lambda: ("success", "promoted") in host.states(second, about), "the end of the canary at the host", 90)
    states = [state for state, _ in host.states(second, about)]
    expect((states[-2:], "failed" in states), (["running", "success"], False), f"states of the second commit: {host.said}")
    w.commit({"broken.yaml": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not A Name", "namespace": w.ns}}})
    third = w.head()
    wait(lambda: host.states(third, "serin/sync"), "the state of a commit that fails in parts")
    expect(host.states(third, "serin/sync")[-1][0], "failed", "the sync's")
    expect(host.strangers, 0, "requests that the host did not want")
    expect("s3cret" in w.log(), False, "the token in the log")
    host.shutdown()
