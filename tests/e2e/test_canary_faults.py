"""Canaries while the API server refuses, the network breaks and serin is killed: the same steps, the same end."""

import concurrent.futures
import json
import os
import time

from canaries import Canaries, Witness, check_promises, story
from lab import expect, lasts, request, wait
from test_canary_input import together

WRITES = ["create", "update", "patch", "delete"]
KINDS_WRITTEN = ("services", "deployments", "virtualservices", "destinationrules", "canaries")
# What the status of a run goes through: phase, weight, failed checks, iterations.
STORY = [("Initializing", 0, 0, 0), ("Initialized", 0, 0, 0), ("Progressing", 0, 0, 0), ("Progressing", 50, 0, 0), ("Promoting", 50, 0, 0),
         ("Finalising", 0, 0, 0), ("Succeeded", 0, 0, 0)]
RUN = 18  # writes of such a run, at least


def writes_of(ns):
    """Conditions of a rule: the writes about a canary that is alone in its namespace, its Events aside."""
    return {"verbs": WRITES, "path": f"/namespaces/{ns}/({'|'.join(KINDS_WRITTEN)})"}


def alone(c, ns):
    """A canary in a namespace of its own."""
    c.w.cluster.create("Namespace", c.w.namespace(ns))
    c.both("shop", ns=ns)


def promised(w, witness, names):
    """The story and the promises of each; what is wrong with any is shown for all."""
    for ns in names:
        wait(lambda ns=ns: witness.has_all(ns, "shop"), f"the witness to have seen the end of {ns}")
        check_promises(witness, ns, "shop")
        told = story(witness, ns, "shop")
        expect(told, STORY, f"what the status of {ns} went through")


def rules(w):
    return {one["name"]: one for one in json.loads(request(w.admin, "GET", "/rules")[1])}


@lasts(100)
def test_a_run_in_which_each_write_fails_once(w):
    c = Canaries(w, everywhere=True)
    witness = Witness(w.cluster, "Canary", "Deployment", "VirtualService")
    w.processes.append(witness)
    conflict = {"status": 409, "message": "the object has been modified; please apply your changes to the latest version and try again"}
    faults = {f"c{n}": (conflict, n) for n in range(RUN + 4)}
    faults.update({f"e{n}": ({"status": 500}, n) for n in range(RUN + 4)})
    faults.update({f"b{n}": ({"status": 429, "retry_after": "1"}, n) for n in range(0, RUN, 4)})
    faults.update({f"a{n}": ({"cut": "after"}, n) for n in range(0, RUN, 4)})
    faults.update({f"d{n}": ({"cut": "before"}, n) for n in range(2, RUN, 4)})
    for name, (action, skip) in faults.items():
        w.arm(name, action, **writes_of(f"{w.ns}-{name}"), skip=skip, count=1)
    w.arm("often", {"status": 500}, **writes_of(w.ns + "-often"), probability=0.15)
    w.arm("slow", {"latency_ms": 400}, **writes_of(w.ns + "-slow"))
    names = [f"{w.ns}-{name}" for name in (*faults, "often", "slow")]
    for ns in names:
        alone(c, ns)
    began = time.monotonic()
    for ns in names:
        c.initialized("shop", ns=ns, timeout=180)
    w.note(f"{len(names)} Initialized after {time.monotonic() - began:.0f} s")
    for ns in names:
        c.release("shop", ns=ns)
    for ns in names:
        c.succeeded("shop", ns=ns, timeout=240)
    met = rules(w)
    missed = [name for name, (_, skip) in faults.items() if skip < RUN and not met[name]["hits"]]
    expect(missed, [], "faults that were not met")
    w.note(f"{sum(one['hits'] for one in met.values())} faults, ended after {time.monotonic() - began:.0f} s")
    promised(w, witness, names)


test_a_run_in_which_each_write_fails_once.wants_own_cluster = True


@lasts(110)
def test_killed_at_each_write_of_a_run(w):
    c = Canaries(w, everywhere=True)
    witness = Witness(w.cluster, "Canary", "Deployment", "VirtualService")
    w.processes.append(witness)
    names = [f"{w.ns}-{n}" for n in range(RUN + 6)]
    for n, ns in enumerate(names):
        w.arm(ns, {"hang": True}, **writes_of(ns), skip=n, count=1)
    for ns in names:
        alone(c, ns)
    kills, open_rules, met = 0, set(names), set()

    def reached(phase):
        return all(c.status("shop", ns).get("phase") == phase for ns in names)

    def until(phase, seconds):
        nonlocal kills
        end = time.monotonic() + seconds
        while not reached(phase):
            if time.monotonic() > end:
                expect({ns: c.status("shop", ns).get("phase") for ns in names}, dict.fromkeys(names, phase), "phases")
            hit = {name for name, one in rules(w).items() if one["hits"]} & open_rules
            if not hit:
                time.sleep(0.02)
                continue
            c.kill()
            kills += 1
            met.update(hit)
            open_rules.difference_update(hit)
            for name in hit:
                w.disarm(name)
            c.start()
    until("Initialized", 180)
    for ns in names:
        c.release("shop", ns=ns)
    until("Succeeded", 240)
    w.note(f"killed {kills} times, at {len(met)} writes")
    expect(len(met) >= RUN, True, f"writes at which it was killed: {len(met)}")
    for ns in names:
        c.succeeded("shop", ns=ns)
    promised(w, witness, names)


