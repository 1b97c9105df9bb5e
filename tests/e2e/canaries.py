"""Worlds with canaries: serin canary behind the proxy, servers of metrics and hooks that behave as told, a witness of what is written."""

import http.client
import http.server
import json
import re
import threading
import time
import urllib.parse

from lab import KINDS, Failed, Process, expect, free_port, request, wait
from test_canary_crds import install
from test_deploy import define

KINDS["ReplicaSet"] = ("/apis/apps/v1", "replicasets", True)
PODINFO = "podinfo:{}"


class Receiver:
    """An HTTP server for metrics, hooks, alerts and events: its first path element is a name, and `answers` says what that one does.

    An answer is a dictionary: status, body, headers, delay (seconds), hang (no answer at all), value (of a Prometheus vector), or a list
    of answers, of which the last one repeats. A name without an answer has 200, and 100 as the value of every query.
    """

    def __init__(self):
        self.answers, self.calls, self.events, self.ended = {}, [], [], threading.Event()
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8", "replace")
                try:
                    outer.answer(self, body)
                except OSError:
                    self.close_connection = True  # who asked has gone

            do_GET = do_POST

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 256

            def handle_error(self, *args):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def url(self, name):
        return f"{self.base}/{name}"

    def asked(self, name):
        """What came for a name: (seconds, path and query, body)."""
        with self.lock:
            return [one[1:] for one in self.calls if one[0] == name]

    def take(self, name, path, body):
        with self.lock:
            self.calls.append((name, time.monotonic(), path, body))
            answer = self.answers.get(name, {})
            if isinstance(answer, list):
                return answer.pop(0) if len(answer) > 1 else answer[0]
            return answer

    def answer(self, handler, body):
        name = handler.path.split("/")[1].split("?")[0]
        if name == "events":
            said = json.loads(body)
            with self.lock:
                self.events.append((said["namespace"], said["name"], said["phase"], said["metadata"]["eventType"], said["metadata"]["eventMessage"]))
        answer = self.take(name, handler.path, body)
        if answer.get("hang"):
            self.ended.wait(300)
            handler.close_connection = True
            return
        self.ended.wait(answer.get("delay", 0))
        text = answer.get("body")
        if text is None and "/api/v1/query" in handler.path:
            result = [{"metric": {}, "value": [1700000000, str(1 if "vector(1)" in urllib.parse.unquote(handler.path) else answer.get("value", 100))]}]
            text = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})
        data = text if isinstance(text, bytes) else (text or "").encode()
        status = answer.get("status", 200)
        handler.send_response(status)
        for key, value in answer.get("headers", {}).items():
            handler.send_header(key, value)
        if status != 204:
            handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if status != 204:
            handler.wfile.write(data)


