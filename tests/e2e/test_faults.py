"""The API server, the network and serin itself fail; the end is the same."""

import os
import random
import time

from lab import contains, expect, lasts, wait
from test_sync import begin

WRITES = ["apply", "create", "patch", "delete"]


def state(w):
    """What is in the namespace by the repository's doing: kind/name -> what matters of it."""
    found = {}
    for kind in ("ConfigMap", "Service", "Deployment"):
        for one in w.cluster.list(kind, w.ns, "fluxcd.io/sync-gc-mark"):
            found[f"{kind}/{one['metadata']['name']}"] = one.get("data") or one["spec"].get("replicas") or one["spec"]["ports"][0]["port"]
    return found


def round_of(w, number):
    """Objects of one commit: some change, some come, some go, whatever round it is."""
    objects = [w.configmap(f"same{n}", {"key": "one"}) for n in range(2)]
    objects += [w.configmap(f"changed{n}", {"round": str(number)}) for n in range(3)]
    objects += [w.configmap(f"only{number}-{n}", {"round": str(number)}) for n in range(2)]
    objects += [w.service("web", port=8000 + number), w.deployment("web", replicas=number % 3 + 1)]
    wanted = {f"ConfigMap/{one['metadata']['name']}": one["data"] for one in objects if one["kind"] == "ConfigMap"}
    return objects, {**wanted, "Service/web": 8000 + number, "Deployment/web": number % 3 + 1}


def arrives(w, wanted, timeout=60):
    wait(lambda: state(w) == wanted or expect(state(w), wanted, "objects in the cluster"), "the end state", timeout)


def test_killed_at_every_request_of_a_sync(w):
    objects, wanted = round_of(w, 0)
    begin(w, *objects)
    arrives(w, wanted)
    step, number = 0, 0
    while True:
        number += 1
        w.arm("stop", {"hang": True}, verbs=WRITES, skip=step, path=f"namespaces/{w.ns}/(configmaps|services|deployments)")
        objects, wanted = round_of(w, number)
        head = w.commit({"all.yaml": objects})
        wait(lambda: w.hits("stop") or (w.is_synced(head) and w.marker() == head), f"request {step + 1} of the sync")
        w.settle(0.3)
        was_hit = w.hits("stop")
        w.kill()
        w.disarm()
        w.serin()
        w.synced()
        arrives(w, wanted)
        if not was_hit:
            break
        step += 2  # with eight in flight neighbours stop alike
    expect(step >= 6, True, f"the sync was stopped at {step} requests only")
    w.note(f"killed {number} times")


def test_killed_at_any_time(w):
    objects, wanted = round_of(w, 0)
    begin(w, *objects)
    chance = random.Random(7)
    for number in range(1, 11):
        objects, wanted = round_of(w, number)
        w.commit({"all.yaml": objects})
        time.sleep(chance.uniform(0, 1.2))
        w.kill()
        w.serin(ready=False)
        time.sleep(chance.uniform(0, 0.6) if number % 2 else 0)
    wait(w.answers, "serin to answer")
    w.synced()
    arrives(w, wanted)


def test_killed_while_it_writes_to_git(w):
    begin(w, w.configmap("a"))
    hook, waits = w.let_pushes_hang()
    w.commit({"all.yaml": w.configmap("a", {"key": "two"})}, push=False)
    w.git("fetch", "-q", w.work, f"HEAD:refs/heads/{w.branch}", cwd=w.repository)
    wait(lambda: os.path.exists(waits), "the push of the marker")
    w.kill()
    os.remove(hook)
    w.serin()
    w.synced()
    expect((w.data("a"), w.marker()), ({"key": "two"}, w.head()), "the object and the marker")


def outage(w, how, seconds):
    begin(w, w.configmap("a"), w.configmap("b"))
    w.settle()
    w.gone(how)
    w.commit({"all.yaml": [w.configmap("a", {"key": "two"}), w.configmap("c")]})
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"key": "nine"}})
    time.sleep(seconds)
    expect(w.serin_process.running, True, "serin runs without its API server")
    expect(w.api("v11/version") is not None, True, "serin answers without its API server")
    w.back()
    began = time.monotonic()
    w.wait_data("a", {"key": "two"}, 90)
    w.wait_data("c", {"key": "one"}, 90)
    w.wait_data("b", None, 90)
    w.note(f"caught up {time.monotonic() - began:.1f} s after it was back")


@lasts(27)
def test_the_api_server_is_gone_for_a_while(w):
    outage(w, "refuse", 20)


@lasts(22)
def test_the_api_server_hangs_for_a_while(w):
    outage(w, "hang", 20)


def test_serin_starts_before_its_api_server_is_there(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.gone("refuse")
    w.serin(ready=False)
    time.sleep(3)
    w.back()
    if not w.serin_process.running:  # it may leave the waiting to Kubernetes, which starts it again
        expect(w.serin_process.child.poll() != 0, True, "an exit status that says so")
        w.serin(ready=False)
    w.wait_data("a", {"key": "one"}, 60)


def watch_fault(w, action, timeout=60, lasts=None, **conditions):
    """Drift under a fault of the watches is healed all the same, while it lasts or after."""
    begin(w)
    w.settle()
    w.arm("fault", action, verbs=["watch"], **conditions)
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"key": "nine"}})
    if lasts:
        time.sleep(lasts)
        w.disarm()
    w.note(f"healed after {w.wait_data('a', {'key': 'one'}, timeout):.1f} s")
    w.disarm()
    w.cluster.delete("ConfigMap", "a", w.ns)
    w.wait_data("a", {"key": "one"}, timeout)


