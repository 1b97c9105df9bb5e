"""What others change comes back, at once, and what they add beside it stays."""

import time

from lab import expect, wait
from test_sync import begin

MARK = "fluxcd.io/sync-gc-mark"


def healed(w, look, what):
    """Waits until look() gives (actual, expected) that are equal."""
    began = time.monotonic()
    wait(lambda: expect(*look(), what) or True, what)
    w.note(f"{what} after {time.monotonic() - began:.2f} s")


def test_edits_deletions_and_lost_labels_heal(w):
    begin(w, w.configmap("a", {"b": "1", "x": "1"}), w.deployment("web", replicas=2))
    w.settle()
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"x": "9", "z": "9"}})
    healed(w, lambda: (w.data("a"), {"b": "1", "x": "1", "z": "9"}), "an edit healed")
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"b": None}})
    healed(w, lambda: (w.data("a"), {"b": "1", "x": "1", "z": "9"}), "a removed key healed")
    before = w.get("ConfigMap", "a")["metadata"]["uid"]
    w.cluster.delete("ConfigMap", "a", w.ns)
    healed(w, lambda: ((w.get("ConfigMap", "a") or {"metadata": {"uid": before}})["metadata"]["uid"] != before, True), "a deletion healed")
    w.cluster.patch("ConfigMap", "a", w.ns, {"metadata": {"labels": {MARK: None}}})
    healed(w, lambda: (MARK in w.get("ConfigMap", "a")["metadata"].get("labels", {}), True), "a lost label healed")
    w.cluster.patch("Deployment", "web", w.ns, {"spec": {"replicas": 5}}, sub="/scale")
    healed(w, lambda: (w.get("Deployment", "web")["spec"]["replicas"], 2), "a scaled workload healed")
    expect(w.status()["drift"]["healed"] >= 5, True, "status counts what was healed")


def test_what_is_added_beside_ours_is_left_alone(w):
    begin(w)
    w.settle()
    w.counts(reset=True)
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"more": "1"}, "metadata": {"annotations": {"note": "hello"}, "labels": {"team": "blue"}}})
    w.settle(2)
    expect(w.counts()["asked"], {}, "requests after a change that is no drift")
    expect(w.data("a"), {"key": "one", "more": "1"}, "data")


def test_drift_while_serin_is_down_heals_when_it_is_back(w):
    begin(w, w.configmap("a"), w.configmap("b"))
    w.stop()
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"key": "nine"}})
    w.cluster.delete("ConfigMap", "b", w.ns)
    w.serin()
    w.wait_data("a", {"key": "one"})
    w.wait_data("b", {"key": "one"})


def test_drift_is_only_reported_when_asked(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin("--sync-drift=report")
    w.synced()
    w.settle()
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"key": "nine"}})
    wait(lambda: w.status()["objects"]["drifted"] == 1, "status to tell of the drift")
    w.settle()
    expect(w.data("a"), {"key": "nine"}, "data")


def test_an_object_put_in_the_cluster_with_a_copied_mark_stays(w):
    begin(w)
    mark = w.get("ConfigMap", "a")["metadata"]["labels"][MARK]
    copy = w.configmap("copy", labels={MARK: mark})
    w.cluster.create("ConfigMap", copy, w.ns)
    w.commit({"all.yaml": w.configmap("a", {"key": "two"})})
    w.wait_data("a", {"key": "two"})
    w.settle()
    expect(w.data("copy"), {"key": "one"}, "an object whose mark is not its own")


def test_a_fight_is_slowed_down(w):
    begin(w)
    w.settle()
    edits = 0

    def edit():
        nonlocal edits
        edits += 1
        w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"key": f"mine{edits}"}})
        time.sleep(0.3)
        return "keeps changing this object" in w.log()
    wait(edit, "the log to tell of a fight")
    for _ in range(8):  # however many more there are, the pause is the first one: two seconds
        edit()
    w.wait_data("a", {"key": "one"}, 30)
    expect(w.status()["drift"]["healed"] <= edits, True, "no more heals than changes")