test_killed_at_each_write_of_a_run.wants_own_cluster = True


@together
@lasts(75)
def test_runs_while_watches_fail(w):
    c = Canaries(w)
    c.both("shop")
    c.initialized("shop")
    for image, action, seconds, more in (("2", {"watch_cut_ms": 300}, None, {}), ("3", {"watch_gone": True}, 4, {}), ("4", {"watch_silent": True}, 6, {}),
                                         ("5", {"status": 410}, 6, {"path": "resourceVersion=[1-9]"})):
        w.arm("fault", action, verbs=["watch"], **more)
        if "status" in action:
            w.arm("cut", {"watch_cut_ms": 100}, verbs=["watch"])
        c.release("shop", image)
        if seconds:
            time.sleep(seconds)
            w.disarm()
        began = time.monotonic()
        wait(lambda image=image: (c.status("shop").get("phase"), c.image("shop-primary")) == ("Succeeded", image), f"the run with {action}", 120)
        w.note(f"{next(iter(action))}: {time.monotonic() - began + (seconds or 0):.0f} s")
        w.disarm()
        expect((c.weights("shop"), c.replicas("shop")), ((100, 0), 0), f"weights and replicas after {action}")


@together
@lasts(60)
def test_the_api_server_is_gone_in_the_middle_of_a_run(w):
    c = Canaries(w)
    c.both("shop", analysis={"stepWeight": 25, "maxWeight": 50})
    c.initialized("shop")
    c.release("shop")
    c.wait_phase("shop", phase="Progressing", canaryWeight=25)
    for how in ("refuse", "hang"):
        w.gone(how)
        time.sleep(12)
        expect(c.answers(), True, "serin answers without its API server")
        w.back()
    c.succeeded("shop", timeout=120)
    expect([text for text in c.said("shop") if text.startswith("Copying")], [f"Copying shop.{w.ns} template spec to shop-primary.{w.ns}"], "promotions")


def many(c, count):
    """Deployments, every other one without pods, and their canaries, fifty to a namespace: the controller of Deployments walks all of a
    namespace for each. An address for each Service would keep the API server busy."""
    namespaces = [c.w.ns, *(f"{c.w.ns}-{n}" for n in range(1, (count + 49) // 50))]
    for ns in namespaces[1:]:
        c.w.cluster.create("Namespace", c.w.namespace(ns))

    def make(n):
        name, ns = f"app{n}", namespaces[n // 50]
        c.deployment(name, ns=ns, replicas=n % 2)
        c.canary(name, ns=ns, provider="kubernetes", service={"port": 80, "headless": True}, analysis={"iterations": 2, "interval": "5m"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(count)))


@lasts(150)
def test_many_canaries_appear_at_once(w):
    """SERIN_CANARIES says how many."""
    count = int(os.environ.get("SERIN_CANARIES", "200"))
    c = Canaries(w, start=False, everywhere=True)
    began = time.monotonic()
    many(c, count)
    w.note(f"{count} canaries made in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    c.start()

    def phases():
        found = {}
        for one in w.cluster.list("Canary"):
            phase = (one.get("status") or {}).get("phase", "none")
            found[phase] = found.get(phase, 0) + 1
        return found

    def initialized():
        time.sleep(1 + count // 250)  # a list of all costs the API server more than what it waits for
        found = phases()
        return found == {"Initialized": count} or expect(found, {"Initialized": count}, "phases")
    wait(initialized, "all canaries to be Initialized", 120 + count // 2)
    w.note(f"Initialized in {time.monotonic() - began:.0f} s, resident {w.serin_process.rss_kib() // 1024} MiB")
    w.settle(2, 40 + count // 20)  # Events come after what they tell
    w.counts(reset=True)
    time.sleep(5)
    expect(w.counts()["asked"], {}, "requests of canaries at rest")
    errors = [line for line in w.log().splitlines() if '"level":"error"' in line]
    expect(errors[:5], [], "errors in the log")
    c.release("app1")
    w.note(f"a new revision of one was seen after {c.wait_said('app1', 'New revision detected!'):.1f} s")


test_many_canaries_appear_at_once.wants_own_cluster = True