class Witness:
    """Everything that becomes of objects of some kinds, in the order of the API server's revisions."""

    def __init__(self, cluster, *kinds, ns=None):
        self.cluster, self.ended, self.connections, self.lock = cluster, False, {}, threading.Lock()
        self.lines, self.events = {kind: [] for kind in kinds}, {kind: [] for kind in kinds}
        for kind in kinds:
            path = cluster.path(kind, None, ns)
            version = cluster.ask("GET", path)["metadata"]["resourceVersion"]
            threading.Thread(target=self.follow, args=(kind, path, version), daemon=True).start()

    def follow(self, kind, path, version):
        """The API server ends the watches of those who are slow; what they missed comes with the next one."""
        while not self.ended:
            connection = self.connections[kind] = http.client.HTTPSConnection(self.cluster.host, self.cluster.port, context=self.cluster.context)
            try:
                connection.request("GET", f"{path}?watch=1&resourceVersion={version}", headers={
                    "Authorization": "Bearer " + self.cluster.token, "Accept": "application/json"})
                answer = connection.getresponse()
                while (line := answer.readline()).endswith(b"\n"):
                    self.lines[kind].append(line)
            except (OSError, ValueError, AttributeError, http.client.HTTPException):
                time.sleep(0.1)
            version = next((one[0] for one in reversed(self.parsed(kind))), version)

    def stop(self, *_):
        self.ended = True
        for connection in self.connections.values():
            if connection.sock:
                connection.sock.shutdown(2)

    def parsed(self, kind):
        """(revision, type, kind, object) of what has come; parsed late, so that reading keeps up."""
        with self.lock:
            events = self.events[kind]
            for line in self.lines[kind][len(events):]:
                one = json.loads(line)
                if one["type"] == "ERROR":
                    raise Failed(f"the watch of {kind}s: {one['object']}")
                events.append((int(one["object"]["metadata"]["resourceVersion"]), one["type"], kind, one["object"]))
            return list(events)

    def has_all(self, ns, name):
        """Whether it has seen the objects of that name as they are now."""
        for kind in self.events:
            now = self.cluster.get(kind, name, ns)
            seen = [one[0] for one in self.parsed(kind) if one[3]["metadata"]["name"] == name and one[3]["metadata"]["namespace"] == ns]
            if now and int(now["metadata"]["resourceVersion"]) not in seen[-1:]:
                return False
        return True

    def seen(self, kind=None, ns=None, name=None):
        """(type, kind, object) in order."""
        found = [event for one in self.events if kind in (None, one) for event in self.parsed(one)]
        return [one[1:] for one in sorted(found, key=lambda one: one[0])
                if ns in (None, one[3]["metadata"].get("namespace")) and name in (None, one[3]["metadata"]["name"])]


