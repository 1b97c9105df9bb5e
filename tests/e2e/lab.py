"""The world of one end-to-end test: a namespace of its own in the shared cluster, the proxy before it, a repository, serin.

A test is a function that takes a World; it fails by raising. What it waits for it waits for long (WAIT): how fast things are is
measured by scripts/bench, and printed here, not asserted.
"""

import difflib
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "differential"))
from gitops_lab.processes import Process, free_port  # noqa: E402
from gitops_lab.sshd import Sshd  # noqa: E402

WAIT = 40
FORWARD = ("PATH", "LANG", "TERM")
SANITIZERS = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}

# kind -> (path of its API group, plural, is it in a namespace); tests add the kinds they define.
KINDS = {
    "Namespace": ("/api/v1", "namespaces", False), "ConfigMap": ("/api/v1", "configmaps", True), "Secret": ("/api/v1", "secrets", True),
    "Service": ("/api/v1", "services", True), "ServiceAccount": ("/api/v1", "serviceaccounts", True), "Event": ("/api/v1", "events", True),
    "Pod": ("/api/v1", "pods", True), "Deployment": ("/apis/apps/v1", "deployments", True),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers", True),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases", True),
}


class Failed(AssertionError):
    """What a test says when it fails: the text is all that is shown."""


class Refused(Failed):
    """The API server said no."""

    def __init__(self, status, body):
        self.status = status
        super().__init__(f"{status}: {body}")


def lasts(seconds):
    """Marks a test that takes long, and how long: those begin first."""
    def mark(test):
        test.seconds = seconds
        return test
    return mark


def needs(program):
    """Marks a test that is skipped where a program is not installed."""
    def mark(test):
        test.needs = program
        return test
    return mark


def pretty(value):
    return value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str)


def expect(actual, expected, what):
    """Equal, or a failure that shows the difference line by line."""
    if actual != expected:
        lines = difflib.unified_diff(pretty(expected).splitlines(), pretty(actual).splitlines(), "expected", "actual", lineterm="", n=3)
        raise Failed(f"{what}:\n" + "\n".join("    " + line for line in lines))


def contains(text, pattern, what):
    if not re.search(pattern, text):
        raise Failed(f"{what}: /{pattern}/ is not in\n    " + "\n    ".join(str(text).strip().splitlines()[-30:]))


def wait(test, what, timeout=WAIT):
    """Until test() is true (its value is returned); the last failure or value is shown when time is over. What takes long is looked at
    less often: a look costs the cluster and the daemon more than what they are asked to do."""
    began, last = time.monotonic(), None
    while True:
        try:
            last = test()
            if last:
                return last
        except (Failed, OSError, http.client.HTTPException) as error:
            last = error
        waited = time.monotonic() - began
        if waited > timeout:
            raise Failed(f"waited {timeout} s in vain for {what}; the last look gave:\n    {pretty(str(last))[:2000]}")
        time.sleep(min(max(0.03, waited / 20), 0.25))


def request(where, method, path, body=None, headers=None, timeout=60):
    """One HTTP request to http://host:port: (status, text)."""
    url = urllib.parse.urlsplit(where)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


class Cluster:
    """The API server, straight: what tests use to look and to meddle."""

    def __init__(self, kubeconfig):
        self.kubeconfig = os.path.abspath(kubeconfig)
        with open(kubeconfig) as source:
            config = yaml.safe_load(source)
        url = urllib.parse.urlsplit(config["clusters"][0]["cluster"]["server"])
        self.host, self.port = url.hostname, url.port
        self.token = config["users"][0]["user"]["token"]
        self.context = ssl.create_default_context(cafile=config["clusters"][0]["cluster"]["certificate-authority"])
        self.local = threading.local()

    def ask(self, method, path, body=None, content_type="application/json"):
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        headers = {"Authorization": "Bearer " + self.token, "Accept": "application/json", "Content-Type": content_type}
        for attempt in (1, 2):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = self.local.connection = http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=60)
            try:
                connection.request(method, path, body=data, headers=headers)
                answer = connection.getresponse()
                text = answer.read().decode()
                break
            except (OSError, http.client.HTTPException):
                connection.close()
                self.local.connection = None
                if attempt == 2:
                    raise
        value = json.loads(text) if text[:1] in "{[" else text
        if answer.status >= 300:
            raise Refused(answer.status, value.get("message", value) if isinstance(value, dict) else value)
        return value

    @staticmethod
    def path(kind, name=None, ns=None):
        base, plural, namespaced = KINDS[kind]
        where = f"{base}/namespaces/{ns}/{plural}" if namespaced and ns else f"{base}/{plural}"
        return where + (f"/{urllib.parse.quote(name)}" if name else "")

    def get(self, kind, name, ns=None):
        """The object, or None."""
        try:
            return self.ask("GET", self.path(kind, name, ns))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind, ns=None, selector=""):
        return self.ask("GET", self.path(kind, None, ns) + ("?labelSelector=" + urllib.parse.quote(selector) if selector else ""))["items"]

    def create(self, kind, body, ns=None):
        return self.ask("POST", self.path(kind, None, ns), body)

    def patch(self, kind, name, ns, body, content_type="application/merge-patch+json", sub=""):
        return self.ask("PATCH", self.path(kind, name, ns) + sub, body, content_type)

    def delete(self, kind, name, ns=None):
        try:
            return self.ask("DELETE", self.path(kind, name, ns))
        except Refused as error:
            if error.status != 404:
                raise


