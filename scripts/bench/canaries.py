#!/usr/bin/env python3
"""What canaries cost: memory, CPU and API requests of serin with N of them, idle and with K in analysis, on the real control plane.

    canaries.py --playground PROGRAM --serin PROGRAM [--canaries N] [--analysed K] [--new N...] [--apps N] [--json FILE]

Each of the --new counts (50, 200 and N) is brought up on a cluster of its own and timed from creation to Initialized; N of them then
rest, and K of these get a new image. A canary is a Deployment of one replica behind Istio (definitions that accept anything), with two
built-in checks and a webhook every 10 s; both are answered by this process. Requests are counted from the API server's audit log, CPU
and memory read from /proc. With --apps, `serin run` keeps that many apps of four objects beside the canaries. Nothing is asserted:
figures are printed, beside those of Flagger 1.44 where there are any (same control plane, same machine size).
"""

import concurrent.futures
import http.server
import json
import os
import re
import statistics
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "differential"))
from first_sync import Bench, Usage, arguments, report, say  # noqa: E402
from lab import Process, free_port, request, wait  # noqa: E402
from canary_lab import kube  # noqa: E402
import yaml  # noqa: E402

PER_NAMESPACE = 20
IDLE_SECONDS = 60
ANALYSIS_SECONDS = 60
INTERVAL_SECONDS = 10
CRDS = os.path.join(HERE, "..", "..", "deploy", "crds.yaml")
FLAGGER = {  # measured with tests/differential/canary.py load, and from its recordings
    "new": {50: "median 17 s", 200: "median 37 s"}, "idle": {200: "79 MiB, 113 requests/s"}, "tick": "12 to 19 requests",
}