@lasts(130)
def test_a_watch_that_says_nothing_is_noticed(w):
    # A silent watch is told from a quiet one by its bookmarks, which come about once a minute.
    watch_fault(w, {"watch_silent": True}, timeout=200, open_only=True)


def test_watches_that_are_silent_for_a_while(w):
    watch_fault(w, {"watch_silent": True}, lasts=5)


def test_watches_that_are_cut(w):
    watch_fault(w, {"watch_cut_ms": 300})


def test_watches_that_are_cut_after_an_event(w):
    watch_fault(w, {"watch_cut_events": 1})


def test_watches_that_end_in_good_order(w):
    watch_fault(w, {"watch_end_ms": 500})


def test_watches_whose_version_is_gone(w):
    watch_fault(w, {"watch_gone": True}, open_only=True)


def test_watches_that_are_gone_again_and_again_for_a_while(w):
    watch_fault(w, {"watch_gone": True}, lasts=4)


def test_a_watch_that_is_refused_with_410(w):
    begin(w)
    w.settle()
    w.arm("gone", {"status": 410}, verbs=["watch"], path="resourceVersion=[1-9]")
    w.arm("cut", {"watch_cut_ms": 1}, verbs=["watch"])
    wait(lambda: w.hits("gone") >= 1 or w.hits("cut") >= 3, "watches to begin again")
    w.disarm("cut")
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"key": "nine"}})
    w.wait_data("a", {"key": "one"}, 60)


def writes_fault(w, action, expected_time=60, **conditions):
    """A commit under a fault of writes is applied all the same, each object."""
    begin(w)
    w.settle()
    w.arm("fault", action, verbs=["apply", "patch"], **conditions)
    w.counts(reset=True)
    w.commit({"all.yaml": [w.configmap(f"m{n}", {"key": "two"}) for n in range(6)] + [w.configmap("a", {"key": "two"})]})
    for name in ["a", *(f"m{n}" for n in range(6))]:
        w.wait_data(name, {"key": "two"}, expected_time)
    expect(w.hits("fault") > 0, True, "the fault was met")
    w.note(f"{w.hits('fault')} faults, {w.counts()['asked']}")


def test_429_is_obeyed(w):
    began = time.monotonic()
    writes_fault(w, {"status": 429, "retry_after": "2"}, count=4)
    expect(time.monotonic() - began >= 2, True, "serin waited as it was told")


def test_500_is_tried_again(w):
    writes_fault(w, {"status": 500}, count=5)


def test_503_is_tried_again(w):
    writes_fault(w, {"status": 503, "retry_after": "1"}, count=3)


def test_409_is_tried_again(w):
    writes_fault(w, {"status": 409, "message": "the object has been modified"}, count=3)


def test_a_deletion_that_is_refused_is_tried_again(w):
    begin(w, w.configmap("a"), w.configmap("b"))
    w.arm("fault", {"status": 409, "reason": "Conflict"}, verbs=["delete"], count=1)
    w.commit({"all.yaml": w.configmap("a")})
    w.note(f"deleted after {w.wait_data('b', None):.1f} s")
    expect(w.hits("fault"), 1, "deletions that were refused")


def test_half_of_all_requests_fail(w):
    writes_fault(w, {"status": 500}, probability=0.5, expected_time=120)


def test_connections_cut_before_the_server_saw_the_request(w):
    writes_fault(w, {"cut": "before"}, count=3)


def test_connections_cut_after_the_server_saw_the_request(w):
    writes_fault(w, {"cut": "after"}, count=3)


def test_an_answer_cut_in_the_middle(w):
    writes_fault(w, {"cut_after_bytes": 100}, count=3)


def test_a_slow_server(w):
    writes_fault(w, {"latency_ms": 1500})


def test_discovery_that_fails_at_first(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.arm("fault", {"status": 503}, verbs=["discovery"], path="^/api", count=3)
    w.serin(ready=False)
    w.wait_data("a", {"key": "one"}, 60)


@lasts(12)
def test_discovery_of_which_one_question_is_never_answered(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.arm("fault", {"hang": True}, verbs=["discovery"], path="^/apis$", count=1)
    w.serin()
    contains(w.log(), "the cluster does not answer, still waiting", "the log")
    w.wait_data("a", {"key": "one"}, 60)


def test_over_http_1(w):
    from lab import Process
    log = w.path("proxy1.log")
    w.processes.append(Process([w.options.playground, "proxy", "--http1", "--kubeconfig", w.options.kubeconfig, "--out", w.path("kubeconfig1")], log))
    wait(lambda: w.processes[-1].text().count("\n") >= 2, "the proxy", 30)
    w.admin = w.processes[-1].text().split()[-1]
    w.commit({"ns.yaml": w.namespace(), "all.yaml": [w.configmap(f"m{n}") for n in range(30)]})
    w.serin(f"--kubeconfig={w.path('kubeconfig1')}")
    w.synced()
    w.settle()
    w.cluster.patch("ConfigMap", "m3", w.ns, {"data": {"key": "nine"}})
    w.wait_data("m3", {"key": "one"})
    w.note(f"{w.counts()['connections']} connections")

