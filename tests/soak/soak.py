#!/usr/bin/env python3
"""Random histories of a repository and its cluster, and whether serin brings one to the other at the end of each round.

    soak.py --playground PROGRAM --serin PROGRAM [--seed N] [--rounds M] [--kubeconfig FILE] [--only OPERATION,...] [--keep]

A round is some operations at random moments (commits, force-pushes, edits of objects by others, faults of the API server, serin
killed); then the faults end, and within PATIENCE the cluster must be what the head of the branch declares: oracle.py says what that
means. A violation is printed with the seed and the operations of its round; the same seed makes the same operations, at other moments.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
sys.path.insert(0, HERE)
import lab  # noqa: E402
import manifests  # noqa: E402
import oracle  # noqa: E402
import run as e2e  # noqa: E402

PATIENCE = 150
HOLD = "soak.example.com/hold"
IGNORE = "fluxcd.io/ignore"

FAULTS = {
    "latency": ({"latency_ms": 400}, {}),
    "conflicts": ({"status": 409, "reason": "Conflict", "message": "the object has been modified"}, {"probability": 0.5, "methods": ["PATCH", "DELETE"]}),
    "throttled": ({"status": 429, "retry_after": "1"}, {"probability": 0.4}),
    "errors": ({"status": 500, "message": "etcdserver: request timed out"}, {"probability": 0.6}),
    "errors of writes": ({"status": 500, "message": "no"}, {"methods": ["PATCH", "DELETE", "POST"]}),
    "errors of lists": ({"status": 500, "message": "no"}, {"verbs": ["list", "watch"]}),
    "cut before": ({"cut": "before"}, {"probability": 0.3}),
    "cut after": ({"cut": "after"}, {"probability": 0.3}),
    "cut answers": ({"cut_after_bytes": 300}, {"probability": 0.3}),
    "cut watches": ({"watch_cut_events": 1}, {"verbs": ["watch"]}),
    "ended watches": ({"watch_end_ms": 300}, {"verbs": ["watch"]}),
    "silent watches": ({"watch_silent": True}, {"verbs": ["watch"]}),
    "expired watches": ({"watch_gone": True}, {"verbs": ["watch"], "count": 20}),
    "discovery fails": ({"status": 503, "message": "no"}, {"path": "^/apis?([/?]|$)", "verbs": ["get", "discovery"], "probability": 0.5}),
    "hanging": ({"hang": True}, {"probability": 0.2}),
}


class Soak:
    def __init__(self, world, seed):
        self.w, self.r, self.seed = world, random.Random(seed), seed
        self.maker = manifests.Maker(self.r, world.ns)
        self.files, self.history, self.story, self.foreign, self.held = self.maker.first(), [], [], {}, []
        self.hook = os.path.join(world.repository, "hooks", "pre-receive")
        self.elects = seed % 5 == 4
        lab.KINDS.update(self.maker.kinds)

    def say(self, text):
        self.story.append(f"{time.monotonic() - self.began:6.2f} {text}")

    # -- git ------------------------------------------------------------------------------------------------------

    def commit(self, message="Change"):
        w = self.w
        for name in os.listdir(w.work):
            if name != ".git":
                path = os.path.join(w.work, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        w.commit(self.maker.texts(self.files), message=message, push=False)
        self.land()
        self.history.append((w.head(), self.maker.copy(self.files)))

    def land(self):
        """The head is in the repository, whatever its hooks say of pushes."""
        self.w.git("fetch", "-q", "-f", self.w.work, f"HEAD:refs/heads/{self.w.branch}", cwd=self.w.repository)

    def git_change(self):
        for _ in range(self.r.choice((1, 1, 2, 3, 6))):
            self.say("git: " + self.maker.mutate(self.files))
        self.commit()

    def git_backwards(self):
        if len(self.history) < 2:
            return
        at = self.r.randrange(max(0, len(self.history) - 6), len(self.history))
        sha, files = self.history[at]
        self.say(f"git: branch forced back to {sha[:7]}")
        self.w.git("reset", "-q", "--hard", sha)
        self.files = self.maker.copy(files)
        self.land()

    def git_unrelated(self):
        self.say("git: unrelated history")
        self.w.git("checkout", "-q", "--orphan", f"o{self.w.clock}")
        self.say("git: " + self.maker.mutate(self.files))
        self.commit("Begin anew")

    def git_branch_gone(self):
        self.say("git: branch deleted for a while")
        self.w.git("update-ref", "-d", "refs/heads/" + self.w.branch, cwd=self.w.repository)
        time.sleep(self.r.uniform(0.1, 1))
        self.land()

    def git_tag(self):
        if self.r.random() < 0.5 or len(self.history) < 2:
            self.say("git: sync tag deleted")
            self.w.git("update-ref", "-d", "refs/tags/flux-sync", cwd=self.w.repository, check=False)
            return
        sha = self.r.choice(self.history)[0]
        self.say(f"git: sync tag moved to {sha[:7]}")
        self.w.git("tag", "-f", "flux-sync", sha, cwd=self.w.repository, check=False)

    def git_notes(self):
        how, ref = self.r.choice(("added", "replaced", "deleted")), "refs/notes/serin"
        self.say(f"git: notes of others {how}")
        if how != "added":
            self.w.git("update-ref", "-d", ref, cwd=self.w.repository, check=False)
        if how != "deleted":
            self.w.git("notes", "--ref", ref, "add", "-f", "-m", f"seen {self.w.clock}", self.history[-1][0], cwd=self.w.repository, check=False)

    def git_rejects(self):
        self.say("git: pushes are rejected for a while")
        with open(self.hook, "w") as out:
            out.write("#!/bin/sh\necho go away >&2\nexit 1\n")
        os.chmod(self.hook, 0o755)
        self.git_change()

    # -- the cluster, by others -----------------------------------------------------------------------------------

    def some_live(self, kinds=None):
        found = [one for one in self.maker.objects(self.files) if not kinds or one["kind"] in kinds]
        self.r.shuffle(found)
        for one in found:
            kind, name, ns = one["kind"], one["metadata"]["name"], one["metadata"].get("namespace")
            if kind in lab.KINDS and self.w.cluster.get(kind, name, ns):
                return kind, name, ns
        return None

    def edit(self, body, kinds=None, sub="", content_type="application/merge-patch+json", what=None):
        found = self.some_live(kinds)
        if not found:
            return None
        kind, name, ns = found
        self.say(f"cluster: {kind} {ns}/{name} {what or body}")
        try:
            self.w.cluster.patch(kind, name, ns, body(kind, name, ns) if callable(body) else body, content_type, sub)
        except lab.Refused as error:
            self.say(f"    refused: {error}")
        return found

    def cluster_edit(self):
        r, v = self.r, str(self.r.randrange(9))
        body, kinds = r.choice((
            ({"data": {"a": "edited" + v}}, ["ConfigMap"]), ({"data": {"a": None}}, ["ConfigMap"]), ({"data": None}, ["ConfigMap"]),
            ({"data": {"theirs": v}}, ["ConfigMap"]), ({"spec": {"replicas": 0, "paused": True, "minReadySeconds": int(v) + 1}}, ["Deployment"]),
            ({"spec": {"size": 77}}, ["Widget"]), ({"rules": []}, ["Role"]), ({"spec": {"minAvailable": 7}}, ["PodDisruptionBudget"]),
            ({"metadata": {"labels": {"theirs": v}}}, None), ({"metadata": {"labels": {"app": None}}}, None),
            ({"metadata": {"annotations": {"theirs": v}}}, None)))
        self.edit(body, kinds)

    def cluster_marks(self):
        key = self.r.choice(("label", "checksum", "checksum"))
        value = self.r.choice((None, oracle.NONSENSE if key == "label" else "0" * 40))
        meta = {"labels": {oracle.MARK: value}} if key == "label" else {"annotations": {oracle.CHECKSUM: value}}
        self.edit({"metadata": meta})

    def cluster_ignore(self):
        self.edit({"metadata": {"annotations": {IGNORE: self.r.choice((None, None, "true", "sync_only"))}}})

    def cluster_delete(self):
        found = self.some_live([self.r.choice(list(manifests.KINDS))]) or self.some_live()
        if found:
            self.say(f"cluster: {found[0]} {found[2]}/{found[1]} deleted")
            self.w.cluster.delete(*found)

    def cluster_delete_namespace(self):
        ns = self.r.choice(self.maker.namespaces)
        self.say(f"cluster: namespace {ns} deleted")
        self.w.cluster.delete("Namespace", ns)

    def cluster_delete_crd(self):
        self.say("cluster: CRD deleted")
        self.w.cluster.delete("CustomResourceDefinition", self.maker.crd_name)

    def cluster_hold(self):
        found = self.edit({"metadata": {"finalizers": [HOLD]}}, ["ConfigMap", "Secret", "ServiceAccount", "Widget", "Service"])
        if found:
            self.held.append(found)
            if self.r.random() < 0.7:
                self.say("    and deleted")
                self.w.cluster.delete(*found)

    def release_holds(self):
        for kind, name, ns in self.held:
            try:
                self.w.cluster.patch(kind, name, ns, {"metadata": {"finalizers": None}})
            except lab.Refused:
                pass
        self.held = []

    def cluster_apply(self):
        """kubectl apply, client-side, of another version."""
        def body(kind, name, ns):
            return {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}, "data": {"a": "kubectl", "k": "1"}}
        self.edit(body, ["ConfigMap"], what="kubectl apply", sub="?fieldManager=kubectl-client-side-apply")

    def cluster_take_field(self):
        def body(kind, name, ns):
            return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": ns}, "data": {"a": "taken"}}
        self.edit(body, ["ConfigMap"], sub="?fieldManager=other&force=true", content_type="application/apply-patch+yaml", what="taken by another manager")

    def cluster_foreign(self):
        """An object that is there before the repository declares one of its name, or that it never declares."""
        ns, name = self.r.choice(self.maker.namespaces), self.r.choice(("foreign", "cm1", "cm2", "cm3"))
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"mine": str(self.r.randrange(9))}}
        try:
            made = self.w.cluster.create("ConfigMap", body, ns)
        except lab.Refused:
            return
        self.say(f"cluster: foreign ConfigMap {ns}/{name} made")
        if name == "foreign":
            self.foreign[ns] = made["metadata"]["uid"], self.w.cluster.get("Namespace", ns)["metadata"]["uid"]

    # -- the network, and serin -----------------------------------------------------------------------------------

    def fault(self):
        name = self.r.choice(list(FAULTS))
        action, conditions = FAULTS[name]
        self.say(f"fault: {name}")
        self.w.arm(name.replace(" ", "-"), action, **conditions)

    def fault_gone(self):
        self.say("fault: API server gone")
        self.w.gone(self.r.choice(("refuse", "hang")))
        time.sleep(self.r.uniform(0.3, 2))
        self.w.back()

    def calm(self):
        self.say("faults off")
        self.w.disarm()
        self.w.back()

    def serin_killed(self):
        self.say("serin: killed and started")
        if self.w.serin_process.running:
            self.w.kill()
        self.start()

    def serin_stopped(self):
        self.say("serin: SIGTERM and started")
        if self.w.serin_process.running:
            self.w.stop()
        self.start()

    def start(self):
        self.w.serin(*(["--leader-elect", f"--leader-elect-namespace={self.w.ns}-lease"] if self.elects else []),
                     "--sync-interval=1h", ready=False)

    def serin_hup(self):
        self.say("serin: SIGHUP")
        if self.w.serin_process.running and self.w.serin_process.text():
            self.w.serin_process.child.send_signal(signal.SIGHUP)

    def mirror_damaged(self):
        paths = [os.path.join(at, one) for at, _, files in os.walk(self.w.path("state")) for one in files]
        how = self.r.choice(("deleted", "a file cut", "a file gone"))
        was_stopped = self.r.random() < 0.5 and self.w.serin_process.running
        if was_stopped:
            self.w.kill()
        self.say(f"mirror: {how}" + (" while serin is down" if was_stopped else ""))
        if how == "deleted":
            shutil.rmtree(self.w.path("state"), ignore_errors=True)
        elif paths:
            path = self.r.choice(sorted(paths))
            self.say(f"    {os.path.relpath(path, self.w.path('state'))}")
            try:
                os.chmod(path, 0o644)
                os.truncate(path, os.path.getsize(path) // 2) if how == "a file cut" else os.remove(path)
            except OSError:
                pass
        if was_stopped:
            self.start()

    OPERATIONS = {
        "git_change": 30, "git_backwards": 3, "git_unrelated": 1, "git_branch_gone": 1, "git_tag": 2, "git_notes": 2, "git_rejects": 1,
        "cluster_edit": 8, "cluster_marks": 3, "cluster_ignore": 2, "cluster_delete": 6, "cluster_delete_namespace": 1,
        "cluster_delete_crd": 1, "cluster_hold": 2, "cluster_apply": 2, "cluster_take_field": 2, "cluster_foreign": 2,
        "fault": 8, "fault_gone": 1, "calm": 3, "serin_killed": 2, "serin_stopped": 1, "serin_hup": 1, "mirror_damaged": 1}

    # -- rounds ---------------------------------------------------------------------------------------------------

    def burst(self, weights):
        for name in self.r.choices(list(weights), list(weights.values()), k=self.r.randint(3, 10)):
            getattr(self, name)()
            time.sleep(self.r.choice((0, 0.05, 0.3, 1, 1, 5)))
        self.calm()
        self.release_holds()
        if os.path.exists(self.hook):
            os.remove(self.hook)
        if any("sync tag" in line for line in self.story):
            self.commit("The tag is looked at with the next commit")

    def rests(self):
        """Until the oracle has nothing to say; after PATIENCE, what it says, and whether a sync by hand mends it."""
        began, complaints, last = time.monotonic(), ["nothing looked at"], []
        while complaints and time.monotonic() - began < PATIENCE:
            time.sleep(0.5)
            if not self.w.serin_process.running:
                raise lab.Failed(f"serin ended with {self.w.serin_process.child.poll()}: {self.w.serin_process.text()[-3000:]}")
            last = complaints
            try:
                complaints = self.oracle.complaints(self.files)
            except (OSError, lab.Failed) as error:
                complaints = [str(error)]
        if complaints:
            self.serin_hup()
            time.sleep(8)
            after = self.oracle.complaints(self.files)
            raise lab.Failed("not as declared:\n  " + "\n  ".join(complaints) + f"\nafter SIGHUP: {after}")
        seconds = time.monotonic() - began
        return f"{seconds:.1f} s" + (f" (last: {last[0]})" if seconds > 20 else "")

    def run(self, rounds, weights):
        w = self.w
        self.oracle = oracle.Oracle(w, self.maker, self.foreign)
        self.began = time.monotonic()
        w.cluster.create("Namespace", w.namespace(w.ns + "-lease"))
        self.commit("First")
        self.start()
        lab.wait(w.answers, "serin to answer")
        for number in range(1, rounds + 1):
            self.story.clear()
            self.burst(weights)
            seconds = self.rests()
            note = self.oracle.at_rest()
            print(f"seed {self.seed} round {number}: {len(self.story)} operations, rests after {seconds}{note}", flush=True)
        w.stop()


def soak(options, seed, weights):
    directory = tempfile.mkdtemp(prefix="soak-")
    world = lab.World(options, "soak", directory, seed)
    one, failed = Soak(world, seed), True
    try:
        one.run(options.rounds, weights)
        failed = False
    except lab.Failed as error:
        print(f"VIOLATION seed {seed}: {error}")
    except Exception:  # a bug of the soak
        print(f"VIOLATION seed {seed}: {traceback.format_exc()}")
    finally:
        if failed:
            print("operations of the round:\n  " + "\n  ".join(one.story) + "\nserin said at last:\n    " + "\n    ".join(world.last_words(40)))
            print(world.seen_by_the_proxy(), flush=True)
        try:
            world.stop(expected=None)
        except lab.Failed as error:
            failed = True
            print(f"VIOLATION seed {seed}: {error}")
        world.down()
        if options.keep and failed:
            print("kept " + directory)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return not failed


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--playground", required=True)
    parser.add_argument("--serin", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many, one after the other")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kubeconfig")
    parser.add_argument("--only", help="operations, with commas between")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.serin, options.playground = os.path.abspath(options.serin), os.path.abspath(options.playground)
    weights = {name: n for name, n in Soak.OPERATIONS.items() if not options.only or name in options.only.split(",")}
    directory, cluster = tempfile.mkdtemp(prefix="soak-cluster-"), None
    try:
        if not options.kubeconfig:
            cluster = e2e.start_cluster(options, directory)
        passed = [soak(options, seed, weights) for seed in range(options.seed, options.seed + options.seeds)]
    finally:
        if cluster:
            cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"soak: {len(passed)} seeds, {passed.count(False)} violated")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
