"""What people do to a run while it is under way: its spec, its objects, its end."""

import time

from canaries import Canaries
from lab import expect, lasts, wait
from test_canary_input import together

SOON = 30  # seconds; of canaries whose interval is a minute
RATE = {"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}}


@together
@lasts(45)
def test_a_spec_may_change_in_the_middle_of_a_run(w):
    c = Canaries(w)
    c.receiver.answers["bad"] = {"value": 1}
    c.both("threshold", metricsServer=c.receiver.url("bad"), analysis={"threshold": 50, "metrics": [RATE]})
    c.both("step", analysis={"stepWeight": 20, "maxWeight": 60})
    c.both("interval", analysis={"interval": "1m"})
    c.both("skip", analysis={"stepWeight": 5})
    c.both("suspend", analysis={"stepWeight": 20, "maxWeight": 40})
    names = ["threshold", "step", "interval", "skip", "suspend"]
    c.initialized(*names)
    for name in reversed(names):
        c.release(name)
    c.wait_phase("suspend", phase="Progressing", canaryWeight=20)
    c.change("suspend", {"suspend": True})
    c.wait_phase("step", phase="Progressing", canaryWeight=20)
    c.change("step", {"analysis": {"stepWeight": 40}})
    c.wait_phase("interval", phase="Progressing", canaryWeight=50)
    wait(lambda: c.status("skip").get("canaryWeight"), "the first step of skip")
    changed = time.monotonic()
    c.change("interval", {"analysis": {"interval": "10s"}})
    c.change("skip", {"skipAnalysis": True})
    c.wait_said("threshold", "advancement success rate 1.00% < 99%", "Warning")
    c.change("threshold", {"analysis": {"threshold": 1}})
    c.wait_phase("step", phase="Progressing", canaryWeight=60)
    c.wait_phase("threshold", phase="Failed", canaryWeight=0, failedChecks=0)
    c.succeeded("step", "interval")
    c.wait_said("suspend", "skipping canary run as object is suspended", "Normal")
    expect((c.status("suspend")["phase"], c.weights("suspend"), c.image("suspend-primary")), ("Progressing", (80, 20), "1"), "the suspended run")
    c.change("suspend", {"suspend": None})
    c.succeeded("skip", "suspend", timeout=120)
    w.note(f"all ended {time.monotonic() - changed:.0f} s after the changes")
    expect(c.count("skip", "Canary analysis was skipped for skip"), 1, "events about the analysis that was skipped")
    expect(c.count("suspend", "skipping canary run"), 1, "events about the suspension")
    expect(c.count("threshold", "failed checks threshold reached"), 1, "events about the threshold")


@together
@lasts(35)
def test_a_canary_may_be_deleted_in_the_middle_of_a_run(w):
    c = Canaries(w)
    names = ("plain", "revert", "lost", "out", "unready")
    w.cluster.create("Service", w.service("revert"), w.ns)
    for name in names:
        c.both(name, replicas=2, revertOnDeletion=name != "plain", analysis={"interval": "10s" if name == "unready" else "1m", "maxWeight": 100})
    c.initialized(*names)
    for name in names:
        c.release(name)
    wait(lambda: all(c.status(name).get("canaryWeight") for name in names), "all runs to have begun")
    c.change("out", {"revertOnDeletion": False})
    wait(lambda: not w.cluster.get("Canary", "out", w.ns)["metadata"].get("finalizers"), "the finalizer to go with revertOnDeletion")
    w.cluster.delete("Deployment", "lost", w.ns)
    c.release("unready", "never-ready")
    wait(lambda: (w.cluster.get("Deployment", "unready", w.ns)["status"]).get("unavailableReplicas"), "pods that are not ready")
    w.cluster.patch("Deployment", "revert", w.ns, {"spec": {"replicas": 1}})
    began = time.monotonic()
    for name in names:
        w.cluster.delete("Canary", name, w.ns)
    for name in ("plain", "revert", "lost", "out"):
        wait(lambda name=name: not w.cluster.get("Canary", name, w.ns), f"{name} to be gone", 60)
        w.note(f"{name} gone after {time.monotonic() - began:.1f} s")
    expect((c.replicas("revert"), w.cluster.get("Service", "revert", w.ns)["spec"]["selector"]), (2, {"app": "revert"}), "what was reverted")
    c.wait_said("revert", f"Terminated canary revert.{w.ns}", "Normal")
    c.wait_said("lost", f"Terminated canary lost.{w.ns}", "Normal")
    c.wait_said("unready", "canary not ready during finalizing: ", "Warning")
    expect(c.status("unready").get("phase"), "Terminating", "phase while its target is not ready")
    expect(w.cluster.get("Service", "unready", w.ns)["spec"]["selector"], {"app": "unready-primary"}, "its Service meanwhile")
    c.release("unready", "3")
    wait(lambda: not w.cluster.get("Canary", "unready", w.ns), "the last one to be gone", 90)
    for kind, name in (("Deployment", "plain-primary"), ("VirtualService", "plain"), ("Deployment", "revert-primary")):
        wait(lambda kind=kind, name=name: not w.cluster.get(kind, name, w.ns), f"the garbage collector to take {kind} {name}", 90)
    wait(lambda: not [series for series in c.metrics() if f'namespace="{w.ns}"' in series], "the series of canaries to go with them")


def repaired(c, what, look, expected):
    """Long before the next tick by the clock."""
    began = time.monotonic()
    wait(lambda: look() == expected or expect(look(), expected, what), what)
    seconds = time.monotonic() - began
    c.w.note(f"{what} after {seconds:.1f} s")
    expect(seconds < SOON, True, f"{what} at once: {seconds:.1f} s")


@together
@lasts(45)
def test_what_is_edited_by_hand_is_repaired_and_the_run_goes_on(w):
    c = Canaries(w)
    names = ("weights", "hosts", "route", "service", "selector", "primary", "scaled")
    for name in names:
        c.both(name, analysis={"interval": "1m", "stepWeight": 30, "maxWeight": 60})
    c.initialized(*names)
    for name in names:
        c.release(name)
    c.wait_phase(*names, phase="Progressing", canaryWeight=30)

    def weights(name, primary, **more):
        route = w.cluster.get("VirtualService", name, w.ns)
        route["spec"].update(more)
        for one in route["spec"]["http"][-1]["route"]:
            one["weight"] = primary if "primary" in one["destination"]["host"] else 100 - primary
        w.cluster.ask("PUT", w.cluster.path("VirtualService", name, w.ns), route)
    weights("weights", 60)
    weights("hosts", 45, hosts=["elsewhere"])
    w.cluster.delete("VirtualService", "route", w.ns)
    uid = w.cluster.get("Service", "service", w.ns)["metadata"]["uid"]
    w.cluster.delete("Service", "service", w.ns)
    w.cluster.patch("Service", "selector-canary", w.ns, {"spec": {"selector": {"app": "nobody"}}})
    old = w.cluster.get("Deployment", "primary-primary", w.ns)["metadata"]["uid"]
    w.cluster.delete("Deployment", "primary-primary", w.ns)
    w.cluster.patch("Deployment", "scaled", w.ns, {"spec": {"replicas": 0}})

    def another(kind, name, before):
        return (w.cluster.get(kind, name, w.ns) or {"metadata": {"uid": before}})["metadata"]["uid"] != before
    repaired(c, "hosts back, weights kept", lambda: (w.cluster.get("VirtualService", "hosts", w.ns)["spec"]["hosts"], c.weights("hosts")), (["hosts"], (45, 55)))
    repaired(c, "a route back", lambda: sum(c.weights("route") or ()), 100)
    repaired(c, "a Service back", lambda: another("Service", "service", uid), True)
    repaired(c, "a selector back", lambda: w.cluster.get("Service", "selector-canary", w.ns)["spec"]["selector"]["app"], "selector")
    repaired(c, "a primary back", lambda: another("Deployment", "primary-primary", old), True)
    repaired(c, "pods of the canary back", lambda: c.replicas("scaled"), 1)
    expect(w.cluster.get("Service", "service", w.ns)["spec"]["selector"], {"app": "service-primary"}, "selector of the new Service")
    expect(c.weights("weights"), (60, 40), "weights set by hand are left alone")
    for name in names:
        c.change(name, {"analysis": {"interval": "10s"}})
    c.succeeded(*names, timeout=150)
    for name in names:
        expect(c.weights(name), (100, 0), f"weights of {name} at the end")


@together
@lasts(25)
def test_who_undoes_every_repair_is_not_raced(w):
    c = Canaries(w)
    c.both("shop")
    c.initialized("shop")
    w.settle()
    w.counts(reset=True)
    end, undone = time.monotonic() + 12, 0
    while time.monotonic() < end:  # another program that wants other hosts
        if w.cluster.get("VirtualService", "shop", w.ns)["spec"]["hosts"] != ["mine"]:
            w.cluster.patch("VirtualService", "shop", w.ns, {"spec": {"hosts": ["mine"]}})
            undone += 1
        time.sleep(0.02)
    updates = w.counts()["asked"].get("update virtualservices.networking.istio.io", 0)
    w.note(f"{undone} edits, {updates} repairs in 12 s")
    expect(2 <= updates <= 10, True, f"repairs: {updates}")
    wait(lambda: w.cluster.get("VirtualService", "shop", w.ns)["spec"]["hosts"] == ["shop"], "the last word", 60)


@together
@lasts(60)
def test_a_restart_repeats_only_the_tick_in_progress(w):
    c = Canaries(w)
    c.receiver.answers.update(start={"status": 403}, end={"status": 403}, bad={"value": 1})

    def hook(name, kind):
        return {"webhooks": [{"name": name, "type": kind, "url": c.receiver.url(name)}]}
    c.both("idle")
    c.both("waiting", analysis=hook("start", "confirm-rollout"))
    c.both("running", analysis={"interval": "1m", "stepWeight": 20, "maxWeight": 100})
    c.both("held", analysis=hook("end", "confirm-promotion"))
    c.both("unready")
    c.both("failed", metricsServer=c.receiver.url("bad"), analysis={"threshold": 1, "metrics": [RATE]})
    names = ["idle", "waiting", "running", "held", "unready", "failed"]
    c.initialized(*names)
    for name in names[1:]:
        c.release(name, "never-ready" if name == "unready" else "2")
    c.wait_phase("waiting", phase="Waiting")
    c.wait_phase("running", phase="Progressing", canaryWeight=20)
    c.wait_phase("held", phase="WaitingPromotion")
    c.wait_phase("failed", phase="Failed")
    c.wait_said("unready", "canary deployment unready", "Warning")
    # What a tick says each time it comes to the same place; the first one after a restart is due, whatever the clock says.
    again = {"unready": "canary deployment unready", "running": f"Advance running.{w.ns} canary weight "}
    for number, end in ((1, w.stop), (2, c.kill)):
        w.settle()
        before, phases = {name: len(c.said(name)) for name in names}, {name: c.status(name)["phase"] for name in names}
        end()
        c.start()
        w.settle(2)
        for name in names:
            new = [text for text in c.said(name)[before[name]:] if not text.startswith(again.get(name, "\n"))]
            expect((new, c.status(name)["phase"]), ([], phases[name]), f"new events and phase of {name} after restart {number}")
    expect(c.count("running", f"Advance running.{w.ns} canary weight 40"), 1, "times that a weight is told")
    c.receiver.answers.update(start={}, end={})
    c.release("unready", "2")
    c.change("running", {"analysis": {"interval": "10s"}})
    c.succeeded("waiting", "running", "held", "unready", timeout=150)
    expect((c.status("idle")["phase"], c.status("failed")["phase"], c.image("failed-primary")), ("Initialized", "Failed", "1"), "the others")
    for name in ("waiting", "running", "held", "unready"):
        for text in ("Initialization done!", "New revision detected! Scaling up", "Copying ", "Promotion completed!"):
            expect(c.count(name, text), 1, f"'{text}' of {name}")