def sanitizer_story(text):
    """What a sanitizer said, without the frames that are not ours; "" if nothing."""
    if not re.search(r"ERROR: \w+Sanitizer|runtime error:", text):
        return ""
    start = re.search(r"^.*(ERROR: \w+Sanitizer|runtime error:)", text, re.M).start()
    kept = [re.sub(r"/\S*/src/", "src/", line) for line in text[start:].splitlines()
            if not line.lstrip().startswith("#") or re.search(r"/src/\w+/\w+\.c:", line) and "/base/base.c" not in line]
    return "\n".join(kept[:40])


class World:
    branch = "master"

    def __init__(self, options, name, directory, number):
        self.options, self.title, self.directory = options, name, directory
        self.cluster = Cluster(options.kubeconfig)
        self.ns = f"t{number}-" + re.sub(r"[^a-z0-9]+", "-", name.lower())[:24].strip("-") + f"-{os.urandom(3).hex()}"
        self.processes, self.serin_process, self.starts, self.clock, self.notes = [], None, 0, 0, []
        for one in ("home", "user", "git"):
            os.makedirs(self.path(one))
        self.port = free_port()
        self.flags = []
        self.start_proxy()
        self.make_repository()

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def note(self, text):
        """Something worth reading beside the result: a time, a count."""
        self.notes.append(text)

    # -- the proxy ----------------------------------------------------------------------------------------------

    def start_proxy(self):
        log = self.path("proxy.log")
        process = Process([self.options.playground, "proxy", "--kubeconfig", self.options.kubeconfig, "--out", self.path("kubeconfig")], log)
        self.processes.append(process)
        wait(lambda: process.text().count("\n") >= 2, "the proxy", 30)
        self.admin = process.text().split()[-1]

    def arm(self, name, action, **conditions):
        status, text = request(self.admin, "PUT", "/rules/" + name, json.dumps({**conditions, "action": action}))
        if status != 204:
            raise Failed(f"rule {name}: {text}")

    def disarm(self, name=""):
        request(self.admin, "DELETE", "/rules" + ("/" + name if name else ""))

    def hits(self, name):
        return next((one["hits"] for one in json.loads(request(self.admin, "GET", "/rules")[1]) if one["name"] == name), 0)

    def gone(self, how="refuse"):
        request(self.admin, "PUT", "/gone", how)

    def back(self):
        request(self.admin, "DELETE", "/gone")

    def counts(self, reset=False):
        """Requests of serin by kind since the last reset, watches and its own Events aside."""
        totals = json.loads(request(self.admin, "DELETE" if reset else "GET", "/counts?list=1")[1])
        totals["asked"] = {kind: n for kind, n in totals["by_kind"].items() if not kind.startswith("watch ") and not kind.endswith(" events")}
        return totals

    # -- git ----------------------------------------------------------------------------------------------------

    def git(self, *args, cwd=None, check=True, env=None, data=None):
        base = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        base.update(HOME=self.path("user"), GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0", **(env or {}))
        done = subprocess.run(["git", *args], cwd=cwd or self.work, env=base, input=data, capture_output=True, text=not isinstance(data, bytes))
        if check and done.returncode:
            raise Failed(f"git {' '.join(args)}: {done.stderr}")
        return done.stdout.strip() if check else done

    def make_repository(self):
        self.repository, self.work = self.path("git", "repo.git"), self.path("git", "work")
        with open(self.path("user", ".gitconfig"), "w") as out:
            out.write("[user]\n\tname = Jane Doe\n\temail = jane@example.org\n[safe]\n\tdirectory = *\n[init]\n\tdefaultBranch = master\n"
                      "[commit]\n\tgpgSign = false\n[advice]\n\tdetachedHead = false\n[core]\n\tprotectNTFS = false\n")
        shutil.copy(self.path("user", ".gitconfig"), self.path("home", ".gitconfig"))
        self.git("init", "-q", "--bare", "-b", self.branch, self.repository, cwd=self.directory)
        self.git("init", "-q", "-b", self.branch, self.work, cwd=self.directory)
        self.git("remote", "add", "origin", self.repository)
        self.url = "file://" + self.repository

    def let_pushes_hang(self):
        """Every push but those past the hook waits until the hook is gone, or the world; gives the hook and what says that one waits."""
        hook, waits = os.path.join(self.repository, "hooks", "pre-receive"), self.path("a-push-waits")
        with open(hook, "w") as out:
            out.write(f"#!/bin/sh\ntouch {waits}\nwhile [ -e {hook} ]; do sleep 0.2; done\nexit 1\n")
        os.chmod(hook, 0o755)
        return hook, waits

    def write(self, files):
        """Files of the work tree: path -> text, bytes or objects (dumped as YAML documents)."""
        for name, content in files.items():
            target = os.path.join(self.work, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if isinstance(content, (dict, list)):
                content = yaml.safe_dump_all(content if isinstance(content, list) else [content], sort_keys=False)
            with open(target, "wb") as out:
                out.write(content if isinstance(content, bytes) else content.encode())

    def commit(self, files=None, remove=(), message="Change", push=True, force=False):
        """Writes, removes, commits, pushes; gives the commit."""
        self.write(files or {})
        for name in remove:
            os.remove(os.path.join(self.work, name))
        self.clock += 1
        date = f"2024-01-01T{self.clock // 60:02d}:{self.clock % 60:02d}:00Z"
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, env={"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date})
        if push:
            self.push(force)
        return self.head()

    def push(self, force=False):
        self.git("push", "-q", *(["--force"] if force else []), "origin", "HEAD:" + self.branch)

    def head(self):
        return self.git("rev-parse", "HEAD")

    def marker(self):
        done = self.git("rev-parse", "-q", "--verify", "refs/tags/flux-sync^{commit}", cwd=self.repository, check=False)
        return done.stdout.strip()

    def sshd(self, kind="ed25519"):
        server = Sshd(self.path("ssh"), self.path("sshd.log"), kind)
        self.processes.append(server.start())
        self.url = server.url(self.repository)
        wait(lambda: "Server listening" in self.processes[-1].text(), "sshd", 10)
        return server

    # -- serin --------------------------------------------------------------------------------------------------

    def environment(self, more=None):
        env = {k: os.environ[k] for k in FORWARD if k in os.environ}
        env.update(SANITIZERS, HOME=self.path("home"), GIT_CONFIG_NOSYSTEM="1", **(more or {}))
        return env

    def serin(self, *flags, ready=True, env=None):
        """Starts the daemon (with the flags of the last time when none are given) and waits until it answers."""
        self.flags = list(flags) or self.flags
        given = {one.split("=")[0] for one in self.flags}
        usual = [f"--kubeconfig={self.path('kubeconfig')}", f"--git-url={self.url}", f"--git-branch={self.branch}",
                 f"--listen=127.0.0.1:{self.port}", f"--state-dir={self.path('state')}", "--git-poll-interval=300ms",
                 "--sync-interval=1h", "--sync-garbage-collection", "--canaries=off"]  # the canaries of other tests are none of ours
        command = [self.options.serin, "run", *[one for one in usual if one.split("=")[0] not in given], *self.flags]
        self.starts += 1
        self.serin_process = Process(command, self.path(f"serin{self.starts}.log"), env=self.environment(env), cwd=self.path("home"))
        if ready:
            wait(self.answers, "serin to answer")
        return self.serin_process

    def answers(self):
        if not self.serin_process.running:
            raise Failed(f"serin ended with {self.serin_process.child.poll()}: {self.serin_process.text()[-3000:]}")
        return self.api("v11/version") is not None

    def stop(self, expected=0):
        """Ends serin as an operator would, and minds how it ends: sanitizers speak through the exit status."""
        process, self.serin_process = self.serin_process, None
        if process:
            status = process.stop(patience=30)
            story = sanitizer_story(process.text())
            if story:
                raise Failed("a sanitizer spoke:\n" + story)
            if expected is not None:
                expect(status, expected, "exit status of serin")

    def kill(self):
        process, self.serin_process = self.serin_process, None
        process.child.send_signal(signal.SIGKILL)
        process.child.wait()

    def last_words(self, lines=25):
        """The end of the log without the fetches that brought nothing, and without what a sanitizer said (it is told elsewhere)."""
        return [one for one in self.log().splitlines() if one.startswith(("ts=", "{")) and "event=refreshed" not in one][-lines:]

    def seen_by_the_proxy(self):
        """What serin asked for, by kind, and what the rules did to it: for those who look for the cause of a failure."""
        try:
            totals, rules = self.counts(), json.loads(request(self.admin, "GET", "/rules")[1])
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            return f"the proxy does not say what it saw: {error}"
        kinds = {}
        for kind, n in totals["by_kind"].items():  # lists and watches in one each: there is one for every kind of the cluster
            name = re.sub(r"^(list|watch) .*", r"\1", kind)
            kinds[name] = kinds.get(name, 0) + n
        said = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) or "nothing"
        said += "".join(f"; rule {one['name']} met {one['hits']}" for one in rules)
        return f"the proxy saw {said} ({totals['connections']} connections, at most {totals['max_in_flight']} requests at once)"

    def log(self):
        return "".join(open(self.path(f"serin{n}.log"), errors="replace").read() for n in range(1, self.starts + 1)
                       if os.path.exists(self.path(f"serin{n}.log")))

    def api(self, path, method="GET", body=None):
        status, text = request(f"http://127.0.0.1:{self.port}", method, "/api/flux/" + path, body, {"Accept": "application/json"})
        return json.loads(text) if status == 200 and text else None

    def cli(self, *args, env=None, cwd=None):
        """One command: (exit status, stdout, stderr)."""
        more = {"KUBECONFIG": self.path("kubeconfig"), "FLUX_URL": f"http://127.0.0.1:{self.port}/api/flux", **(env or {})}
        done = subprocess.run([self.options.serin, *args], env=self.environment(more), cwd=cwd or self.work, capture_output=True, text=True,
                              timeout=120, stdin=subprocess.DEVNULL)
        if sanitizer_story(done.stderr):
            raise Failed("a sanitizer spoke:\n" + sanitizer_story(done.stderr))
        return done.returncode, done.stdout, done.stderr

    def status(self):
        code, out, err = self.cli("status", "-o", "json")
        if not out.startswith("{"):
            raise Failed(f"serin status: exit {code}: {out} {err}")
        return json.loads(out)

    def is_synced(self, sha):
        if self.serin_process and not self.serin_process.running:
            raise Failed(f"serin ended with {self.serin_process.child.poll()}: {self.serin_process.text()[-3000:]}")
        return self.api("v6/sync?ref=" + sha) == []

    def synced(self, sha=None, timeout=WAIT):
        """Waits until the head (or that commit) has been worked through."""
        sha, began = sha or self.head(), time.monotonic()
        wait(lambda: self.is_synced(sha), f"the sync of {sha[:7]}", timeout)
        return time.monotonic() - began

    def held(self):
        """What status says is not as declared: id -> message; and the files that could not be read."""
        found = self.status()
        return {one["id"]: one["message"] for one in found["failures"]}, [f"{one['path']}:{one['line']}: {one['message']}" for one in found["problems"]]

    # -- looking ------------------------------------------------------------------------------------------------

    def get(self, kind, name, ns=None):
        return self.cluster.get(kind, name, ns or self.ns)

    def data(self, name):
        found = self.get("ConfigMap", name)
        return None if found is None else found.get("data") or {}

    def wait_data(self, name, expected, timeout=WAIT):
        """Until a ConfigMap has that data (None: until it is gone); gives the seconds."""
        began = time.monotonic()

        def look():
            now = self.data(name)
            return now == expected or expect(now, expected, f"data of ConfigMap {name}")
        wait(look if expected is not None else lambda: self.data(name) is None, f"ConfigMap {name}", timeout)
        return time.monotonic() - began

    def settle(self, seconds=1.0, most=40):
        """Waits until serin has asked nothing for so long, for at most so long."""
        last = [json.loads(request(self.admin, "GET", "/counts")[1])["requests"], time.monotonic()]

        def quiet():
            now = json.loads(request(self.admin, "GET", "/counts")[1])["requests"]
            if now != last[0]:
                last[:] = [now, time.monotonic()]
            return time.monotonic() - last[1] >= seconds
        wait(quiet, "quiet", most)

    # -- the end ------------------------------------------------------------------------------------------------

    def down(self):
        for process in reversed(self.processes):
            process.stop(5)

    # -- objects ------------------------------------------------------------------------------------------------

    def namespace(self, name=None):
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name or self.ns}}

    def configmap(self, name, data=None, **meta):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": self.ns, **meta}, "data": data or {"key": "one"}}

    def deployment(self, name, image="app:1", **spec):
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": self.ns}, "spec": {
            "selector": {"matchLabels": {"app": name}}, **spec,
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": image}]}}}}

    def deploy_secret(self):
        """The Secret that keeps the marker where git does not; gives the flags that name it."""
        self.cluster.create("Secret", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": self.ns}}, "default")
        return ["--git-readonly", "--k8s-secret-name=" + self.ns]

    def service(self, name, port=80):
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": self.ns},
                "spec": {"selector": {"app": name}, "ports": [{"port": port}]}}

    def crd(self, plural, kind, group=None, **more):
        group = group or f"{self.ns}.example.com"
        KINDS[kind + "@" + self.ns] = (f"/apis/{group}/v1", plural, True)
        return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
                "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": kind + "List"},
                         "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                             "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}], **more}}
