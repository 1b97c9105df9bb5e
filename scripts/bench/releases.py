#!/usr/bin/env python3
"""What images and releases cost: scans of a real docker-registry, a new tag on its way to the cluster, a release of everything.

    releases.py --playground PROGRAM --serin PROGRAM [--repositories N] [--tags M] [--workloads W] [--json FILE]

N repositories of M tags, each of an image of its own; W automated workloads (Deployments of no replicas, 20 to a file) share them, half of
them by version (`semver:*`), half by time (`glob:1.*`). The registry's storage is written by this script, its requests are counted by its
own metrics, CPU and memory read from /proc. The bare client is curl, which asks for the same over as many connections. The
limits on requests (--registry-rps) are out of the way. Nothing is asserted: figures and ratios are printed.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from first_sync import Bench, Usage, arguments, report, say  # noqa: E402
from lab import Process, free_port, request, wait  # noqa: E402

PER_FILE = 20
SCANS, IMAGES = 2, 4  # of one registry at a time, of one repository at a time
SCAN_SECONDS = 30
MANIFEST, CONFIG = "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.container.image.v1+json"


class Registry:
    """docker-registry on a directory that is filled behind its back."""

    def __init__(self, directory):
        self.directory, self.port, self.debug = directory, free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.blobs = set()

    def start(self):
        config = os.path.join(self.directory, "config.yml")
        with open(config, "w") as out:
            out.write(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {self.directory}}}}}\n"
                      f"http: {{addr: '{self.address}', debug: {{addr: '127.0.0.1:{self.debug}', prometheus: {{enabled: true}}}}}}\n")
        self.process = Process(["docker-registry", "serve", config], os.path.join(self.directory, "log"))
        wait(lambda: self.requests() is not None, "the registry", 30)

    def put(self, path, text):
        target = os.path.join(self.directory, "docker/registry/v2", path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as out:
            out.write(text)

    def blob(self, data):
        name = hashlib.sha256(data).hexdigest()
        if name not in self.blobs:
            self.put(f"blobs/sha256/{name[:2]}/{name}/data", data)
            self.blobs.add(name)
        return name

    def push(self, repository, number):
        """The tag 1.NUMBER.0, an hour younger than the one before."""
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_700_000_000 + 3600 * number))
        config = json.dumps({"os": "linux", "architecture": "amd64", "created": created, "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        digest = self.blob(config)
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
                               "config": {"mediaType": CONFIG, "digest": "sha256:" + digest, "size": len(config)}}).encode()
        image, where = self.blob(manifest), f"repositories/{repository}"
        link = f"sha256:{image}".encode()
        self.put(f"{where}/_layers/sha256/{digest}/link", f"sha256:{digest}".encode())
        self.put(f"{where}/_manifests/revisions/sha256/{image}/link", link)
        self.put(f"{where}/_manifests/tags/1.{number}.0/index/sha256/{image}/link", link)
        self.put(f"{where}/_manifests/tags/1.{number}.0/current/link", link)
        return digest

    def requests(self):
        """That it has answered, by what they were for."""
        try:
            text = request(f"http://127.0.0.1:{self.debug}", "GET", "/metrics")[1]
        except OSError:
            return None
        found = {}
        for handler, value in re.findall(r'^registry_http_requests_total\{.*?handler="(\w+)".*?\} (\S+)$', text, re.M):
            found[handler] = found.get(handler, 0) + int(float(value))
        return found


def slowly(test, what, timeout):
    """As wait(), for what costs something to look at."""
    def look():
        found = test()
        if not found:
            time.sleep(0.1)
        return found
    wait(look, what, timeout)


def since(now, before):
    return {key: value - before.get(key, 0) for key, value in now.items() if value != before.get(key, 0)}


class Releases(Bench):
    def processes(self):
        return [*super().processes(), getattr(getattr(self, "registry", None), "process", None)]

    def name(self, number):
        return f"team/app{number}"

    def fill(self):
        options = self.options
        say(f"{options.repositories} repositories of {options.tags} tags")
        for number in range(options.repositories):
            self.configs = [self.registry.push(self.name(number), tag) for tag in range(options.tags)]
        self.newest = [options.tags - 1] * options.repositories

    def is_by_version(self, repository):
        return repository % 2 == 1

    def lists(self):
        return [f"{self.name(number)}/tags/list?n=1000" for number in range(self.options.repositories)]

    def images(self):
        """Of versions the newest, of others all."""
        for number in range(self.options.repositories):
            for tag in range(self.options.tags - 1 if self.is_by_version(number) else 0, self.options.tags):
                yield f"{self.name(number)}/manifests/1.{tag}.0"
                yield f"{self.name(number)}/blobs/sha256:{self.configs[tag]}"

    def bare(self, paths, connections):
        urls = os.path.join(self.directory, "urls")
        with open(urls, "w") as out:
            out.writelines(f'url = "http://{self.registry.address}/v2/{path}"\noutput = /dev/null\n' for path in paths)
        began, before = time.monotonic(), self.registry.requests()
        child = subprocess.Popen(["curl", "-sS", "--no-progress-meter", "-H", "Accept: " + MANIFEST, "-Z", "--parallel-max", str(connections), "-K", urls])
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            raise SystemExit("curl failed")
        return {"seconds": time.monotonic() - began, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024,
                "requests": since(self.registry.requests(), before)}

    # -- the repository and serin -----------------------------------------------------------------------------------

    def manifest(self, number):
        name, labels, image = f"app{number}", {"app": f"app{number}"}, number % self.options.repositories
        pattern = "semver:*" if self.is_by_version(image) else "glob:1.*"
        return {"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": name, "namespace": self.namespace(number), "annotations": {"fluxcd.io/automated": "true", "fluxcd.io/tag.main": pattern}},
                "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
                    "containers": [{"name": "main", "image": f"{self.registry.address}/{self.name(image)}:1.{self.newest[image]}.0"}]}}}}

    @staticmethod
    def namespace(number):
        return f"bench-{number // PER_FILE}"

    def make_repository(self):
        self.init()
        files = {}
        for number in range(self.options.workloads):
            ns = self.namespace(number)
            files.setdefault(f"{ns}.yaml", [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}]).append(self.manifest(number))
        return self.commit(files)

    def start(self, log, *flags):
        self.port = free_port()
        self.serin = Process([self.options.serin, "run", f"--kubeconfig={self.cluster.kubeconfig}", f"--git-url=file://{self.repository}",
                              "--git-branch=master", f"--listen=127.0.0.1:{self.port}", f"--state-dir={self.directory}/state", "--git-poll-interval=1h",
                              "--sync-interval=1h", "--git-timeout=2m", "--sync-timeout=10m", "--canaries=off", *flags],
                             os.path.join(self.directory, log), env={"PATH": os.environ["PATH"], "HOME": self.directory, "GIT_CONFIG_NOSYSTEM": "1"})
        self.usage = Usage(self.serin.child.pid)
        wait(lambda: self.ask("v11/version") is not None, "serin to answer", 60)

    def scans(self):
        text = request(f"http://127.0.0.1:{self.port}", "GET", "/metrics")[1]
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("flux_registry_fetch_duration_seconds_count"))

    def until_scans(self, count):
        slowly(lambda: self.scans() >= count, f"{count} scans", 600)

    def snapshot(self):
        return time.monotonic(), self.usage.cpu(), self.registry.requests()

    def row(self, before):
        began, cpu, asked = before
        return {"seconds": time.monotonic() - began, "cpu": self.usage.cpu() - cpu, "requests": since(self.registry.requests(), asked),
                "resident": self.usage.memory_mb("VmRSS"), "peak": self.usage.memory_mb("VmHWM")}

    def forget_peak(self):
        with open(f"/proc/{self.serin.child.pid}/clear_refs", "w") as out:
            out.write("5")

    # -- phases -------------------------------------------------------------------------------------------------------

    def head(self):
        return self.git("--git-dir=" + self.repository, "rev-parse", "master")

    def notify(self, number):
        self.ask("v11/notify", "POST", json.dumps({"Kind": "image", "Source": {"Name": {"Domain": self.registry.address, "Image": self.name(number)}}}))

    def is_live(self, number):
        live = self.cluster.get("Deployment", f"app{number}", self.namespace(number))
        return live["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":1.{self.newest[number]}.0")

    def push(self, numbers):
        for number in numbers:
            self.newest[number] += 1
            self.registry.push(self.name(number), self.newest[number])

    def new_tags(self, numbers):
        """Pushed, and told of by a webhook; seconds until there is a commit, and until the cluster has it."""
        head = self.head()
        self.push(numbers)
        before = self.snapshot()
        for number in numbers:
            self.notify(number)
        slowly(lambda: self.head() != head, "a commit", 300)
        committed = time.monotonic() - before[0]
        slowly(lambda: all(self.is_live(number) for number in numbers), "the cluster", 300)
        self.synced(self.head())
        row = self.row(before)
        changed = self.git("--git-dir=" + self.repository, "diff", "--shortstat", head, "master")
        return {**row, "committed": committed, "commits": int(self.git("--git-dir=" + self.repository, "rev-list", "--count", f"{head}..master")),
                "changed": int(re.search(r"(\d+) insertion", changed)[1])}

    def release(self):
        """serin release of everything, as a plan: each repository has a tag that serin does not know yet."""
        self.push(range(self.options.repositories))
        self.forget_peak()
        before = self.snapshot()
        env = {"PATH": os.environ["PATH"], "HOME": self.directory, "FLUX_URL": f"http://127.0.0.1:{self.port}/api/flux", "FLUX_TIMEOUT": "10m"}
        with open(os.path.join(self.directory, "release.log"), "w") as out:
            child = subprocess.Popen([self.options.serin, "release", "--all", "--update-all-images", "--dry-run"], env=env, stdout=out, stderr=out)
            _, status, usage = os.wait4(child.pid, 0)
        row = {**self.row(before), "client_peak": usage.ru_maxrss / 1024, "client_cpu": usage.ru_utime + usage.ru_stime}
        if status:
            with open(os.path.join(self.directory, "release.log")) as log:
                raise SystemExit("the release failed: " + log.read()[-2000:])
        with open(os.path.join(self.directory, "release.log")) as log:
            row["planned"] = log.read().count(" -> ")
        return row

    def run(self):
        options, rows = self.options, {}
        folder = os.path.join(self.directory, "registry")
        os.makedirs(folder)
        self.registry = Registry(folder)
        self.fill()
        self.registry.start()
        say("bare client")
        every = [*self.lists(), *self.images()]
        self.bare(every, SCANS * IMAGES)  # what the registry reads is in memory for both
        rows["lists"] = self.bare(self.lists(), SCANS)
        rows["images"] = self.bare(every, SCANS * IMAGES)
        head = self.make_repository()
        self.up("cluster")
        say(f"sync of {options.workloads} workloads")
        self.start("sync.log", "--registry-disable-scanning")
        self.synced(head, 1200)
        self.quiet()
        rows["without"] = {"resident": self.usage.memory_mb("VmRSS")}
        self.serin.stop()
        say("first scan")
        before = self.registry.requests()
        began = time.monotonic()
        self.start("serin.log", "--registry-insecure-host=" + self.registry.address, "--registry-rps=1000000", "--registry-burst=1000",
                   f"--registry-scan-interval={SCAN_SECONDS}s", "--automation-interval=1h")
        self.until_scans(options.repositories)
        rows["first"] = self.row((began, 0, before))
        say("scan with nothing new")
        before = self.snapshot()
        self.until_scans(2 * options.repositories)
        rows["nothing"] = self.row(before)
        say("one new tag")
        rows["tag"] = self.new_tags([0])
        say("a new tag in every repository")
        rows["tags"] = self.new_tags(range(options.repositories))
        say("a release of everything, as a plan")
        rows["release"] = self.release()
        self.serin.stop()
        self.process.stop()
        return rows


def total(row):
    return sum(row["requests"].values())


def table(rows, options):
    lines = [f"{options.repositories} repositories of {options.tags} tags, {options.workloads} automated workloads; {os.cpu_count()} cores, shared with the "
             f"registry and the cluster; {rows['without']['resident']:.0f} MiB without scanning", "",
             "| | s | requests | CPU s | resident MiB, peak | |", "|---|---|---|---|---|---|"]

    def row(name, one, note=""):
        asked = ", ".join(f"{count} {what}" for what, count in sorted(one["requests"].items())) or "0"
        memory = f"{one['resident']:.0f}, {one['peak']:.0f}" if "resident" in one else f"{one['peak']:.0f}"
        lines.append(f"| {name} | {one['seconds']:.2f} | {asked} | {one['cpu']:.2f} | {memory} | {note} |")

    def each(one):
        return f"{total(one) / one['seconds']:.0f} requests/s, {1000 * one['cpu'] / total(one):.2f} CPU ms each"
    lists, images, first, release = rows["lists"], rows["images"], rows["first"], rows["release"]
    row("bare client: lists of tags", lists, each(lists))
    row("bare client: as the first scan", images, each(images))
    row("first scan, from exec", first, f"{each(first)}; {first['seconds'] / images['seconds']:.2f} x bare in time, {first['cpu'] / images['cpu']:.2f} x CPU")
    row(f"scan with nothing new (within {SCAN_SECONDS} s)", rows["nothing"], f"{total(rows['nothing']) - options.repositories:+d} requests to one for each repository")
    for key, name in (("tag", "one new tag, applied"), ("tags", "a new tag in every repository, applied")):
        one = rows[key]
        row(name, one, f"{one['changed']} images in {one['commits']} commit{'s' if one['commits'] > 1 else ''}, the first after {one['committed']:.2f} s, 2 s of which it waits for more")
    row("release --all --update-all-images --dry-run", release, f"{release['planned']} images, {release['seconds'] / lists['seconds']:.2f} x bare lists in time; "
        f"client: {release['client_cpu']:.2f} CPU s, peak {release['client_peak']:.0f} MiB")
    return "\n".join(lines)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--repositories", type=int, default=100)
    parser.add_argument("--tags", type=int, default=30)
    parser.add_argument("--workloads", type=int, default=1000)
    report(Releases, parser.parse_args(), table)


if __name__ == "__main__":
    main()