class Stub:
    """Prometheus and webhook receiver in one: every check passes, every hook agrees."""

    def __init__(self):
        self.queries = self.hooks = 0
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 4096
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def do_GET(self):
                stub.queries += 1
                value = "1" if "query=vector" in self.path else "0.01" if "histogram_quantile" in self.path else "100"
                self.answer({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, value]}]}})

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                stub.hooks += 1
                self.answer({})

            def answer(self, value):
                body = json.dumps(value).encode()
                self.send_response_only(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Seen:
    """When each canary, and the pods of its primary, were first seen ready."""

    def __init__(self, client):
        self.initialized, self.ready, self.phases, self.weights = {}, {}, {}, {}
        self.stopped = threading.Event()
        for version, kind, see in (("flagger.app/v1beta1", "Canary", self.canary), ("apps/v1", "Deployment", self.deployment)):
            threading.Thread(target=client.watch, args=(version, kind, see, self.stopped), daemon=True).start()

    def canary(self, event, item):
        name, status = item["metadata"]["name"], item.get("status", {})
        self.phases[name], self.weights[name] = status.get("phase"), status.get("canaryWeight", 0)
        if status.get("phase") == "Initialized":
            self.initialized.setdefault(name, time.monotonic())

    def deployment(self, event, item):
        name, status = item["metadata"]["name"], item.get("status", {})
        if name.endswith("-primary") and status.get("availableReplicas", 0) >= 1:
            self.ready.setdefault(name[:-len("-primary")], time.monotonic())


def app(number):
    """A workload of one replica and its canary."""
    name, labels = f"can{number}", {"app": f"can{number}"}
    meta = {"name": name, "namespace": f"canaries-{number // PER_NAMESPACE}"}
    container = {"name": "main", "image": "podinfo:6.0.0", "ports": [{"name": "http", "containerPort": 9898}],
                 "env": [{"name": f"SETTING_{i}", "value": "x" * 40} for i in range(10)],
                 "readinessProbe": {"httpGet": {"path": "/readyz", "port": 9898}},
                 "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}}
    checks = [{"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}},
              {"name": "request-duration", "interval": "1m", "thresholdRange": {"max": 500}}]
    return [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {**meta, "labels": labels}, "spec": {
                "replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}},
            {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": meta, "spec": {
                "provider": "istio", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "service": {"port": 80, "targetPort": 9898, "hosts": [f"{name}.example.com"]},
                "analysis": {"interval": f"{INTERVAL_SECONDS}s", "threshold": 5, "maxWeight": 90, "stepWeight": 2, "metrics": checks,
                             "webhooks": [{"name": "load-test", "type": "rollout", "url": STUB.url + "/hook", "timeout": "5s"}]}}}]


STUB = Stub()


class Canaries(Bench):
    def install(self):
        with open(CRDS) as source:
            crds = [one for one in yaml.safe_load_all(source) if one and one["kind"] == "CustomResourceDefinition"]
        crds += [one for one in kube.permissive_crds() if one["spec"]["group"] == "networking.istio.io"]
        for crd in crds:
            self.client.apply(crd)

        def established(crd):
            status = self.client.get("CustomResourceDefinition", crd["metadata"]["name"]).get("status", {})
            return any(one["type"] == "Established" and one["status"] == "True" for one in status.get("conditions") or [])
        wait(lambda: all(established(crd) for crd in crds), "the definitions", 60)
        time.sleep(1)

    def start(self, name):
        """A cluster, what it has to know, serin."""
        self.up(name)
        self.client = kube.Client(self.cluster.kubeconfig)
        self.install()
        self.port = free_port()
        usual = [f"--kubeconfig={self.cluster.kubeconfig}", f"--metrics-server={STUB.url}"]
        command = [self.options.serin, "canary", *usual, f"--port={self.port}", "--log-level=info"]
        if self.options.apps:
            self.git("push", "-q", "origin", ":refs/tags/flux-sync")
            command = [self.options.serin, "run", *usual, f"--listen=127.0.0.1:{self.port}", f"--git-url=file://{self.repository}",
                       "--git-branch=master", f"--state-dir={self.directory}/state-{name}", "--git-poll-interval=1h", "--sync-interval=1h",
                       "--sync-garbage-collection", "--canaries=on"]
        self.serin = Process(command, os.path.join(self.directory, f"serin-{name}.log"),
                             env={"PATH": os.environ["PATH"], "HOME": self.directory, "GIT_CONFIG_NOSYSTEM": "1"})
        self.usage = Usage(self.serin.child.pid)
        wait(lambda: self.metrics() is not None, "serin to answer", 60)
        if self.options.apps:
            say(f"sync of {self.options.apps * 4} objects")
            self.synced(self.head, 1200)
            self.quiet()
        self.seen = Seen(self.client)

    def stop(self):
        self.seen.stopped.set()
        self.serin.stop()
        self.process.stop()

    def metrics(self):
        """{series: value}."""
        try:
            status, text = request(f"http://127.0.0.1:{self.port}", "GET", "/metrics")
        except OSError:
            return None
        pairs = (line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#")
        return {series: float(value) for series, _, value in pairs} if status == 200 else None

    # -- measuring ------------------------------------------------------------------------------------------------

    def tally(self, begin):
        """serin's requests since a place in the audit log: {"verb resource": count}, watches and its lease aside."""
        time.sleep(1.5)  # the log is written in turns
        found = {}
        with open(self.audit) as log:
            log.seek(begin)
            for line in log:
                one = json.loads(line) if line.endswith("\n") else {}
                where = one.get("objectRef", {})
                if not one.get("userAgent", "").startswith("serin") or one["verb"] == "watch" or where.get("resource") == "leases":
                    continue
                key = " ".join((one["verb"], "/".join(filter(None, (where.get("resource", one.get("requestURI")), where.get("subresource"))))))
                found[key] = found.get(key, 0) + 1
        return dict(sorted(found.items()))

    def measure(self, seconds):
        begin, cpu, began, before = os.path.getsize(self.audit), self.usage.cpu(), time.monotonic(), self.metrics()
        queries, hooks = STUB.queries, STUB.hooks
        time.sleep(seconds)
        spent, cpu = time.monotonic() - began, self.usage.cpu() - cpu
        out = {"seconds": spent, "cpu_percent": 100 * cpu / spent, "resident": self.usage.memory_mb("VmRSS"),
               "peak": self.usage.memory_mb("VmHWM"), "queries": STUB.queries - queries, "hooks": STUB.hooks - hooks}
        after = self.metrics()
        out["requests"] = self.tally(begin)
        out["ticks"] = sum(value - before.get(series, 0) for series, value in after.items()
                           if series.startswith("flagger_canary_duration_seconds_count"))
        out["lateness"] = lateness(before, after)
        return out

    def quiet(self):
        """Until nothing happens any more: controllers go on for a while after the last canary is initialised."""
        still = 0
        while still < 5:
            time.sleep(1)
            cpu = self.usage.cpu()
            time.sleep(1)
            still = still + 1 if self.usage.cpu() - cpu < 0.002 else 0

    # -- phases ---------------------------------------------------------------------------------------------------

    def create(self, count):
        """Creates that many; gives how long each took to be Initialized, and since its pods were ready."""
        say(f"{count} new canaries")
        for number in range(0, count, PER_NAMESPACE):
            self.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"canaries-{number // PER_NAMESPACE}"}})
        born, cpu, began, begin = {}, self.usage.cpu(), time.monotonic(), os.path.getsize(self.audit)

        def make(number):
            for one in app(number):
                self.client.apply(one)
            born[f"can{number}"] = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(make, range(count)))
        made = time.monotonic() - began
        wait(lambda: len(self.seen.initialized) == count, f"{count} canaries to be initialised", 900)
        took = [self.seen.initialized[name] - born[name] for name in born]
        since_ready = [max(self.seen.initialized[name] - self.seen.ready.get(name, born[name]), 0) for name in born]
        cpu, total = self.usage.cpu() - cpu, time.monotonic() - began
        say(f"all initialised after {total:.0f} s")
        return {"count": count, "made": made, "total": total, "median": statistics.median(took), "max": max(took), "cpu": cpu,
                "ready_median": statistics.median(since_ready), "ready_max": max(since_ready), "requests": self.tally(begin)}

    def analyse(self, count):
        say(f"{count} of them get a new image")
        change = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "podinfo:6.0.1"}]}}}}
        for number in range(count):
            self.cluster.patch("Deployment", f"can{number}", f"canaries-{number // PER_NAMESPACE}", change, "application/strategic-merge-patch+json")
        wait(lambda: sum(1 for weight in self.seen.weights.values() if weight) >= count, "all of them to get traffic", 300)
        say(f"measuring {ANALYSIS_SECONDS} s of analysis")
        return self.measure(ANALYSIS_SECONDS)

    def run(self):
        rows = {"new": []}
        if self.options.apps:
            self.head = self.make_repository()
        for count in self.options.new:
            self.start(f"new{count}")
            if "none" not in rows:
                rows["none"] = self.measure(10)
            rows["new"].append(self.create(count))
            is_last = count == self.options.new[-1]
            if is_last or count in FLAGGER["idle"]:
                say("waiting for quiet, then measuring idle")
                self.quiet()
                rows["new"][-1]["idle"] = self.measure(IDLE_SECONDS)
            if is_last and self.options.analysed:
                rows["analysis"] = self.analyse(min(self.options.analysed, count))
            self.stop()
        return rows


