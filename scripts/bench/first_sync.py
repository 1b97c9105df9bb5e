#!/usr/bin/env python3
"""What a sync costs: serin beside a bare client that sends the same patches, in one run, on the real control plane.

    first_sync.py --playground PROGRAM --serin PROGRAM --bare PROGRAM [--apps N] [--json FILE]

N apps of four objects (ServiceAccount, ConfigMap of 1 KB, Deployment of no replicas, Service), 20 apps to a namespace. Requests are
counted from the API server's audit log, CPU and memory read from /proc. The repository is a directory, so the programs that serve
it (git upload-pack, git receive-pack) are children of serin here: their CPU is shown after a plus sign. Nothing is asserted: figures
and ratios are printed.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import yaml

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "e2e"))
from lab import Cluster, Process, free_port, request, wait  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
APPS_PER_NAMESPACE = 20
IDLE_SECONDS = 20
QUIET_SECONDS = 10


def objects_of(number, ns, text="x" * 1000, port=80):
    name, labels = f"app{number}", {"app": f"app{number}"}
    meta = {"name": name, "namespace": ns, "labels": labels}
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"text": text}},
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {
                "replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
                    "serviceAccountName": name, "containers": [{"name": "main", "image": "app:1", "ports": [{"containerPort": 8080}]}]}}}},
            {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": labels, "ports": [{"port": port, "targetPort": 8080}]}}]


def namespace_of(number):
    return f"bench-{number // APPS_PER_NAMESPACE}"


class Usage:
    """CPU seconds and memory of a process."""

    def __init__(self, pid):
        self.pid = pid

    def cpu(self):
        """Of its threads, to the nanosecond."""
        tasks, total = f"/proc/{self.pid}/task", 0
        for one in os.listdir(tasks):
            with open(f"{tasks}/{one}/schedstat") as stat:
                total += int(stat.read().split()[0])
        return total / 1e9

    def programs_cpu(self):
        """Of its children that have ended, to the clock tick."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return sum(int(one) for one in fields[13:15]) / TICKS

    def memory_mb(self, field):
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field + ":"))