class Canaries:
    """A world in which serin canary runs."""

    def __init__(self, w, *flags, routes=("VirtualService", "DestinationRule"), start=True, everywhere=False, in_namespace=False):
        self.w, self.flags, self.everywhere, self.port = w, flags, everywhere, free_port()
        install(w.cluster)
        for kind in routes:
            define(w, kind)
        for kind in routes:
            wait(lambda kind=kind: w.cluster.ask("GET", w.cluster.path(kind)), kind + " to be served")
        if not in_namespace:
            w.cluster.create("Namespace", w.namespace())
        self.receiver = Receiver()
        w.processes.append(self.receiver)
        if start:
            self.start()

    # -- the process --------------------------------------------------------------------------------------------

    def start(self, ready=True):
        w = self.w
        given = {one.split("=")[0] for one in self.flags}
        usual = ["--kubeconfig=" + w.path("kubeconfig"), f"--port={self.port}", "--event-webhook=" + self.receiver.url("events"),
                 "--metrics-server=" + self.receiver.url("prometheus"), "--kube-in-flight=32", *([] if self.everywhere else ["--namespace=" + w.ns])]
        w.starts += 1
        w.serin_process = Process([w.options.serin, "canary", *[one for one in usual if one.split("=")[0] not in given], *self.flags],
                                  w.path(f"serin{w.starts}.log"), env=w.environment(), cwd=w.path("home"))
        if ready:
            wait(self.answers, "serin canary to answer")

    def answers(self):
        process = self.w.serin_process
        if not process.running:
            raise Failed(f"serin canary ended with {process.child.poll()}: {process.text()[-3000:]}")
        return request(f"http://127.0.0.1:{self.port}", "GET", "/healthz")[0] == 200

    def restart(self):
        self.w.stop()
        self.start()

    def kill(self):
        self.w.kill()

    def metrics(self):
        """Series of serin's own metrics -> value."""
        text = request(f"http://127.0.0.1:{self.port}", "GET", "/metrics")[1]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line and not line.startswith("#")}

    def latest(self):
        """Seconds that the latest tick of all came late at most: the bucket of the histogram that holds them all."""
        series = self.metrics()
        count = series.get("serin_canary_tick_lateness_seconds_count", 0)
        for name, value in series.items():
            found = re.match(r'serin_canary_tick_lateness_seconds_bucket\{le="(.*)"\}', name)
            if found and value == count:
                return float(found[1].replace("+Inf", "inf"))
        return 0.0

    # -- objects ------------------------------------------------------------------------------------------------

    def canary(self, name, ns=None, provider="istio", analysis=None, annotations=None, **spec):
        """A Canary of one step, that is ten seconds and a bit, unless told otherwise; None takes a field away."""
        ns = ns or self.w.ns
        merged = {"interval": "10s", "threshold": 3, **(analysis if analysis and {"stepWeights", "iterations", "stepWeight"} & analysis.keys()
                                                        else {"stepWeight": 50, "maxWeight": 50, **(analysis or {})})}
        made = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, **({"provider": provider} if provider else {}),
                "service": {"port": 80}, "progressDeadlineSeconds": 60, **spec, "analysis": merged}
        return self.w.cluster.create("Canary", {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {
            "name": name, "namespace": ns, "annotations": annotations or {}}, "spec": made}, ns)

    def deployment(self, name, image="1", ns=None, replicas=1, **pod):
        ns = ns or self.w.ns
        made = self.w.deployment(name, image=PODINFO.format(image), replicas=replicas)
        made["metadata"]["namespace"] = ns
        made["spec"]["template"]["spec"].update(pod)
        return self.w.cluster.create("Deployment", made, ns)

    def both(self, name, ns=None, replicas=1, **spec):
        self.deployment(name, ns=ns, replicas=replicas)
        return self.canary(name, ns=ns, **spec)

    def release(self, name, image="2", ns=None):
        """A new revision of a target."""
        self.w.cluster.patch("Deployment", name, ns or self.w.ns, json.dumps({"spec": {"template": {"spec": {"containers": [
            {"name": "main", "image": PODINFO.format(image)}]}}}}), "application/strategic-merge-patch+json")

    def change(self, name, spec, ns=None):
        self.w.cluster.patch("Canary", name, ns or self.w.ns, json.dumps({"spec": spec}))

    def image(self, name, ns=None):
        found = self.w.cluster.get("Deployment", name, ns or self.w.ns)
        return found and found["spec"]["template"]["spec"]["containers"][0]["image"].removeprefix("podinfo:")

    def replicas(self, name, ns=None):
        return self.w.cluster.get("Deployment", name, ns or self.w.ns)["spec"]["replicas"]

    def status(self, name, ns=None):
        found = self.w.cluster.get("Canary", name, ns or self.w.ns)
        return (found or {}).get("status") or {}

    def weights(self, name, ns=None, kind="VirtualService"):
        """(primary, canary) of its VirtualService; None without one."""
        return weights_of(self.w.cluster.get(kind, name, ns or self.w.ns), name)

    def weights_of_route(self, name):
        """The same of its HTTPRoute."""
        rules = self.w.cluster.get("HTTPRoute", name, self.w.ns)["spec"]["rules"]
        found = {one["name"]: one.get("weight", 0) for one in rules[-1]["backendRefs"]}
        return found.get(name + "-primary"), found.get(name + "-canary")

    # -- waiting ------------------------------------------------------------------------------------------------

    def wait_phase(self, *names, phase, ns=None, timeout=60, **fields):
        """Until all are in a phase (with these values of other fields); gives the seconds."""
        began = time.monotonic()
        for name in names:
            def look(name=name):
                self.answers()
                status = self.status(name, ns)
                found = {"phase": status.get("phase"), **{key: status.get(key) for key in fields}}
                return found == {"phase": phase, **fields} or expect(found, {"phase": phase, **fields}, f"status of {name}")
            wait(look, f"{name} to be {phase}", timeout)
        return time.monotonic() - began

    def said(self, name, ns=None):
        """Texts of the events of a canary, as the event webhook got them."""
        with self.receiver.lock:
            return [one[4] for one in self.receiver.events if one[:2] == (ns or self.w.ns, name)]

    def count(self, name, text):
        return sum(1 for one in self.said(name) if text in one)

    def wait_said(self, name, text, kind=None, ns=None, timeout=40, times=1):
        """Until an event with that text was told `times` times; of that type (Normal, Warning) if one is given."""
        def look():
            self.answers()
            with self.receiver.lock:
                found = [one for one in self.receiver.events if one[:2] == (ns or self.w.ns, name) and text in one[4] and kind in (None, one[3])]
            if len(found) >= times:
                return True
            raise Failed("it said:\n    " + "\n    ".join(self.said(name, ns)))
        began = time.monotonic()
        wait(look, f"{name} to say '{text}'", timeout)
        return time.monotonic() - began

    def warned(self, name, text):
        """Until there is a Kubernetes Event of type Warning with that text."""
        def look():
            return any(one["type"] == "Warning" and one["involvedObject"]["name"] == name and text in one["message"] and one["reason"] == "Synced"
                       for one in self.w.cluster.list("Event", self.w.ns))
        wait(look, f"a Warning of {name}: {text}")

    def initialized(self, *names, **more):
        return self.wait_phase(*names, phase="Initialized", **more)

    def succeeded(self, *names, image="2", ns=None, **more):
        """Until they are promoted; what every promotion comes to is looked at."""
        seconds = self.wait_phase(*names, phase="Succeeded", ns=ns, **more)
        for name in names:
            expect((self.image(name + "-primary", ns), self.replicas(name, ns)), (image, 0), f"image of the primary and replicas of {name}")
        return seconds


