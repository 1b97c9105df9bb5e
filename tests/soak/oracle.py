"""What must be so when serin rests: the cluster is as the head declares, and what serin says is true."""

import base64
import hashlib
import json
import os
import re
import time

import lab
from manifests import SECRET

MARK, CHECKSUM = "fluxcd.io/sync-gc-mark", "fluxcd.io/sync-checksum"
MANAGER, NONSENSE = "serin", "sha256.nonsense"
LOOKED_AT = ("Namespace", "ConfigMap", "Secret", "ServiceAccount", "Deployment", "Service", "Role", "RoleBinding", "PodDisruptionBudget",
             "HorizontalPodAutoscaler", "Widget", "CustomResourceDefinition")


def digest(*texts):
    return base64.urlsafe_b64encode(hashlib.sha256("".join(texts).encode()).digest()).decode().rstrip("=")


def id_of(kind, ns, name):
    return f"{ns or '<cluster>'}:{kind.lower()}/{name}"


def ignore_of(one):
    return (one["metadata"].get("annotations") or {}).get("fluxcd.io/ignore")


def missing(wanted, live, at=""):
    """Where the live value is not what is wanted; what is beside it in maps is left to others."""
    if wanted is None:
        return []
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return [] if not wanted else [f"{at}: is {live!r}"]
        return [line for key, value in wanted.items() for line in missing(value, live.get(key), f"{at}.{key}")]
    if isinstance(wanted, list):
        if len(wanted) != len(live or []):
            return [f"{at}: {live!r}, not {wanted!r}"]
        return [line for n, value in enumerate(wanted) for line in missing(value, live[n], f"{at}[{n}]")]
    return [] if wanted == live else [f"{at}: {live!r}, not {wanted!r}"]


def as_stored(one):
    one = {key: value for key, value in one.items() if key not in ("apiVersion", "kind", "status")}
    if "stringData" in one:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in one.pop("stringData").items()}
        one["data"] = {**one.get("data", {}), **encoded}
    return one


