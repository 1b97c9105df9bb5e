"""Sync and canaries in one process: what a canary owns is not the repository's to reset."""

import json
import time

from lab import expect, lasts, request, wait
from test_canary_crds import install


def workload(w, image="app:1", **spec):
    one = w.deployment("cart", image, **{"replicas": 2, **spec})
    one["spec"]["selector"] = {"matchLabels": {"app": "cart"}}
    one["spec"]["template"]["metadata"]["labels"] = {"app": "cart"}
    return one


def apex(w, **meta):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": w.ns, **meta},
            "spec": {"selector": {"app": "cart"}, "ports": [{"name": "web", "port": 80, "targetPort": 9898}]}}


def canary(w):
    return {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "cart", "namespace": w.ns},
            "spec": {"provider": "kubernetes", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                     "service": {"port": 80, "targetPort": 9898},
                     "analysis": {"interval": "10s", "threshold": 2, "iterations": 1, "metrics": []}}}


def phase(w):
    return (w.get("Canary", "cart") or {}).get("status", {}).get("phase")


def begin(w):
    install(w.cluster)
    w.cluster.create("Namespace", w.namespace())
    w.commit({"cart.yaml": [workload(w), apex(w)], "canary.yaml": canary(w)})
    w.serin("--canaries=on", "--k8s-allow-namespace=" + w.ns)
    w.synced()
    wait(lambda: phase(w) == "Initialized", "the canary to be initialised")


def as_the_canary_has_it(w):
    expect(w.get("Deployment", "cart")["spec"]["replicas"], 0, "replicas of the target at rest")
    service = w.get("Service", "cart")["spec"]
    expect(service["selector"], {"app": "cart-primary"}, "selector of the apex Service")
    expect(service["ports"][0]["name"], "http", "port of the apex Service")


def test_a_canary_keeps_replicas_and_selector_from_sync(w):
    begin(w)
    w.settle(3)
    as_the_canary_has_it(w)
    w.counts(reset=True)
    time.sleep(3)
    expect(w.counts()["requests"], 0, "requests while nothing happens")
    w.commit({"cart.yaml": [workload(w, replicas=3), apex(w, labels={"team": "blue"})]})
    w.synced()
    w.settle()
    as_the_canary_has_it(w)
    expect(w.get("Service", "cart")["metadata"]["labels"].get("team"), "blue", "what the repository says beside that")


def test_a_restart_resets_nothing_that_a_canary_owns(w):
    begin(w)
    w.settle()
    versions = [w.get(kind, "cart")["metadata"]["resourceVersion"] for kind in ("Deployment", "Service")]
    w.stop()
    w.serin()
    w.synced()
    w.settle(2)
    as_the_canary_has_it(w)
    expect([w.get(kind, "cart")["metadata"]["resourceVersion"] for kind in ("Deployment", "Service")], versions, "versions after the restart")


@lasts(60)
def test_a_commit_starts_a_run_that_ends_with_the_new_image_everywhere(w):
    begin(w)
    w.commit({"cart.yaml": [workload(w, "app:2"), apex(w)]})
    w.synced()
    wait(lambda: phase(w) == "Progressing", "the run to begin")
    expect(w.get("Deployment", "cart")["spec"]["replicas"], 2, "replicas of the target during the run")
    code, out, err = w.cli("status")
    expect(f"\nrollouts:\n  {w.ns}/cart Progressing, weight " in out, True, f"the run in the status: {out}{err}")
    status, text = request(f"http://127.0.0.1:{w.port}", "GET", f"/api/serin/v1/canaries?workload={w.ns}:deployment/cart")
    expect((status, [(one["name"], one["phase"]) for one in json.loads(text)]), (200, [("cart", "Progressing")]), "canaries of the workload")
    wait(lambda: phase(w) == "Succeeded", "the run to end", 90)
    w.settle()
    as_the_canary_has_it(w)
    expect(w.get("Deployment", "cart-primary")["spec"]["template"]["spec"]["containers"][0]["image"], "app:2", "image of the primary")
    code, out, err = w.cli("status")
    expect((code, "1: 1 Succeeded" in out, "rollouts:" in out), (0, True, False), f"the status after the run: {out}{err}")


def test_a_canary_that_goes_gives_back_what_it_owned(w):
    begin(w)
    w.commit(remove=["canary.yaml"])
    w.synced()
    wait(lambda: phase(w) is None, "the canary to go")
    wait(lambda: w.get("Service", "cart") and w.get("Service", "cart")["spec"]["selector"] == {"app": "cart"}, "the selector of the repository")
    wait(lambda: w.get("Deployment", "cart")["spec"].get("replicas") == 2, "the replicas of the repository")
