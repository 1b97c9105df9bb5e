#!/usr/bin/env python3
"""Runs a GitOps daemon through scenarios against a real control plane, writes down what happens, compares recordings.

See README.md beside this file.
"""

import argparse
import base64
import difflib
import json
import os
import re
import shutil
import sys
import tempfile
import time
import traceback

import yaml

from gitops_lab.accepted import ABSENT, Accepted, Malformed
from gitops_lab.proxy import exchange
from gitops_lab.world import Failed, World

SYNC_TIMEOUT = 60
VAIN_TIMEOUT = 8  # for what is accepted not to come
SLOW_SECONDS = 5  # a step that takes longer is told


class Runner:
    def __init__(self, world, scenario, accepted):
        self.world, self.scenario, self.accepted, self.steps, self.http = world, scenario, accepted, [], []
        self.patience = None  # seconds a wait may take at most, if less than usual
        self.known_commits, self.known_objects, self.memory = set(), {}, {}

    # -- the scenario -------------------------------------------------------------------------------------------

    def run(self):
        world, scenario = self.world, self.scenario
        for name, tags in (scenario.get("images") or {}).items():
            for tag in tags:
                world.registry.push(name, tag)
        self.known_commits = set(self.branch_commits())
        steps = list(scenario["steps"])
        if world.scenario.get("in_cluster"):
            world.kubectl(["create", "namespace", world.namespace])
            world.kubectl(["-n", world.namespace, "create", "secret", "generic", "flux-git-deploy"])
        if scenario.get("before"):
            for step in scenario["before"]:
                self.do(step)
        if scenario.get("autostart", True):
            world.start_daemon()
            self.memory["idle RSS KiB"] = world.daemon.rss_kib()
        for step in steps:
            self.do(step)
        if world.daemon and world.daemon.running:
            self.memory["final RSS KiB"] = world.daemon.rss_kib()
            self.memory["peak RSS KiB"] = world.daemon.rss_kib("VmHWM")
        return {"scenario": scenario["name"], "about": scenario.get("about", ""), "flags": scenario.get("flags") or [],
                "steps": self.steps}

    def do(self, step):
        if isinstance(step, str):
            step = {step: None}
        (verb, value), *options = step.items()
        options = dict(options)
        act = getattr(self, "do_" + verb.replace("-", "_"), None)
        if not act:
            raise Failed(f"unknown step {verb!r}")
        shown = value if isinstance(value, str) else verb if value is None else json.dumps(value, sort_keys=True)
        title, began = f"{verb}: {shown}" if shown != verb else verb, time.monotonic()
        self.patience = VAIN_TIMEOUT if self.accepted.expects_in_vain(self.scenario["name"], title) else None
        result = act(value, **options)
        if time.monotonic() - began > SLOW_SECONDS:
            print(f"  {time.monotonic() - began:.0f} s: {title}", flush=True)
        if result is not None:
            self.steps.append({"step": self.world.normalise(title), **self.world.normalise(result)})

    # -- steps --------------------------------------------------------------------------------------------------

    def do_start(self, value):
        self.world.start_daemon(value)
        if isinstance(value, dict) and value.get("fails"):
            lines = [re.sub(r"^ts=\S+ (caller=\S+ )?", "", one) for one in self.world.log_lines()]
            lines = [one for one in lines if one and not one.startswith("Flag --kube-config")]
            return {"exit": self.world.daemon.stop(), "first lines": lines[:3], "last line": lines[-1:]}

    def do_stop(self, _):
        return {"exit": self.world.stop_daemon()}

    def do_restart(self, value):
        self.world.stop_daemon()
        self.world.start_daemon(value)

    def do_commit(self, value):
        self.world.pull()
        self.world.commit(value)
        self.known_commits |= {self.world.head()}

    def do_git(self, value):
        done = self.world.git(*value.split(), check=False)
        if value.startswith("push"):
            self.world.learn_commits()
        return {"exit": done.returncode}

    def do_pull(self, _):
        self.world.pull()

    def do_hook(self, value):
        """Installs (or with null removes) a hook of the bare repository: {pre-receive: script}."""
        for name, script in value.items():
            path = os.path.join(self.world.repository, "hooks", name)
            if script is None:
                os.remove(path)
            else:
                with open(path, "w") as out:
                    out.write(script)
                os.chmod(path, 0o755)

    def do_images(self, value):
        for name, tags in value.items():
            for tag in tags:
                self.world.registry.push(name, tag)

    def do_sleep(self, value):
        time.sleep(float(value))

    def until(self, what, test, timeout):
        began = time.monotonic()
        while (waited := time.monotonic() - began) < min(timeout, self.patience or timeout):
            if test():
                return True
            time.sleep(min(max(0.1, waited / 10), 0.5))  # a look starts processes, or lists the cluster
        return False

    def do_synced(self, _, timeout=SYNC_TIMEOUT):
        """Waits until the marker is at the head and the daemon knows it."""
        world, head = self.world, self.world.head()

        def done():
            if world.marker() != head:
                return False
            try:
                status, _, body = world.api("GET", "v6/sync?ref=" + head)
            except OSError:
                return False
            return status == 200 and json.loads(body) == []
        return {"marker at head": self.until("sync", done, timeout)}

    def do_ready(self, _, status="ready", error="", timeout=SYNC_TIMEOUT):
        """Waits until the repository has that status, and its error matches."""
        def done():
            code, _, body = self.world.api("POST", "v9/git-repo-config", False)
            found = json.loads(body) if code == 200 else {}
            return found.get("status") == status and bool(re.search(error, found.get("errors", "")))
        return {status: self.until("ready", done, timeout)}

    def do_wait(self, value, timeout=SYNC_TIMEOUT):
        """commits: N new ones; log: pattern; gone/exists: namespace:kind/name; object with contains: text."""
        world = self.world
        if "commits" in value:
            return {"arrived": self.until("commits", lambda: len(self.new_commits()) >= value["commits"], timeout)}
        if "log" in value:
            return {"logged": self.until("log", lambda: re.search(value["log"], world.daemon.text()), timeout) and True}
        if "gone" in value:
            return {"gone": self.until("gone", lambda: value["gone"] not in self.objects(), timeout)}
        if "exists" in value:
            text = value.get("contains", "")
            return {"there": self.until("exists", lambda: value["exists"] in self.objects() and world.fill(text) in json.dumps(
                self.objects()[value["exists"]]), timeout)}
        if "workloads ready" in value:
            return {"ready": self.until("ready", self.workloads_ready, timeout)}
        raise Failed(f"cannot wait for {value}")

    def workloads_ready(self):
        code, _, body = self.world.api("GET", "v11/services")
        found = json.loads(body) if code == 200 else []
        return bool(found) and all(one["Status"] == "ready" for one in found)

    def do_warm(self, value, timeout=100):
        """Waits until every container using an image of that name lists so many tags: {app: 3}."""
        def done():
            code, _, body = self.world.api("GET", "v10/images")
            if code != 200:
                return False
            seen = {}
            for one in json.loads(body) or []:
                for container in one.get("Containers") or []:
                    name = container.get("Current", {}).get("ID", "").split("@")[0].rpartition(":")[0] or container["Name"]
                    usable = [i for i in container.get("Available") or [] if i.get("CreatedAt") or i.get("Digest")]
                    seen[name] = max(seen.get(name, 0), len(usable))
            return all(seen.get(f"{self.world.registry.address}/{name}", 0) >= count for name, count in value.items())
        return {"scanned": self.until("images", done, timeout)}

    def do_notify(self, value):
        if value == "git":
            body = {"Kind": "git", "Source": {"URL": self.world.git_url, "Branch": self.world.branch}}
        else:
            body = {"Kind": "image", "Source": {"Name": {"Domain": self.world.registry.address, "Image": value}}}
        return {"status": self.world.api("POST", "v11/notify", body)[0]}

    def do_ctl(self, value, env=None, retry=None, lines=None, documents=False):
        env = {k: self.world.fill(v) for k, v in (env or {}).items()}
        result, seen = self.world.ctl(value, env)
        for _ in range(20):
            if not retry or re.search(retry, result.get("stdout", "") + result.get("stderr", "")):
                break
            time.sleep(1)
            result, seen = self.world.ctl(value, env)
        if lines:  # keep only matching lines of a long or unordered output
            for key in ("stdout", "stderr"):
                result[key] = "\n".join(one for one in result[key].splitlines() if re.search(lines, one))
        if documents:  # YAML documents in an order that is not fixed: as sorted objects
            result["stdout"] = self.documents(result["stdout"])
        shown = value if isinstance(value, str) else " ".join(map(str, value))
        for one in seen:
            if one["request"]["path"].endswith("/export") and isinstance(one["response"]["body"], str):
                one["response"]["body"] = {"base64 of": self.exported(one["response"]["body"])}
        self.http.append({"command": self.world.normalise("fluxctl " + shown), "exchanges": self.world.normalise(seen)})
        return result

    @staticmethod
    def exported(text):
        """The objects of an export, which is base64 of YAML documents."""
        documents = [one for one in yaml.safe_load_all(base64.b64decode(text)) if one]
        return sorted(f"{d['apiVersion']} {d['kind']} {d['metadata'].get('namespace', '')}/{d['metadata']['name']}" for d in documents)

    @staticmethod
    def documents(text):
        found = [one for one in yaml.safe_load_all(text) if one]
        return sorted(found, key=lambda one: (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]))

    def do_cli_files(self, value):
        """The manifests a client command wrote below its working directory, as objects."""
        base, found = os.path.join(self.world.directory, "cli", value), {}
        for directory, _, names in os.walk(base):
            for name in sorted(names):
                with open(os.path.join(directory, name)) as source:
                    found[os.path.relpath(os.path.join(directory, name), base)] = self.documents(source.read())
        return {"files": dict(sorted(found.items()))}

    def do_mkdir(self, value):
        os.makedirs(os.path.join(self.world.directory, "cli", value), exist_ok=True)

    def do_http(self, value):
        """{method, path, body, raw, headers, sort}: a request straight to the daemon's API."""
        method, _, path = value["request"].partition(" ")
        path = self.world.fill(path).replace("$HEAD", self.world.head())
        body = value["raw"].encode() if "raw" in value else json.loads(self.world.fill(json.dumps(value["body"]))) if "body" in value else None
        if not isinstance(body, (bytes, type(None))):
            body = json.dumps(body).encode()
        status, headers, data = self.world.api(method, path, body, value.get("headers"))
        kind = {k.lower(): v for k, v in headers}.get("content-type", "")
        try:
            shown = json.loads(data) if data else ""
        except ValueError:
            shown = data.decode("utf-8", "replace")
        if isinstance(shown, list) and all(isinstance(one, dict) and "ID" in one for one in shown):
            shown.sort(key=lambda one: one["ID"])
        if value.get("export") and isinstance(shown, str):
            shown = self.exported(shown)
        return {"status": status, "content-type": kind, "body": shown}

    def do_job(self, value):
        """Posts an update spec and waits for the job: {type, cause, spec}."""
        body = json.loads(self.world.fill(json.dumps(value)))
        status, _, data = self.world.api("POST", "v9/update-manifests", body)
        if status != 200:
            return {"status": status, "body": json.loads(data)}
        job = json.loads(data)
        self.until("job", lambda: json.loads(self.world.api("GET", "v6/jobs?id=" + job)[2])["StatusString"] in
                   ("failed", "succeeded"), SYNC_TIMEOUT)
        return {"status": status, "job": json.loads(self.world.api("GET", "v6/jobs?id=" + job)[2])}

    def do_kubectl(self, value, record=False):
        done = self.world.kubectl(self.world.fill(value) if isinstance(value, str) else [self.world.fill(one) for one in value])
        return {"exit": done.returncode, **({"stdout": done.stdout, "stderr": done.stderr} if record else {})}

    def do_apply(self, value):
        return {"exit": self.world.kubectl(["apply", "-f", "-"], value).returncode}

    def do_file(self, value):
        """A file as it is at the head of the branch."""
        done = self.world.git("show", f"{self.world.branch}:{value}", cwd=self.world.repository, check=False)
        return {"text": settled(done.stdout.split("\n"), diff=False)} if done.returncode == 0 else {"missing": True}

    def do_marker(self, _):
        marker = self.world.marker()
        return {"at head": marker == self.world.head(), "set": bool(marker)}

    def do_metrics(self, _):
        status, _, body = exchange(self.world.listen_port, "GET", "/metrics")
        found = {}
        for line in body.decode().splitlines():
            kind = re.match(r"# TYPE (\S+) (\S+)", line)
            if kind:
                found[kind.group(1)] = {"type": kind.group(2), "labels": set()}
                continue
            sample = re.match(r"([a-zA-Z_:][\w:]*)(\{(.*)\})? ", line)
            if sample:
                name = re.sub(r"_(bucket|sum|count)$", "", sample.group(1))
                name = name if name in found else sample.group(1)
                found.setdefault(name, {"type": "untyped", "labels": set()})["labels"] |= set(
                    re.findall(r'(\w+)="', sample.group(3) or "")) - {"le", "quantile"}
        own = {k: {"type": v["type"], "labels": sorted(v["labels"])} for k, v in sorted(found.items())
               if not k.startswith(("go_", "process_", "promhttp_"))}
        return {"status": status, "metrics": own}

    # -- checkpoints --------------------------------------------------------------------------------------------

    def branch_commits(self):
        done = self.world.git("rev-list", "--reverse", self.world.branch, cwd=self.world.repository, check=False)
        return done.stdout.split() if done.returncode == 0 else []

    def new_commits(self):
        return [one for one in self.branch_commits() if one not in self.known_commits]

    def objects(self):
        return self.world.cluster.objects(self.world.set_parts)

    def commits(self):
        found = []
        for sha in self.new_commits():
            self.known_commits.add(sha)
            shape = "%an <%ae>%n%cn <%ce>%n%G?%n%B"
            author, committer, signed, message = self.world.git("show", "-s", "--format=" + shape, sha,
                                                                cwd=self.world.repository).stdout.split("\n", 3)
            diff = self.world.git("show", "--format=", "--no-color", f"-U{self.scenario.get('diff_context', 3)}", sha, cwd=self.world.repository).stdout
            diff = "".join(line for line in diff.splitlines(True) if not line.startswith("index "))
            found.append({"commit": f"<{self.world.normalise.commit(sha)}>", "author": author, "committer": committer,
                          "signature": signed, "message": settled_message(message), "diff": settled(diff.splitlines())})
        return found

    def refs(self):
        found = {}
        listed = self.world.git("for-each-ref", "--format=%(refname)%09%(objecttype)%09%(*objectname)%09%(objectname)"
                                "%09%(taggername) %(taggeremail)%09%(contents:subject)%09%(if)%(contents:signature)%(then)signed%(end)",
                                cwd=self.world.repository).stdout
        for line in listed.splitlines():
            name, kind, peeled, target, tagger, subject, signed = line.split("\t")
            if name.startswith("refs/notes/"):
                found[name] = "notes"
            elif kind == "tag":
                found[name] = {"annotated": peeled, "tagger": tagger.strip(), "message": subject,
                               "signed": bool(signed)}
            else:
                found[name] = target
        return found

    def notes(self):
        found = {}
        for name in self.refs():
            if name.startswith("refs/notes/"):
                listed = self.world.git("notes", "--ref", name, "list", cwd=self.world.repository).stdout
                for line in listed.splitlines():
                    target = line.split()[1]
                    text = self.world.git("notes", "--ref", name, "show", target, cwd=self.world.repository).stdout
                    try:
                        text = json.loads(text)
                    except ValueError:
                        pass
                    found.setdefault(name, {})[f"<{self.world.normalise.commit(target)}>"] = text
        return {name: dict(sorted(notes.items(), key=lambda one: int(re.sub(r"\D", "", one[0])))) for name, notes in found.items()}

    def do_checkpoint(self, name, parts=None):
        parts = parts or ["commits", "refs", "notes", "objects", "events", "log"]
        state = {}
        self.world.learn_commits()
        if "commits" in parts:
            state["commits"] = self.commits()
        if "refs" in parts:
            state["refs"] = self.refs()
        if "notes" in parts:
            state["notes"] = self.notes()
        if "objects" in parts:
            now = self.objects()
            old, self.known_objects = self.known_objects, now
            state["objects"] = {k: (v if k in now and old.get(k) != v else None) for k, v in sorted({**old, **now}.items())
                                if old.get(k) != now.get(k)}
            for key in state["objects"]:
                state["objects"][key] = now.get(key, "gone")
        if "events" in parts:
            state["kubernetes events"] = self.world.cluster.events()
        if "log" in parts:
            state["log"] = self.log()
        if "troubles" in parts:  # where several commits come quickly, how many syncs they take is chance
            state["log"] = {"troubles": self.log()["troubles"]}
        return state

    def log(self):
        """The daemon's own events, in order, and its distinct warnings and errors, sorted."""
        events, troubles = [], set()
        for line in self.world.log_lines():
            found = dict((k, v or w) for k, v, w in re.findall(r'(\w[\w.-]*)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line))
            if "logupstream" in found:
                events.append(found["event"])
            for key in ("warning", "warn", "err", "error"):
                if found.get(key) and found[key] != "null" and "kubernetes_caller" not in found:
                    rest = f" err={found['err']}" if key != "err" and found.get("err") not in (None, "null") else ""
                    if "method=Sync" in line:
                        rest = ""
                    if "not been cloned yet" in found[key] + rest or "not yet checked for write access" in found[key] + rest:
                        continue  # whether it is logged depends on the speed of the first clone
                    troubles.add(f"{key}={found[key]}{rest}")
        return {"events": events, "troubles": sorted(self.world.normalise.text(one) for one in troubles)}


ANNOTATION = re.compile(r"^[+ -]?\s+[\"']?\S*(fluxcd\.io|flux\.weave\.works)/[^:]+: ")


def settled(lines, diff=True):
    """Sorts each run of policy annotations: Flux writes several at once in random order."""
    result, run = [], []
    for line in [*lines, ""]:
        if ANNOTATION.match(line):
            run.append(line)
            continue
        result += sorted(run, key=lambda one: (one[1:], one[0]) if diff else one)
        result.append(line)
        run = []
    return result[:-1]


def settled_message(text):
    """Sorts the list in a policy commit's message: Flux writes it in random order."""
    lines = text.split("\n")
    items = iter(sorted(line for line in lines if line.startswith("- ")))
    return "\n".join(next(items) if line.startswith("- ") else line for line in lines)


# -- commands -----------------------------------------------------------------------------------------------------

def load(path):
    with open(path) as source:
        scenario = yaml.safe_load(source)
    scenario.setdefault("name", os.path.splitext(os.path.basename(path))[0])
    return scenario


def scenario_files(paths):
    for path in paths:
        if os.path.isdir(path):
            yield from sorted(os.path.join(path, one) for one in os.listdir(path) if one.endswith((".yaml", ".json")))
        else:
            yield path


def write(path, value):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w") as out:
        json.dump(value, out, indent=1, sort_keys=False, ensure_ascii=False)
        out.write("\n")


def run(options):
    options.playground = shutil.which(options.playground) or options.playground
    options.tools = [os.path.abspath(one) for one in options.tools]
    accepted, failed = Accepted(options.accept), []
    for path in scenario_files(options.scenarios):
        try:
            scenario = load(path)
        except (OSError, yaml.YAMLError) as error:
            failed.append(path)
            print(f"{path}: {' '.join(str(error).split())}", flush=True)
            continue
        if options.only and not re.search(options.only, scenario["name"]):
            continue
        began = time.monotonic()
        directory = tempfile.mkdtemp(prefix="gitops-", dir=options.dir)
        world = World(directory, scenario, options)
        runner = Runner(world, scenario, accepted)
        try:
            world.up()
            write(os.path.join(options.out, scenario["name"] + ".json"), runner.run())
            if options.http:
                write(os.path.join(options.http, scenario["name"] + ".json"), runner.http)
            print(f"{scenario['name']}: recorded in {time.monotonic() - began:.0f} s, {runner.memory}", flush=True)
        except Exception as error:  # a scenario that breaks must not stop the others
            failed.append(scenario["name"])
            print(f"{scenario['name']}: FAILED after {time.monotonic() - began:.0f} s: {error}", flush=True)
            if not isinstance(error, Failed):
                traceback.print_exc()
            write(os.path.join(directory, "partial.json"), runner.steps)
        finally:
            world.down()
            for number in range(1, world.starts + 1):
                shutil.copy(world.path(f"daemon{number}.log"), os.path.join(options.out, f"{scenario['name']}.daemon{number}.log"))
        if options.keep:
            print(f"  kept {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return 1 if failed else 0


def leaves(value, path=""):
    """(path, leaf) pairs; a text of several lines is one leaf per line."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from leaves(one, f"{path}/{key}")
    elif isinstance(value, list) and value and not all(isinstance(one, str) for one in value):
        for index, one in enumerate(value):
            label = one["ID"] if isinstance(one, dict) and isinstance(one.get("ID"), str) else index
            yield from leaves(one, f"{path}/{label}")
    else:
        yield path, value


def aligned(a, b):
    """Pairs of steps with the same title; a step only one side has is paired with an empty one."""
    titles = [[one["step"] for one in steps] for steps in (a, b)]
    for tag, i, j, k, m in difflib.SequenceMatcher(None, *titles, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(a[i:j], b[k:m])
        else:
            yield from ((one, {}) for one in a[i:j])
            yield from (({}, one) for one in b[k:m])


def differences(a, b):
    """(step number, title, path, value in a, value in b, all of b's step as JSON) of each point in which two recordings differ."""
    for number, (left, right) in enumerate(aligned(a["steps"], b["steps"]), 1):
        title, said = left.get("step") or right.get("step"), json.dumps(right, ensure_ascii=False)
        if not (left and right):
            yield number, title, "only on one side", left or ABSENT, right or ABSENT, said
            continue
        one, two = dict(leaves(left)), dict(leaves(right))
        for path in list(one) + [p for p in two if p not in one]:
            if one.get(path, ABSENT) != two.get(path, ABSENT):
                yield number, title, path, one.get(path, ABSENT), two.get(path, ABSENT), said


def show_difference(one, two):
    texts = []
    for value in (one, two):
        if value is ABSENT:
            texts.append(["(absent)"])
        elif isinstance(value, list) and all(isinstance(line, str) for line in value) and value:
            texts.append(value)
        else:
            texts.append(value.split("\n") if isinstance(value, str) else [json.dumps(value)])
    for line in list(difflib.unified_diff(*texts, lineterm="", n=2))[2:]:
        if not line.startswith("@@"):
            print("    " + line)


def recordings(path):
    if os.path.isdir(path):
        return {one: os.path.join(path, one) for one in sorted(os.listdir(path)) if one.endswith(".json")}
    return {os.path.basename(path): path}


def diff(options):
    left, right = recordings(options.a), recordings(options.b)
    if os.path.isfile(options.a) and os.path.isfile(options.b):
        pairs = [(options.a, options.b)]
    else:
        pairs = [(left[name], right[name]) for name in left if name in right]
        for name in sorted(set(left) ^ set(right)):
            print(f"only on one side: {name}")
    ignored, accepted = [re.compile(one) for one in options.ignore], Accepted(options.accept)
    total, hidden, unneeded = 0, 0, []
    for one, two in pairs:
        with open(one) as a, open(two) as b:
            first, second = json.load(a), json.load(b)
        scenario = first["scenario"]
        for number, title, path, *values, said in differences(first, second):
            if accepted.has(scenario, title, path, *values, said) or any(x.search(f"{scenario}: {title}: {path}") for x in ignored):
                hidden += 1
                continue
            total += 1
            print(f"{scenario}, step {number} ({title}): {path}")
            show_difference(*values)
    if options.all_needed:
        unneeded = list(accepted.unneeded({os.path.splitext(os.path.basename(one))[0] for one, _ in pairs}))
    for line, why in unneeded:
        print(f"{line.place}: accepted without need: {why} ({line.reason})")
    print(f"{len(pairs)} recordings compared, {total} differences" + (f", {hidden} accepted ones not shown" if hidden else ""))
    return 1 if total or unneeded or (options.strict and set(left) ^ set(right)) else 0


def http(options):
    """Merges what clients sent and got into one file, one entry per command, and a table of the requests."""
    merged = {}
    for path in options.recordings:
        for name in recordings(path).values():
            with open(name) as source:
                for one in json.load(source):
                    if one["exchanges"]:
                        merged.setdefault(one["command"], one)
    entries = [merged[key] for key in sorted(merged)]
    write(options.out, entries)
    if options.table:
        lines = ["| command | request | body sent | status | answer |", "|---|---|---|---|---|"]
        for one in entries:
            shown = one["command"]
            for pair in one["exchanges"]:
                request, response = pair["request"], pair["response"]
                query = "&".join(f"{k}={v}" for k, values in request["query"].items() for v in values)
                cells = [shown, f"{request['method']} {request['path']}" + ("?" + query if query else ""),
                         json.dumps(request["body"], ensure_ascii=False) if "body" in request else "", str(response["status"]),
                         json.dumps(response["body"], ensure_ascii=False)[:160] if response["body"] != "" else ""]
                lines.append("| " + " | ".join(f"`{c}`" if c and not c.isdigit() else c for c in (
                    cell.replace("|", "\\|").replace("\n", " ") for cell in cells)) + " |")
                shown = ""
        with open(options.table, "w") as out:
            out.write("\n".join(lines) + "\n")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("run", help="run scenarios and record them")
    one.add_argument("--daemon", required=True, help="command template of the daemon")
    one.add_argument("--cli", required=True, help="command template of the client; {args} or appended")
    one.add_argument("--scenarios", nargs="+", required=True, help="scenario files or directories")
    one.add_argument("--out", required=True, help="directory for the recordings")
    one.add_argument("--http", help="directory for what the client sent and got")
    one.add_argument("--only", help="regular expression on scenario names")
    one.add_argument("--dir", help="where to make the temporary directories")
    one.add_argument("--keep", action="store_true", help="keep the temporary directories")
    one.add_argument("--kubeconfig", help="use this cluster instead of starting one (it should be empty)")
    one.add_argument("--accept", action="append", default=[], help="differences that are meant: waits that end in vain by one are cut short")
    one.add_argument("--tools", action="append", default=[], help="directory put in front of the daemon's PATH")
    one.add_argument("--playground", default=os.environ.get("PLAYGROUND", "playground"), help="the program of deploy/playground")
    one.add_argument("--registry", default=os.environ.get("DOCKER_REGISTRY", "docker-registry"))
    one.add_argument("--memcached", default=os.environ.get("MEMCACHED", "memcached"))
    one.set_defaults(act=run)
    two = commands.add_parser("diff", help="compare two recordings or two directories of them")
    two.add_argument("a")
    two.add_argument("b")
    two.add_argument("--ignore", action="append", default=[], help="regular expression on 'scenario: step: path' not to show")
    two.add_argument("--accept", action="append", default=[], help="file of the differences that are meant; accepted-gitops explains it")
    two.add_argument("--all-needed", action="store_true", help="a line of such a file that met no difference is an error")
    two.add_argument("--strict", action="store_true", help="a recording missing on one side is a difference")
    two.set_defaults(act=diff)
    three = commands.add_parser("http", help="merge what clients sent and got into one file")
    three.add_argument("recordings", nargs="+", help="directories written by run --http")
    three.add_argument("--out", required=True)
    three.add_argument("--table")
    three.set_defaults(act=http)
    options = parser.parse_args()
    try:
        sys.exit(options.act(options))
    except Malformed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
