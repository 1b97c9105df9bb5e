"""What is asked of the API server, counted by the proxy."""

from lab import expect
from test_sync import begin


def apps(w, count):
    found = []
    for number in range(count):
        name = f"app{number}"
        found.append([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": w.ns}},
                      w.configmap(name, {"text": "x" * 1000}), w.deployment(name, replicas=0), w.service(name)])
    return found


def test_a_commit_without_a_change_of_manifests_asks_nothing(w):
    begin(w, *sum(apps(w, 3), []))
    w.settle()
    w.counts(reset=True)
    w.commit({"README.md": "words\n"})
    w.synced()
    w.settle()
    expect(w.counts()["asked"], {}, "requests for a commit that changes no manifest")


def test_a_change_costs_a_request_for_each_object(w):
    objects = apps(w, 5)
    w.commit({"ns.yaml": w.namespace(), **{f"app{n}.yaml": one for n, one in enumerate(objects)}})
    w.serin()
    w.synced()
    w.settle()
    w.counts(reset=True)
    objects[1][1]["data"]["text"] = "changed"
    objects[3][3]["spec"]["ports"][0]["port"] = 81
    w.commit({"app1.yaml": objects[1], "app3.yaml": objects[3]})
    w.synced()
    w.settle()
    expect(w.counts()["asked"], {"apply configmaps": 1, "apply services": 1}, "requests for two objects")


def test_the_first_sync_applies_each_object_once_eight_at_a_time(w):
    objects = apps(w, 25)
    w.commit({"ns.yaml": w.namespace(), "apps.yaml": sum(objects, [])})
    w.serin()
    w.synced()
    counts = w.counts()
    applied = {kind: n for kind, n in counts["asked"].items() if kind.startswith(("apply ", "create ", "patch ", "update "))}
    expect(applied, {"apply namespaces": 1, "apply serviceaccounts": 25, "apply configmaps": 25, "apply deployments.apps": 25,
                     "apply services": 25}, "writes of the first sync")
    expect(counts["max_in_flight"] <= 8, True, f"at most eight in flight, there were {counts['max_in_flight']}")
    w.note(f"{counts['requests']} requests, {counts['max_in_flight']} in flight, {counts['connections']} connections")


def test_drift_costs_a_request_for_each_object(w):
    begin(w, w.configmap("a"), w.configmap("b"), w.configmap("c"))
    w.settle()
    w.counts(reset=True)
    for name in ("a", "b"):
        w.cluster.patch("ConfigMap", name, w.ns, {"data": {"key": "nine"}})
    for name in ("a", "b"):
        w.wait_data(name, {"key": "one"})
    w.settle()
    expect(w.counts()["asked"], {"apply configmaps": 2}, "requests for two drifted objects")


def test_nothing_is_asked_while_nothing_happens(w):
    begin(w)
    w.settle(2)
    w.counts(reset=True)
    w.settle(6)
    expect(w.counts()["asked"], {}, "requests of six idle seconds")