def lateness(before, after):
    """Quantiles of the ticks in between, as upper bounds of their buckets, in seconds."""
    name = "serin_canary_tick_lateness_seconds_bucket"
    found = sorted((float(re.search(r'le="([^"]+)"', series)[1].replace("+Inf", "inf")), value - before.get(series, 0))
                   for series, value in after.items() if series.startswith(name))
    total = found[-1][1] if found else 0
    return {str(q): next((bound for bound, value in found if value >= q * total), None) if total else None for q in (0.5, 0.99)}


def sum_of(requests, verbs):
    return sum(count for key, count in requests.items() if key.split()[0] in verbs)


def table(rows, options):
    what = f"serin run, {options.apps * 4} objects applied" if options.apps else "serin canary"
    lines = [f"{what}; {os.cpu_count()} cores, shared with the cluster; {rows['none']['resident']:.1f} MiB without canaries", "",
             "| new canaries | created to Initialized: median, max | pods ready to Initialized: median, max | CPU s | requests each | Flagger |",
             "|---|---|---|---|---|---|"]
    for one in rows["new"]:
        each = sum(one["requests"].values()) / one["count"]
        lines.append(f"| {one['count']} | {one['median']:.1f} s, {one['max']:.1f} s (created within {one['made']:.1f} s) | {one['ready_median']:.2f} s, "
                     f"{one['ready_max']:.2f} s | {one['cpu']:.2f} | {each:.1f} | {FLAGGER['new'].get(one['count'], '')} |")
    lines += ["", "| state | resident MiB | CPU % of a core | API requests | Flagger |", "|---|---|---|---|---|"]
    for one in rows["new"]:
        idle = one.get("idle")
        if idle:
            lines.append(f"| {one['count']} idle | {idle['resident']:.1f} (peak {idle['peak']:.1f}) | {idle['cpu_percent']:.2f} (< 0.5) | "
                         f"{60 * sum(idle['requests'].values()) / idle['seconds']:.0f} a minute (0) | {FLAGGER['idle'].get(one['count'], '')} |")
    one = rows.get("analysis")
    if one:
        ticks = max(one["ticks"], 1)
        reads = sum_of(one["requests"], ("get", "list"))
        lines.append(f"| {options.analysed} of {options.new[-1]} in analysis | {one['resident']:.1f} (peak {one['peak']:.1f}) | {one['cpu_percent']:.2f} | "
                     f"{sum(one['requests'].values()) / ticks:.2f} a tick, {reads} reads (0) | {FLAGGER['tick']} a tick |")
        lines += ["", f"{ticks:.0f} ticks in {one['seconds']:.0f} s; of each: " + ", ".join(f"{n / ticks:.2f} {key}" for key, n in one["requests"].items()) +
                  f", {one['queries'] / ticks:.2f} queries, {one['hooks'] / ticks:.2f} webhooks; "
                  f"late by at most {one['lateness']['0.5']} s (p50), {one['lateness']['0.99']} s (p99)"]
    return "\n".join(lines)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--canaries", type=int, default=1000)
    parser.add_argument("--analysed", type=int, default=100, help="how many of the last ones get a new image")
    parser.add_argument("--new", type=int, nargs="*", help="sizes of the smaller clusters (50 200)")
    parser.add_argument("--apps", type=int, default=0, help="serin run with so many apps of four objects in place of serin canary")
    options = parser.parse_args()
    options.new = [one for one in ([50, 200] if options.new is None else options.new) if one < options.canaries] + [options.canaries]
    report(Canaries, options, table)


if __name__ == "__main__":
    main()