def weights_of(route, name):
    if not route:
        return None
    found = {one["destination"]["host"].split(".")[0]: one.get("weight", 0) for one in route["spec"]["http"][-1]["route"]}
    return found.get(name + "-primary"), found.get(name + "-canary")


def story(witness, ns, name):
    """What the status of a canary went through, without repetitions: (phase, weight, failed checks, iterations)."""
    found = []
    for _, _, one in witness.seen("Canary", ns, name):
        status = one.get("status") or {}
        row = (status.get("phase"), status.get("canaryWeight"), status.get("failedChecks"), status.get("iterations"))
        if row[0] and (not found or found[-1] != row):
            found.append(row)
    return found


def timeline(witness, ns, name):
    """What happened in short, for those who look for the cause of a failure."""
    for what, kind, one in witness.seen(ns=ns):
        status, spec = one.get("status") or {}, one["spec"]
        shown = {"Canary": lambda: f"{status.get('phase')} {status.get('canaryWeight')}", "VirtualService": lambda: weights_of(one, name)}.get(
            kind, lambda: f"{spec.get('replicas')} replicas, {status.get('readyReplicas', 0)} ready, generation {one['metadata'].get('generation')}"
                          f" ({status.get('observedGeneration')})")()
        yield f"{one['metadata']['resourceVersion']} {what} {kind} {one['metadata']['name']}: {shown}"


def check_promises(witness, ns, name):
    """What holds at every moment of a run that succeeds: weights are percentages of 100, no traffic for pods that are not there, one promotion."""
    ready, templates = False, []
    for what, kind, one in witness.seen(ns=ns):
        if kind == "Deployment" and one["metadata"]["name"] == name:
            ready = what != "DELETED" and (one.get("status") or {}).get("readyReplicas", 0) > 0 and one["spec"]["replicas"] > 0
        elif kind == "Deployment" and one["metadata"]["name"] == name + "-primary":
            template = json.dumps(one["spec"]["template"], sort_keys=True)
            if template not in templates:
                templates.append(template)
        elif kind == "VirtualService" and what != "DELETED":
            primary, canary = weights_of(one, name)
            expect((primary + canary, 0 <= canary <= 100), (100, True), f"weights of {ns}/{name}: {primary}:{canary}")
            if canary and not ready:
                raise Failed(f"{ns}/{name} has {canary} % of the traffic on a canary without ready pods:\n    " +
                             "\n    ".join(timeline(witness, ns, name)))
    expect(len(templates) <= 2, True, f"{ns}/{name}-primary had {len(templates)} templates:\n    " + "\n    ".join(templates))