class Oracle:
    def __init__(self, world, maker, foreign):
        self.w, self.maker, self.foreign = world, maker, foreign
        self.set_name = digest(world.url, world.branch)
        self.first, self.drifted = None, 0

    def declared(self, files):
        """ID -> all that claim it; and the files that cannot be read."""
        found, broken = {}, {path for path, documents in files.items() if isinstance(documents, str)}
        for one in self.maker.objects(files):
            meta = one["metadata"]
            found.setdefault(id_of(one["kind"], meta.get("namespace"), meta["name"]), []).append(one)
        return found, broken

    def complaints(self, files):
        declared, broken = self.declared(files)
        status = self.w.status()
        failures = {one["id"]: one["message"] for one in status["failures"]}
        told = self.about_status(status, files)
        self.drifted = status["objects"]["drifted"]
        told += [line for key, claims in declared.items() for line in self.about_object(key, claims, failures, declared, broken)]
        for key in failures:
            if key not in declared and not broken:
                told.append(f"status tells of {key}, which nothing declares: {failures[key]}")
        return told + self.about_leftovers(declared, bool(broken or status["problems"])) + self.about_foreign()

    def about_status(self, status, files):
        head, sync, told = self.w.git("rev-parse", "refs/heads/" + self.w.branch, cwd=self.w.repository), status["sync"], []
        for what, value in (("head", sync["head"]), ("applied", sync["applied"]), ("marker", sync["marker"]), ("tag", self.w.marker())):
            if value != head:
                told.append(f"{what} is {value[:7]}, the branch is at {head[:7]}")
        if sync["running"] or sync["error"] or status["git"]["error"] or status["objects"]["pending"]:
            told.append(f"status: {sync} {status['git']['error']} {status['objects']}")
        problems = {one["path"] for one in status["problems"]}
        for path in files:
            text = files[path] if isinstance(files[path], str) else None
            if text is None and path in problems:
                told.append(f"{path} is said to be broken")
            if text is not None and not path.startswith("junk") and path not in problems:
                told.append(f"{path} is broken, and status does not say so")
        return told

    def dry_run(self, one):
        """Why the server would not take it; None if it would."""
        meta = one["metadata"]
        try:
            self.w.cluster.patch(one["kind"], meta["name"], meta.get("namespace"), json.dumps(one), "application/apply-patch+yaml",
                                 f"?dryRun=All&force=true&fieldManager={MANAGER}")
        except lab.Refused as error:
            return str(error)
        return None

    def about_object(self, key, claims, failures, declared, broken):
        one, meta = claims[0], claims[0]["metadata"]
        if len(claims) > 1:
            return [] if "duplicate" in failures.get(key, "") else [f"{key}: declared {len(claims)} times, and status says {failures.get(key)}"]
        if ignore_of(one) == "true":
            return [f"{key}: ignored, and yet said to fail: {failures[key]}"] if key in failures else []
        live = self.w.cluster.get(one["kind"], meta["name"], meta.get("namespace"))
        if live and ignore_of(live) == "true" and "fluxcd.io/ignore" not in (meta.get("annotations") or {}):
            return []
        mark = ((live or {"metadata": {}})["metadata"].get("labels") or {}).get(MARK)
        if mark == NONSENSE and self.drifted:
            return []  # taken for another repository's, and said to have drifted
        if key in failures:
            if broken and "duplicate" in failures[key]:
                return []  # what stands before the mistake in a file counts
            return [] if self.dry_run(one) else [f"{key}: said to fail, and the server would take it: {failures[key]}"]
        if live is None:
            return [f"{key}: not there"]
        wanted = as_stored(one)
        if one["kind"] == "Deployment" and id_of("HorizontalPodAutoscaler", meta.get("namespace"), meta["name"]) in declared:
            wanted = {**wanted, "spec": {name: value for name, value in wanted["spec"].items() if name != "replicas"}}
        told = [key + line for line in missing(wanted, live)]
        if live["metadata"].get("deletionTimestamp"):
            told.append(f"{key}: is being deleted")
        if mark != self.mark(key):
            told.append(f"{key}: has the mark {mark}")
        return told + self.about_own_fields(key, wanted, live)

    def about_own_fields(self, key, wanted, live):
        """What the manifest does not have (any more) is not ours."""
        told = []
        for entry in live["metadata"].get("managedFields", []):
            if entry["manager"] != MANAGER or entry["operation"] != "Apply":
                continue
            for where in ("data", "spec"):
                extra = {name[2:] for name in entry["fieldsV1"].get("f:" + where, {}) if name != "."} - set(wanted.get(where) or {}) - {"replicas"}
                told += [f"{key}.{where}: {sorted(extra)} of an earlier revision"] if extra else []
        return told

    def mark(self, key):
        return "sha256." + digest(self.set_name, key)

    def about_leftovers(self, declared, is_suspended):
        told, used = [], {one["metadata"].get("namespace") for claims in declared.values() for one in claims}
        has_widgets = any(":widget/" in key for key in declared)
        for kind in LOOKED_AT:
            try:
                found = self.w.cluster.list(kind, None, MARK)
            except lab.Refused:
                continue  # the kind is not there
            for one in found:
                meta = one["metadata"]
                key = id_of(kind, meta.get("namespace"), meta["name"])
                is_needed = (kind == "Namespace" and meta["name"] in used) or (kind == "CustomResourceDefinition" and has_widgets)
                if meta["labels"][MARK] == self.mark(key) and key not in declared and not (is_needed or is_suspended or ignore_of(one)):
                    told.append(f"{key}: still there" + (", being deleted" if meta.get("deletionTimestamp") else ""))
        return told

    def about_foreign(self):
        told = []
        for ns, (uid, ns_uid) in list(self.foreign.items()):
            space, live = self.w.cluster.get("Namespace", ns), self.w.cluster.get("ConfigMap", "foreign", ns)
            if not space or space["metadata"]["uid"] != ns_uid or space["metadata"].get("deletionTimestamp"):
                del self.foreign[ns]
            elif not live or live["metadata"]["uid"] != uid or any(one["manager"] == MANAGER for one in live["metadata"]["managedFields"]):
                told.append(f"the foreign object in {ns} is not as it was: {live}")
        return told

    # -- what takes longer to see ---------------------------------------------------------------------------------

    def at_rest(self):
        status = self.w.status()
        self.w.settle(1, 60)
        self.w.counts(reset=True)
        time.sleep(5)
        asked = {what: n for what, n in self.w.counts()["asked"].items() if what != "update leases.coordination.k8s.io"}
        if asked and not status["failures"]:
            raise lab.Failed(f"requests at rest: {asked}")
        self.about_log()
        note = ""
        if not status["failures"] and not status["problems"] and not status["objects"]["skipped"]:
            self.about_diff()
            note = ", diff says nothing"
        return note + self.about_process()

    def about_log(self):
        text = self.w.log()
        story = lab.sanitizer_story(text)
        if story:
            raise lab.Failed("a sanitizer spoke:\n" + story)
        for secret in (SECRET, base64.b64encode(SECRET.encode()).decode()[:12]):
            if secret in text:
                raise lab.Failed("the log has a secret: " + next(line for line in text.splitlines() if secret in line))
        found = re.search(r"^.*(assert|internal error|panic).*$", text, re.M | re.I)
        if found:
            raise lab.Failed("the log: " + found.group(0))

    def about_diff(self):
        code, out, err = self.w.cli("diff", f"--kubeconfig={self.w.path('kubeconfig')}", "--sync-garbage-collection", f"--git-url={self.w.url}",
                                    f"--git-branch={self.w.branch}")
        if code:
            raise lab.Failed(f"serin diff: exit {code}: {out} {err}")

    def about_process(self):
        """Descriptors and memory since serin was started."""
        process = self.w.serin_process
        fds, rss = len(os.listdir(f"/proc/{process.child.pid}/fd")), process.rss_kib() or 0
        if not self.first or self.first[0] != process.child.pid:
            self.first = process.child.pid, fds, rss
        if fds > self.first[1] + 24:
            raise lab.Failed(f"{fds} descriptors, {self.first[1]} at first: {[os.readlink(one) for one in self.links(process.child.pid)]}")
        return f", {fds} descriptors, {rss >> 10} MiB"

    @staticmethod
    def links(pid):
        return [f"/proc/{pid}/fd/{one}" for one in os.listdir(f"/proc/{pid}/fd")]