class Bench:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.cluster, self.process, self.audit, self.serin = None, None, None, None

    def processes(self):
        return [self.serin, self.process]

    def up(self, name):
        folder = os.path.join(self.directory, name)
        self.audit = os.path.join(self.directory, name + ".audit")
        self.process = Process([self.options.playground, "up", "--dir", folder, "--audit-log", self.audit], os.path.join(self.directory, name + ".log"))
        kubeconfig = os.path.join(folder, "kubeconfig")
        wait(lambda: kubeconfig in self.process.text(), "the cluster", 120)
        self.cluster = Cluster(kubeconfig)
        time.sleep(5)  # what the control plane does at first is over

    def requests(self, agent, since=0):
        """What that client asked from a time on: (all but watches and Events, of these by verb, time of the first write)."""
        time.sleep(1.5)  # the log is written in turns
        verbs, first, total = {}, None, 0
        with open(self.audit) as log:
            for line in log:
                one = json.loads(line) if line.endswith("\n") else {}
                began = one.get("requestReceivedTimestamp", "")
                if not one.get("userAgent", "").startswith(agent) or one["verb"] == "watch" or began < since_text(since):
                    continue
                if one.get("objectRef", {}).get("resource") == "events":
                    continue
                total += 1
                verbs[one["verb"]] = verbs.get(one["verb"], 0) + 1
                if one["verb"] in ("patch", "apply") and (first is None or began < first):
                    first = began
        return total, verbs, first

    def bare(self):
        say(f"bare client: {self.options.apps} apps")
        self.up("bare")
        lines = []
        for number in range(0, self.options.apps, APPS_PER_NAMESPACE):
            ns = namespace_of(number)
            lines.append({"wave": 0, "path": f"/api/v1/namespaces/{ns}", "body": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}})
        for number in range(self.options.apps):
            for one in objects_of(number, namespace_of(number)):
                lines.append({"wave": 1, "path": Cluster.path(one["kind"], one["metadata"]["name"], one["metadata"]["namespace"]), "body": one})
        patches = os.path.join(self.directory, "patches")
        with open(patches, "w") as out:
            out.writelines(json.dumps(one, separators=(",", ":")) + "\n" for one in lines)
        with open(patches) as source:
            child = subprocess.Popen([self.options.bare, "--server", f"https://{self.cluster.host}:{self.cluster.port}", "--token", self.cluster.token,
                                      "--ca", os.path.join(self.directory, "bare", "certs", "apiserver.crt")], stdin=source, stdout=subprocess.PIPE)
            out = child.stdout.read()
            _, status, usage = os.wait4(child.pid, 0)
        if status:
            raise SystemExit("the bare client failed")
        total, _, _ = self.requests("bare")
        self.process.stop()
        return {"seconds": json.loads(out)["seconds"], "requests": total, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024}

    # -- serin --------------------------------------------------------------------------------------------------

    def git(self, *args):
        env = dict(os.environ, GIT_CONFIG_NOSYSTEM="1", HOME=self.directory, GIT_AUTHOR_NAME="Bench", GIT_AUTHOR_EMAIL="bench@example.com",
                   GIT_COMMITTER_NAME="Bench", GIT_COMMITTER_EMAIL="bench@example.com")
        return subprocess.run(["git", *args], cwd=self.work, env=env, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files):
        for name, content in files.items():
            target = os.path.join(self.work, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w") as out:
                out.write(content if isinstance(content, str) else yaml.dump_all(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "Change")
        self.git("push", "-q", "origin", "HEAD:master")
        return self.git("rev-parse", "HEAD")

    def init(self):
        """An empty repository, and a clone to work in."""
        self.work, self.repository = os.path.join(self.directory, "work"), os.path.join(self.directory, "repo.git")
        os.makedirs(self.work)
        self.git("init", "-q", "--bare", "-b", "master", self.repository)
        self.git("init", "-q", "-b", "master")
        self.git("remote", "add", "origin", self.repository)

    def make_repository(self):
        self.init()
        files = {}
        for number in range(self.options.apps):
            ns = namespace_of(number)
            files[f"{ns}/namespace.yaml"] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}]
            files[f"{ns}/app{number}.yaml"] = objects_of(number, ns)
        return self.commit(files)

    def ask(self, path, method="GET", body=None):
        status, text = request(f"http://127.0.0.1:{self.port}", method, "/api/flux/" + path, body, {"Accept": "application/json"})
        return json.loads(text) if status == 200 and text else None

    def synced(self, head, seconds=600):
        """Until the sync tag is there: serin itself is not asked, so as not to be measured answering."""
        def look():
            tag = subprocess.run(["git", "-C", self.repository, "rev-parse", "-q", "--verify", "flux-sync^{commit}"], capture_output=True, text=True)
            return self.serin.running and tag.stdout.strip() == head
        wait(look, "the sync", seconds)

    def tell(self):
        """As a git host's webhook does: look now."""
        self.ask("v11/notify", "POST", json.dumps({"Kind": "git", "Source": {"URL": "file://" + self.repository, "Branch": "master"}}))

    def phase(self, what, act):
        """Runs one phase; gives its seconds, requests and CPU."""
        say(what)
        since, cpu, programs, began = time.time(), self.usage.cpu(), self.usage.programs_cpu(), time.monotonic()
        act()
        seconds = time.monotonic() - began
        time.sleep(2)
        cpu, programs = self.usage.cpu() - cpu, self.usage.programs_cpu() - programs
        total, verbs, _ = self.requests("serin", since)
        return {"seconds": seconds, "requests": total, "verbs": verbs, "cpu": cpu, "programs": programs}

    def quiet(self):
        """Until the cluster's own controllers are done with what the first sync gave them, so that no watch tells of it any more."""
        still, before = 0, self.usage.cpu()
        while still < QUIET_SECONDS:
            time.sleep(1)
            now = self.usage.cpu()
            still, before = still + 1 if now - before < 0.001 else 0, now

    def first_sync(self, head):
        self.port, since = free_port(), time.time()
        began = time.monotonic()
        self.serin = Process([self.options.serin, "run", f"--kubeconfig={self.cluster.kubeconfig}", f"--git-url=file://{self.repository}",
                              "--git-branch=master", f"--listen=127.0.0.1:{self.port}", f"--state-dir={self.directory}/state", "--git-poll-interval=1h",
                              "--sync-interval=1h", "--sync-garbage-collection", "--git-timeout=2m"], os.path.join(self.directory, "serin.log"),
                             env={"PATH": os.environ["PATH"], "HOME": self.directory, "GIT_CONFIG_NOSYSTEM": "1"})
        self.usage = Usage(self.serin.child.pid)
        wait(lambda: self.ask("v11/version") is not None, "serin to answer", 60)
        answers = time.monotonic() - began
        self.synced(head)
        seconds, cpu, programs = time.monotonic() - began, self.usage.cpu(), self.usage.programs_cpu()
        total, verbs, first = self.requests("serin", since)
        wait_first = parse(first) - since if first else float("nan")
        return {"seconds": seconds, "requests": total, "verbs": verbs, "cpu": cpu, "programs": programs, "peak": self.usage.memory_mb("VmHWM"), "answers": answers, "first": wait_first}

    def drift(self):
        for number in (0, 1):
            self.cluster.patch("ConfigMap", f"app{number}", namespace_of(number), {"data": {"text": "drifted"}})
        wait(lambda: all(self.cluster.get("ConfigMap", f"app{number}", namespace_of(number))["data"]["text"] != "drifted" for number in (0, 1)), "healing")

    def three_apps(self):
        files = {f"{namespace_of(n)}/app{n}.yaml": objects_of(n, namespace_of(n), "changed", 81) for n in (3, 4, 5)}
        head = self.commit(files)
        began = time.monotonic()
        self.tell()
        self.synced(head)
        self.seconds = time.monotonic() - began

    def no_op(self):
        head = self.commit({"README.md": "words\n"})
        self.tell()
        self.synced(head)

    def run(self):
        rows = {"bare": self.bare()}
        head = self.make_repository()
        self.up("serin")
        say("serin: first sync")
        rows["first"] = self.first_sync(head)
        say("waiting for the cluster to be quiet")
        self.quiet()
        rows["no-op"] = self.phase("commit that changes no manifest", self.no_op)
        rows["commit"] = self.phase("commit of 3 apps, 6 objects", self.three_apps)
        rows["commit"]["seconds"] = self.seconds
        rows["drift"] = self.phase("drift of 2 objects", self.drift)
        rows["idle"] = self.phase(f"idle for {IDLE_SECONDS} s", lambda: time.sleep(IDLE_SECONDS))
        rows["idle"]["resting"] = self.usage.memory_mb("VmRSS")
        self.serin.stop()
        self.process.stop()
        return rows


