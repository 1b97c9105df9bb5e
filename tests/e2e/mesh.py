"""Worlds whose pods answer: the playground's data plane and a Prometheus that reads it, one of each for all tests, and serin canary
between them; everything is asked with real HTTP requests and real kubectl."""

import atexit
import collections
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import yaml

from canaries import Canaries
from lab import HERE, Failed, Process, expect, free_port, request, wait

LONG = 150  # seconds that a run may take on a busy machine
lock, meshes = threading.Lock(), {}


def walks(seconds):
    """Marks a test of this kind: those share a cluster, since the data plane answers for all pods and accepts all routes of one."""
    def mark(test):
        test.seconds, test.shares_cluster = seconds, "walk"
        return test
    return mark


class Mesh:
    """The data plane of a cluster and its Prometheus, until this process ends."""

    def __init__(self, options):
        self.directory, self.processes = tempfile.mkdtemp(prefix="e2e-mesh-"), []
        atexit.register(self.stop)
        plane = self.run([options.playground, "mesh", "--kubeconfig", options.kubeconfig, "--serin", options.serin], "plane.log")
        said = wait(lambda: re.search(r"gateway (\S+) proxy (\S+) metrics (\S+)", plane.text()), "the data plane", 60)
        self.gateway, self.proxy, self.metrics = said.groups()
        port = free_port()
        self.prometheus = f"http://127.0.0.1:{port}"
        self.run([os.path.join(HERE, "..", "..", "scripts", "lib", "prometheus.sh"), os.path.join(self.directory, "prometheus"), f"127.0.0.1:{port}",
                  urllib.parse.urlsplit(self.metrics).netloc], "prometheus.log")
        wait(lambda: request(self.prometheus, "GET", "/-/ready")[0] == 200, "Prometheus", 60)

    def run(self, command, log):
        process = Process(command, os.path.join(self.directory, log))
        self.processes.append(process)
        return process

    def stop(self):
        for process in reversed(self.processes):
            process.stop(5)
        shutil.rmtree(self.directory, ignore_errors=True)


def mesh_of(options):
    with lock:
        if options.kubeconfig not in meshes:
            meshes[options.kubeconfig] = Mesh(options)
        return meshes[options.kubeconfig]


