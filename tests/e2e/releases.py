"""Worlds in which images are released: a registry, workloads in the repository that use its images, and what becomes of both."""

import json
import os
import re
import time

from lab import Failed, contains, expect, request, wait
from registry import Images

MANIFEST = """\
# {name}: kept by the shop's people
apiVersion: apps/v1
kind: Deployment
metadata:
  name:   {name}
  namespace: {ns}{annotations}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: main
        image: {image}   # what runs
        args: ['--port', "9898"]
"""


class Releases:
    """Started by begin(): the workloads and their images are there, serin runs and has synced."""

    def __init__(self, w, registry=None):
        self.w = w
        self.registry = registry or Images(w.path("registry"))
        self.env = {}
        w.processes.append(self.registry)
        w.cluster.create("Namespace", w.namespace())

    # -- the repository -----------------------------------------------------------------------------------------

    def image(self, name="web", tag="1.0"):
        return f"{self.registry.address}/shop/{name}:{tag}"

    def manifest(self, name="web", tag="1.0", image=None, annotations=None):
        lines = "".join(f"\n    {key}: '{value}'" for key, value in (annotations or {}).items())
        return MANIFEST.format(name=name, ns=self.w.ns, image=image or self.image(name, tag),
                               annotations="\n  annotations:" + lines if lines else "")

    def automated(self, name="web", tag="1.0", pattern="semver:~1", image=None, **more):
        return self.manifest(name, tag, image, annotations={"fluxcd.io/automated": "true", "fluxcd.io/tag.main": pattern, **more})

    def begin(self, files, *flags):
        self.w.commit(files)
        self.start(*flags)

    def start(self, *flags):
        self.w.serin("--registry-insecure-host=" + self.registry.address, "--registry-scan-interval=1s", "--automation-interval=1s",
                     "--k8s-allow-namespace=" + self.w.ns, *flags, env=self.env)
        self.w.synced(self.head())

    def bare(self, *args, **more):
        return self.w.git(*args, cwd=self.w.repository, **more)

    def head(self):
        return self.bare("rev-parse", "refs/heads/" + self.w.branch)

    def pull(self):
        self.w.git("pull", "-q", "--rebase", "origin", self.w.branch)

    def count(self):
        """Commits on the branch."""
        return int(self.bare("rev-list", "--count", "refs/heads/" + self.w.branch))

    def text(self, path="web.yaml", revision=None):
        return self.bare("show", f"{revision or self.head()}:{path}")

    def changed(self, revision=None):
        """What a commit changed: {path: [(before, after) of each line]}; a change that is not line by line fails."""
        found, text = {}, self.bare("show", "--format=", "-U0", "--no-renames", revision or self.head())
        for part in re.split(r"^diff --git ", text, flags=re.M)[1:]:
            path = re.match(r"a/(.*) b/", part)[1]
            minus = [line[1:] for line in part.splitlines() if line.startswith("-") and not line.startswith("---")]
            plus = [line[1:] for line in part.splitlines() if line.startswith("+") and not line.startswith("+++")]
            expect(len(plus), len(minus), f"lines of {path} that a commit took and gave:\n{part}")
            found[path] = list(zip(minus, plus))
        return found

    def one_scalar(self, before, after, path="web.yaml", revision=None):
        """The commit changed that text to the other on one line, and nothing else."""
        changed = self.changed(revision)
        expect(list(changed), [path], "files of the commit")
        expect(len(changed[path]), 1, f"lines of the commit: {changed}")
        old, new = changed[path][0]
        expect(old.replace(before, after, 1), new, f"the line with {after} in place of {before}")

    def note(self, revision=None):
        done = self.bare("notes", "--ref=flux", "show", revision or self.head(), check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def check_sane(self):
        self.bare("fsck", "--strict", "--no-dangling")

    def hook(self, name, script):
        path = f"{self.w.repository}/hooks/{name}"
        with open(path, "w") as out:
            out.write("#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        return path

    # -- serin --------------------------------------------------------------------------------------------------

    def id(self, name="web"):
        return f"{self.w.ns}:deployment/{name}"

    def release(self, *args, name="web", tag="1.1"):
        """serin release of an image: (status, stdout, stderr)."""
        return self.w.cli("release", "--workload=" + self.id(name), "--update-image=" + self.image(name, tag), *args)

    def released(self, *args, name="web", tag="1.1"):
        """The same, which has to succeed; gives the commit."""
        code, out, err = self.release(*args, name=name, tag=tag)
        expect(code, 0, f"exit of release: {out}{err}")
        return self.head()

    def refused(self, pattern, *args, name="web", tag="1.1"):
        """The same, which has to fail and to say why; nothing is committed."""
        head = self.head()
        code, out, err = self.release(*args, name=name, tag=tag)
        expect(code, 1, f"exit of release: {out}{err}")
        contains(out + err, pattern, "what release says")
        expect(self.head(), head, "the head of the branch")
        return out + err

    def policy(self, command, *args, name="web"):
        code, out, err = self.w.cli(command, "--workload=" + self.id(name), *args)
        expect(code, 0, f"exit of {command}: {out}{err}")
        self.pull()
        return out + err

    def notify(self, name="web"):
        body = json.dumps({"Kind": "image", "Source": {"Name": {"Domain": self.registry.address, "Image": "shop/" + name}}})
        status, text = request(f"http://127.0.0.1:{self.w.port}", "POST", "/api/flux/v11/notify", body)
        expect(status, 202, f"answer to the notification: {text}")

    def metric(self, pattern):
        """The sum of the series that match."""
        text = request(f"http://127.0.0.1:{self.w.port}", "GET", "/metrics")[1]
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if re.match(pattern, line))

    def scans(self):
        return self.metric("flux_registry_fetch_duration_seconds_count")

    def wait_scans(self, more=3, timeout=40):
        """Until registries were looked at so many times more, and what follows from that has had its time."""
        began = self.scans()
        wait(lambda: self.scans() >= began + more, f"{more} more scans", timeout)
        time.sleep(2.5)  # news are gathered for two seconds

    # -- the cluster --------------------------------------------------------------------------------------------

    def live(self, name="web"):
        found = self.w.get("Deployment", name)
        return found and found["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]

    def wait_live(self, tag, name="web", timeout=40):
        def look():
            if self.w.serin_process and not self.w.serin_process.running:
                raise Failed(f"serin ended: {self.w.serin_process.text()[-2000:]}")
            return self.live(name) == tag or expect(self.live(name), tag, f"tag of {name} in the cluster")
        wait(look, f"{name} to run {tag}", timeout)

    def wait_text(self, pattern, path="web.yaml", timeout=40):
        wait(lambda: contains(self.text(path), pattern, path) or True, f"{path} to have {pattern}", timeout)