def parse(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def since_text(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def table(rows, options):
    apps, bare, first = options.apps, rows["bare"], rows["first"]
    lines = [f"{apps} apps, {apps * 4 + -(-apps // APPS_PER_NAMESPACE)} objects; {os.cpu_count()} cores, shared with the cluster", "",
             "| | s | requests | CPU s | memory MB | against |", "|---|---|---|---|---|---|"]

    def row(name, one, memory="", against=""):
        cpu = f"{one['cpu']:.3f} + {one['programs']:.2f}" if "programs" in one else f"{one['cpu']:.3f}"
        lines.append(f"| {name} | {one['seconds']:.2f} | {one['requests']} | {cpu} | {memory} | {against} |")
    row("bare client", bare, f"peak {bare['peak']:.0f}")
    row("first sync, from exec", first, f"peak {first['peak']:.0f}",
        f"{first['seconds'] / bare['seconds']:.2f} x bare in time, {first['requests'] - bare['requests']:+d} requests, {first['cpu'] / bare['cpu']:.1f} x CPU")
    row("no-op commit", rows["no-op"], against="0 requests, < 0.05 CPU s")
    row("commit of 3 apps, 6 objects", rows["commit"], against="< 0.5 s, <= 12 requests")
    row("drift of 2 objects", rows["drift"], against="< 1 s, 2 requests")
    row(f"idle {IDLE_SECONDS} s", rows["idle"], f"resting {rows['idle']['resting']:.0f} (< 64 with 10,000 objects)",
        f"0 requests, {100 * rows['idle']['cpu'] / rows['idle']['seconds']:.2f} % of a core (< 0.5)")
    lines += ["", f"API answers after {1000 * first['answers']:.0f} ms, first write after {1000 * first['first']:.0f} ms; "
              f"requests of the first sync: {json.dumps(first['verbs'])}"]
    return "\n".join(lines)


def arguments(about):
    """What every bench takes."""
    parser = argparse.ArgumentParser(description=about.split("\n")[0])
    parser.add_argument("--playground", required=True)
    parser.add_argument("--serin", required=True)
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    return parser


def report(kind, options, table):
    """Runs a bench in a directory of its own, prints what it found, leaves nothing behind."""
    directory = tempfile.mkdtemp(prefix="bench-")
    bench = kind(options, directory)
    try:
        rows = bench.run()
        print(table(rows, options))
        if options.json:
            with open(options.json, "w") as out:
                json.dump(rows, out, indent=1)
    finally:
        for process in bench.processes():
            if process:
                process.stop()
        if options.keep:
            say(f"kept {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--bare", required=True)
    parser.add_argument("--apps", type=int, default=1000)
    report(Bench, parser.parse_args(), table)


if __name__ == "__main__":
    main()
