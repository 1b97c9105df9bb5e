#!/usr/bin/env python3
"""Runs a progressive-delivery operator through scenarios against a real control plane, records what it does, compares.

  canary.py run  --operator TEMPLATE --crds FILE --scenarios FILE|DIR... --out DIR [--playground PROGRAM | --kubeconfig FILE]
  canary.py diff A B [--strict] [--ignore SECTION]... [--allow FILE]   two recordings, or two directories of them
  canary.py load --operator TEMPLATE --crds FILE --count N...   memory and requests with N canaries

The template may use {kubeconfig} {metrics_url} {events_url} {port}. See README.md.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import sys
import tempfile
import time
import traceback

import yaml

from canary_lab import compare, kube, recorder as rec, scenario as play
from canary_lab.operator import ControlPlane, Operator
from canary_lab.proxy import Proxy
from canary_lab.receiver import Receiver, Script


class Laboratory:
    """Control plane, stub servers, watches, proxy and operator."""

    def __init__(self, options):
        self.plane = self.operator = self.recorder = None
        try:
            self.start(options)
        except BaseException:
            self.close()
            raise

    def start(self, options):
        kubeconfig = options.kubeconfig
        if not kubeconfig:
            if not options.playground:
                sys.exit("canary.py: give --playground PROGRAM (or set PLAYGROUND), or --kubeconfig FILE")
            self.plane = ControlPlane(options.playground)
            kubeconfig = self.plane.kubeconfig
        self.work = tempfile.TemporaryDirectory(prefix="lab-")
        self.client = kube.Client(kubeconfig)
        self.install(options.crds)
        self.receiver = Receiver()
        self.recorder = rec.Recorder(self.client)
        self.proxy = None
        if not options.no_proxy:
            self.proxy = Proxy(self.client)
            kubeconfig = self.kubeconfig_for(f"http://127.0.0.1:{self.proxy.port}")
        values = {"kubeconfig": kubeconfig, "metrics_url": self.receiver.base + "/prom", "events_url": self.receiver.base + "/events"}
        self.operator = Operator(options.operator, values, options.log or os.path.join(self.work.name, "operator.log"))
        self.operator.start()

    def kubeconfig_for(self, server):
        path = os.path.join(self.work.name, "kubeconfig")
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "lab",
                  "clusters": [{"name": "lab", "cluster": {"server": server}}],
                  "users": [{"name": "lab", "user": {"token": self.client.token}}],
                  "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}]}
        with open(path, "w") as file:
            yaml.safe_dump(config, file)
        os.chmod(path, 0o600)
        return path

    def install(self, files):
        crds = list(kube.permissive_crds())
        for name in files:
            with open(name) as file:
                crds += [crd for crd in yaml.safe_load_all(file) if crd and crd["kind"] == "CustomResourceDefinition"]
        for crd in crds:
            self.client.apply(crd)
        for crd in crds:
            end = time.monotonic() + 30
            while True:
                conditions = self.client.get("CustomResourceDefinition", crd["metadata"]["name"]).get("status", {}).get("conditions") or []
                if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                    break
                if time.monotonic() > end:
                    sys.exit(f"canary.py: {crd['metadata']['name']} is not established: {conditions}")
                time.sleep(0.1)
        time.sleep(1)

    def play(self, scenario, label):
        """Runs one scenario; (recording, error)."""
        name = scenario["name"]
        scene = rec.Scene(name, self.receiver.base, scenario.get("keepRolloutText", False))
        script = Script(scenario.get("metrics"), scenario.get("webhooks"), lambda kind, what: scene.wake())
        run = play.Run(self.client, self.recorder, self.receiver, self.proxy, self.operator, scenario, scene, script)
        error = None
        try:
            scene.since = run.prepare()
            self.recorder.scenes[name] = scene
            self.receiver.scripts[name] = script
            run.go()
            self.settle(scene, script)
        except Exception as problem:  # a scenario that fails is reported with what was seen; the others go on
            error = f"{type(problem).__name__}: {problem}"
            if not isinstance(problem, play.Failed):
                traceback.print_exc()
        scene.checkpoint("end")
        scene.closed = True
        requests = {}
        if self.proxy:
            with self.proxy.lock:
                for (namespace, what), count in sorted(self.proxy.counts.items()):
                    if namespace == name:
                        requests[what] = count
        out = rec.recording(scene, script, scenario, self.operator.metrics_of(name), requests, label, run.steps)
        if error:
            out["error"] = error
        self.clear(name, scenario, scene)
        return out, error

    def settle(self, scene, script):
        """Events are sent in the background and may be late: waits for the last one, then for a second of quiet."""
        last = scene.text(script.reported[-1]["message"]) if script.reported else None
        scene.wait(lambda: last is None or any(e["message"] == last for _, e in scene.events[-3:]), 6)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            before = len(scene.events), len(scene.timeline), len(script.reported)
            time.sleep(1)
            if before == (len(scene.events), len(scene.timeline), len(script.reported)):
                return

    def clear(self, name, scenario, scene):
        try:
            for key in list(scene.objects):
                kind, _, item = key.partition("/")
                if kind == "Canary":
                    self.client.patch("Canary", item, name, {"metadata": {"finalizers": None}, "spec": {"revertOnDeletion": False}})
                    self.client.delete("Canary", item, name)
                elif kind.startswith("TrafficRoute"):
                    self.client.delete(kind, item)
        except kube.Error:
            pass
        for namespace in [name] + scenario.get("namespaces", []):
            try:
                self.client.delete("Namespace", namespace)
            except kube.Error:
                pass

    def close(self):
        if self.recorder:
            self.recorder.stopped.set()
        if self.operator:
            self.operator.stop()
        if self.plane:
            self.plane.stop()


def scenario_files(names):
    for name in names:
        path = pathlib.Path(name)
        yield from sorted(p for p in path.glob("*.yaml")) if path.is_dir() else [path]


def run(options):
    scenarios = [play.load(path) for path in scenario_files(options.scenarios)]
    if options.only:
        scenarios = [s for s in scenarios if s["name"] in options.only]
    if options.provider:
        scenarios = [s for s in scenarios if s.get("provider") == options.provider]
    if not scenarios:
        sys.exit("canary.py: no scenario chosen")
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    laboratory = Laboratory(options)
    failed = []

    def one(scenario):
        began = time.monotonic()
        recording, error = laboratory.play(scenario, options.label)
        with open(out / (scenario["name"] + ".json"), "w") as file:
            file.write(rec.dump(recording) + "\n")
        print(f"{'FAIL' if error else 'ok':4} {scenario['name']:32} {time.monotonic() - began:5.1f} s  {error or ''}", flush=True)
        if error:
            failed.append(scenario["name"])

    try:
        together = [s for s in scenarios if not s.get("alone")]
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            list(pool.map(one, together))
        for scenario in scenarios:
            if scenario.get("alone"):
                one(scenario)
    finally:
        laboratory.close()
    print(f"{len(scenarios) - len(failed)} recorded, {len(failed)} failed")
    return 1 if failed else 0


def note(options, passed, name):
    if options.results:
        with open(options.results, "a") as results:
            results.write(f"{'pass' if passed else 'fail'}\tdifferential\t{name}\n")


def diff(options):
    one, other = pathlib.Path(options.a), pathlib.Path(options.b)
    if one.is_dir():
        names = sorted({p.name for p in one.glob("*.json")} & {p.name for p in other.glob("*.json")})
        missing = sorted({p.name for p in one.glob("*.json")} ^ {p.name for p in other.glob("*.json")})
        pairs = [(one / name, other / name) for name in names]
    else:
        pairs, missing = [(one, other)], []
    differing, rules = 0, []
    if options.allow:
        with open(options.allow) as file:
            rules = yaml.safe_load(file) or []
    for left, right in pairs:
        a, b = (json.loads(p.read_text()) for p in (left, right))
        found = compare.compare(a, b, options.strict, options.ignore, rules)
        for rule in rules:
            rule["seen"] = rule.get("seen") or bool(re.search(rule.get("scenario", ""), a["scenario"]))
        errors = [f"{side}{one['error']}" for side, one in (("-", a), ("+", b)) if one.get("error")]
        if not all([compare.allowed(line, a["scenario"], "error", rules) for line in errors]):
            found.insert(0, ("error", errors))
        print(f"{'same' if not found else 'DIFFERENT'}  {a['scenario']}  {', '.join(section for section, _ in found)}")
        if found:
            differing += 1
        for section, lines in found:
            print(f"  -- {section}")
            for line in lines:
                print("    " + line)
        if found or options.requests:
            for line in compare.requests(a, b):
                print("    " + line)
        note(options, not found, a["scenario"])
    for name in missing:
        print(f"only on one side: {name}")
        if not options.subset:
            note(options, False, name.removesuffix(".json"))
    idle = [rule for rule in rules if rule.get("seen") and not rule.get("used")]
    for rule in idle:
        print(f"allows what does not happen: {json.dumps({k: v for k, v in rule.items() if k not in ('seen', 'used')})}")
    if not options.subset:
        note(options, not idle, "every allowed difference is needed")
    print(f"{len(pairs) - differing} same, {differing} different" + (f", {len(missing)} without counterpart" if missing else ""))
    return 1 if differing or idle and not options.subset or missing and not options.subset else 0


def load(options):
    """Initialises N canaries and prints what the operator needs for them."""
    laboratory = Laboratory(options)
    fixtures = pathlib.Path(__file__).resolve().parent / "scenarios" / "canary" / "fixtures"
    operator = laboratory.operator

    def settle(label, canaries):
        time.sleep(options.settle)
        before, start = operator.cpu(), time.monotonic()
        count = sum(laboratory.proxy.counts.values()) if laboratory.proxy else 0
        time.sleep(options.measure)
        spent = time.monotonic() - start
        rate = f", {(sum(laboratory.proxy.counts.values()) - count) / spent:.1f} API requests/s" if laboratory.proxy else ""
        print(f"{label}: {operator.memory() / 1024:.1f} MiB resident, {100 * (operator.cpu() - before) / spent:.1f} % of a core{rate}",
              flush=True)

    try:
        settle("no canaries", 0)
        made, slowest = 0, 0
        for count in options.count:
            namespace = "load"
            scene = rec.Scene(namespace, laboratory.receiver.base)
            laboratory.recorder.scenes.setdefault(namespace, scene)
            scene = laboratory.recorder.scenes[namespace]
            laboratory.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            began = time.monotonic()
            born, ready = {}, {}
            while made < count:
                name = f"app-{made}"
                change = {"metadata": {"name": name, "namespace": namespace}}
                variables = {"ns": namespace, "metrics": laboratory.receiver.base + "/prom"}
                workload = {"spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}}}}
                for obj in play.objects([{"use": "deployment", "with": {**change, **workload}},
                                         {"use": "canary", "with": {**change, "spec": {"provider": options.provider or "kubernetes",
                                                                                      "targetRef": {"name": name}}}}], fixtures, variables):
                    laboratory.client.apply(obj)
                born[f"Canary/{name}"] = time.monotonic()
                made += 1

            def done():
                for key, status in scene.canary.items():
                    if status.get("phase") == "Initialized" and key in born:
                        ready.setdefault(key, time.monotonic())
                return len(ready) == len(born)

            if not scene.wait(done, 600):
                print(f"only {len(ready)} of {len(born)} became Initialized")
            times = sorted(ready[key] - born[key] for key in ready)
            if times:
                print(f"{count} canaries: created to Initialized min {times[0]:.1f} s, median {times[len(times) // 2]:.1f} s, "
                      f"max {times[-1]:.1f} s; all within {time.monotonic() - began:.1f} s")
            settle(f"{count} canaries, initialised", count)
    finally:
        laboratory.close()
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, action in (("run", run), ("load", load)):
        sub = commands.add_parser(name)
        sub.set_defaults(action=action)
        sub.add_argument("--operator", required=True, help="command template of the operator under test")
        sub.add_argument("--crds", action="append", default=[], help="file with the operator's CRDs (repeatable)")
        sub.add_argument("--playground", default=os.environ.get("PLAYGROUND"), help="the program of deploy/playground")
        sub.add_argument("--kubeconfig", help="use this running control plane instead")
        sub.add_argument("--no-proxy", action="store_true", help="let the operator talk to the API server directly: no request counts, no faults")
        sub.add_argument("--log", help="where the operator's output goes")
        sub.add_argument("--provider", help="run: only scenarios of this provider; load: provider of the canaries")
        if name == "run":
            sub.add_argument("--scenarios", nargs="+", required=True, help="scenario files or directories")
            sub.add_argument("--only", nargs="*", help="names of the scenarios to run")
            sub.add_argument("--out", required=True, help="directory for the recordings")
            sub.add_argument("--label", default="operator", help="what to call the operator in the recordings")
            sub.add_argument("--jobs", type=int, default=12, help="scenarios at a time")
        else:
            sub.add_argument("--count", type=int, nargs="+", default=[50, 200])
            sub.add_argument("--settle", type=float, default=15)
            sub.add_argument("--measure", type=float, default=20)
    sub = commands.add_parser("diff")
    sub.set_defaults(action=diff)
    sub.add_argument("a")
    sub.add_argument("b")
    sub.add_argument("--strict", action="store_true", help="compare how often a repeated entry was repeated, too")
    sub.add_argument("--ignore", action="append", default=[], help="leave this section out", choices=compare.SECTIONS)
    sub.add_argument("--allow", help="YAML list of {scenario, section, line, why}: regular expressions for what is meant to differ")
    sub.add_argument("--results", help="add a line 'pass|fail TAB differential TAB name' for each scenario to this file")
    sub.add_argument("--requests", action="store_true", help="print request counts even where nothing differs")
    sub.add_argument("--subset", action="store_true", help="recordings on one side only are no difference")
    options = parser.parse_args()
    return options.action(options)


if __name__ == "__main__":
    sys.exit(main())
