"""What the documentation says, held against a running serin."""

import os
import re

from lab import expect, request, wait

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs")


OF_RELEASES, OF_CANARIES = "Images and releases", "Canaries"


def documented(part=""):
    """name -> (type, labels), from a part of reference-metrics.md; those of canaries are there when the cluster has their CRDs."""
    with open(os.path.join(DOCS, "reference-metrics.md")) as page:
        parts = dict(re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", "## \n" + page.read(), re.M | re.S))
    text = parts[part]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*) ?\|", text, re.M)
    return {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows}


def served(w):
    """The same, from /metrics."""
    status, text = request(f"http://127.0.0.1:{w.port}", "GET", "/metrics")
    expect(status, 200, "status of /metrics")
    found = {name: (kind, set()) for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M)}
    for name, labels in re.findall(r"^(\w+?)(?:_bucket|_sum|_count)?\{(.*)\} ", text, re.M):
        family = name if name in found else next(one for one in found if one.startswith(name))
        found[family][1].update(set(re.findall(r'(\w+)="', labels)) - {"le"})
    return found


def test_every_metric_is_documented_as_it_is(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin()
    w.synced()
    w.settle()
    w.cluster.delete("ConfigMap", "a", w.ns)  # a drift, for its counter
    wait(lambda: w.data("a") == {"key": "one"}, "the object to heal")
    expect(w.cli("sync")[0], 0, "exit status of serin sync, for the metrics of jobs")
    canaries, releases = documented(OF_CANARIES), documented(OF_RELEASES)
    found = {name: what for name, what in served(w).items() if name not in canaries}
    of_releases = {name: found.pop(name) for name in releases if name in found}
    expect(found, documented(), "/metrics, against docs/reference-metrics.md")
    expect(of_releases, {name: releases[name] for name in of_releases}, "metrics of releases, against docs/reference-metrics.md")