class Walk(Canaries):
    """A namespace with podinfo, its autoscaler, a load tester and, when told, a Canary; serin canary in a mesh."""

    def __init__(self, w, *flags, provider="istio", **more):
        self.mesh = mesh_of(w.options)
        usual = w.environment
        w.environment = lambda more=None: usual({"http_proxy": self.mesh.proxy, "no_proxy": "127.0.0.1,localhost", **(more or {})})
        super().__init__(w, "--metrics-server=" + self.mesh.prometheus, "--mesh-provider=" + provider, *flags, **more)
        self.host = f"app.{w.ns}.example.com"
        self.apply(self.workloads())
        self.kubectl("rollout", "status", "deployment/flagger-loadtester", "--timeout=60s")
        wait(lambda: self.inside("flagger-loadtester", "/healthz")[0] == 200, "the load tester to answer", 60)

    # -- objects ------------------------------------------------------------------------------------------------

    def workloads(self):
        container = {"name": "podinfod", "image": "ghcr.io/stefanprodan/podinfo:6.0.0", "ports": [{"name": "http", "containerPort": 9898}],
                     "command": ["./podinfo", "--port=9898"], "readinessProbe": {"httpGet": {"path": "/readyz", "port": 9898}}}
        tester = {"name": "loadtester", "image": "ghcr.io/fluxcd/flagger-loadtester:0.34.0", "ports": [{"name": "http", "containerPort": 8080}],
                  "command": ["./loadtester", "-port=8080", "-log-level=info", "-timeout=1h"]}
        return [self.of(container, "podinfo"), self.of(tester, "flagger-loadtester"),
                {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "flagger-loadtester", "namespace": self.w.ns},
                 "spec": {"selector": {"app": "flagger-loadtester"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}]

    def of(self, container, name):
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": self.w.ns, "labels": {"app": name}},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}},
                         "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}}}

    def podinfo_canary(self, service=None, spec=None, **analysis):
        """The seeds' Canary of podinfo in this namespace, with what a test changes of it."""
        made = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "progressDeadlineSeconds": 60,
                "service": {"port": 9898, "targetPort": "http", "gateways": ["public", "mesh"], "hosts": [self.host], **(service or {})},
                "analysis": {"interval": "10s", "threshold": 2, "metrics": [
                    {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "30s"},
                    {"name": "request-duration", "thresholdRange": {"max": 500}, "interval": "30s"}], **analysis}, **(spec or {})}
        made["service"] = {key: value for key, value in made["service"].items() if value is not None}
        self.apply([{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo", "namespace": self.w.ns}, "spec": made}])
        self.initialized("podinfo", timeout=LONG)

    def hook(self, name, kind, path="/", **metadata):
        return {"name": name, "type": kind, "timeout": "20s", "url": f"http://flagger-loadtester.{self.w.ns}{path}",
                **({"metadata": metadata} if metadata else {})}

    def load(self, host=None):
        """A load test of 20 requests a second on the apex, or on one of the Services."""
        return self.hook("load-test", "rollout", type="cmd", cmd=f"hey -z 1m -q 10 -c 2 http://{host or 'podinfo'}.{self.w.ns}:9898/")

    def load_from_outside(self):
        """The same through the gateway."""
        return self.hook("load-test", "rollout", type="cmd", cmd=f"hey -z 1m -q 10 -c 2 -host {self.host} {self.mesh.gateway}/")

    def set_image(self, tag):
        self.kubectl("set", "image", "deployment/podinfo", f"podinfod=ghcr.io/stefanprodan/podinfo:{tag}")

    def tag(self, name):
        return self.w.get("Deployment", name)["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]

    # -- asking -------------------------------------------------------------------------------------------------

    def kubectl(self, *words, data=None):
        done = subprocess.run(["kubectl", "--kubeconfig", self.w.options.kubeconfig, "-n", self.w.ns, *words], input=data, capture_output=True,
                              text=True, timeout=120)
        if done.returncode:
            raise Failed(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout

    def apply(self, objects):
        self.kubectl("apply", "-f", "-", data=yaml.safe_dump_all(objects))

    def outside(self, path="/version", **headers):
        """Through the gateway: (status, JSON or text, headers)."""
        return self.open(urllib.request.Request(self.mesh.gateway + path, headers={"Host": self.host, **headers}), {})

    def inside(self, service, path, data=None, port=80):
        """Through the proxy of names: (status, JSON or text)."""
        body = None if data is None else json.dumps(data).encode()
        return self.open(urllib.request.Request(f"http://{service}.{self.w.ns}:{port}{path}", data=body), {"http": self.mesh.proxy})[:2]

    @staticmethod
    def open(what, proxies):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
        try:
            with opener.open(what, timeout=20) as answer:
                status, text, headers = answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            status, text, headers = error.code, error.read().decode(), error.headers
        return status, json.loads(text) if text[:1] == "{" else text, headers

    def versions(self, count=100, **headers):
        """Who answered that many requests at the gateway."""
        found = collections.Counter()
        for _ in range(count):
            status, body, _ = self.outside(**headers)
            found[body["version"] if status == 200 else status] += 1
        return found

    def counted(self, **labels):
        """Requests that the data plane counted under these labels, in this namespace."""
        total, text = 0, request(self.mesh.metrics, "GET", "/metrics")[1]
        for line in text.splitlines():
            if line.startswith("playground_requests_total{"):
                given = dict(re.findall(r'(\w+)="([^"]*)"', line))
                if given["namespace"] == self.w.ns and all(given[key] == value for key, value in labels.items()):
                    total += float(line.rpartition(" ")[2])
        return total

    # -- alerts -------------------------------------------------------------------------------------------------

    def slack(self):
        """Flags for alerts to the receiver."""
        return [f"--slack-url={self.receiver.url('slack')}", "--slack-channel=releases"]

    def alerts(self):
        return [(one["attachments"][0]["author_name"], one["attachments"][0]["text"], one["attachments"][0]["color"], one["channel"])
                for one in (json.loads(body) for _, _, body in self.receiver.asked("slack"))]

    def rolled_back(self, reason):
        """Until it is, and that nothing is left of the run."""
        self.wait_said("podinfo", reason, timeout=LONG)
        self.wait_phase("podinfo", phase="Failed", canaryWeight=0, timeout=LONG)
        expect(self.weights("podinfo"), (100, 0), "weights after the rollback")
        wait(lambda: self.replicas("podinfo") == 0, "the canary to be scaled down")
        expect(self.tag("podinfo-primary"), "6.0.0", "tag of the primary")
        expect(self.versions(20), {"6.0.0": 20}, "answers after the rollback")


def measured_split(walk, until, weights=None):
    """Canary weight -> who answered 100 requests at the gateway while that was the weight."""
    found, began = {}, time.monotonic()
    weights = weights or (lambda: walk.weights("podinfo"))
    while not until() and time.monotonic() - began < LONG:
        before = weights()
        if before[1] in found:
            time.sleep(0.2)
            continue
        time.sleep(0.3)  # until the gateway knows
        counted = walk.versions()
        if weights() == before:
            found[before[1]] = counted
    return found
