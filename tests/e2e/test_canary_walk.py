"""A release as its owner sees it: kubectl, requests to the application, a real Prometheus, hooks that run real commands, alerts."""

import json
import time

from lab import Failed, contains, expect, wait
from mesh import LONG, Walk, measured_split, walks


def begin(w, *, slack=False, service=None, spec=None, routes=("VirtualService", "DestinationRule"), provider="istio", hooks=lambda walk: [], **analysis):
    walk = Walk(w, routes=routes, provider=provider, start=False)
    if slack:
        walk.flags += tuple(walk.slack())
    walk.start()
    walk.podinfo_canary(service=service, spec=spec, webhooks=hooks(walk), **analysis)
    return walk


def check_split(w, split, *weights):
    """That at each weight so many of a hundred requests went to the canary, as exactly as others' requests in between allow."""
    w.note("of 100 requests at weight " + ", ".join(f"{weight}: {found['6.0.1']}" for weight, found in split.items()))
    for weight in weights:
        found = split.get(weight)
        if not found:
            raise Failed(f"no time to measure at weight {weight}; it was {sorted(split)}")
        if abs(found["6.0.1"] - weight) > max(3, weight // 8) or found["6.0.0"] + found["6.0.1"] != 100:
            raise Failed(f"at weight {weight} the versions that answered were {dict(found)}")


def is_over(walk):
    return walk.status("podinfo").get("phase") in ("Succeeded", "Failed")


def autoscaler(w):
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "podinfo", "namespace": w.ns}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "minReplicas": 2, "maxReplicas": 4,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 99}}}]}}


@walks(100)
def test_walk_a_release_goes_step_by_step(w):
    walk = Walk(w, start=False)
    walk.flags += tuple(walk.slack())
    walk.apply([autoscaler(w)])
    walk.start()
    walk.podinfo_canary(
        spec={"autoscalerRef": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}}, stepWeights=[5, 10, 30, 50],
        webhooks=[walk.hook("acceptance-test", "pre-rollout", type="bash",
                            cmd=f"curl -sd 'test' http://podinfo-canary.{w.ns}:9898/token | grep token"), walk.load()])
    for name in ("podinfo", "podinfo-canary", "podinfo-primary"):
        expect(w.get("Service", name) is not None, True, f"Service {name}")
    for name in ("podinfo-canary", "podinfo-primary"):
        expect(walk.w.cluster.get("DestinationRule", name, w.ns)["spec"]["host"], name, f"host of DestinationRule {name}")
    expect(walk.weights("podinfo"), (100, 0), "weights at first")
    expect(w.get("HorizontalPodAutoscaler", "podinfo-primary")["spec"]["scaleTargetRef"]["name"], "podinfo-primary", "target of the primary's autoscaler")
    wait(lambda: walk.replicas("podinfo") == 0, "the canary to be scaled down")
    wait(lambda: walk.versions(10) == {"6.0.0": 10}, "the primary to answer")

    walk.set_image("6.0.1")
    split = measured_split(walk, until=lambda: is_over(walk))
    walk.wait_phase("podinfo", phase="Succeeded", canaryWeight=0, timeout=LONG)
    check_split(w, split, 5, 10, 30, 50)
    expect((walk.tag("podinfo-primary"), walk.replicas("podinfo"), walk.weights("podinfo")), ("6.0.1", 0, (100, 0)), "after the promotion")
    expect(walk.versions(20), {"6.0.1": 20}, "answers after the promotion")

    contains(walk.kubectl("get", "canaries", "-A"), rf"NAMESPACE +NAME +STATUS +WEIGHT +LASTTRANSITIONTIME\n(.*\n)*{w.ns} +podinfo +Succeeded +0 +\d{{4}}-",
             "kubectl get canaries -A")
    story = walk.kubectl("describe", "canary", "podinfo")
    for text in (f"New revision detected! Scaling up podinfo.{w.ns}", "Pre-rollout check acceptance-test passed", f"Advance podinfo.{w.ns} canary weight 5",
                 f"Promotion completed! Scaling down podinfo.{w.ns}"):
        contains(story, text, "kubectl describe canary")
    for text in (*(f"Advance podinfo.{w.ns} canary weight {weight}" for weight in (5, 10, 30, 50)),
                 f"Copying podinfo.{w.ns} template spec to podinfo-primary.{w.ns}", "Routing all traffic to primary"):
        expect(walk.said("podinfo").count(text), 1, f"events '{text}'")
    expect([one[1:] for one in walk.alerts()], [
        ("New Deployment detected, initialization completed.", "good", "releases"),
        ("New revision detected, progressing canary analysis.", "good", "releases"),
        ("Canary analysis completed successfully, promotion finished.", "good", "releases")], "alerts")
    expect({one[0] for one in walk.alerts()}, {f"podinfo.{w.ns}"}, "whom they are about")


@walks(70)
def test_walk_errors_of_the_canary_end_the_release(w):
    walk = begin(w, slack=True, stepWeights=[20, 40], hooks=lambda walk: [walk.load()])
    walk.set_image("6.0.1-errors-50")
    walk.wait_said("podinfo", f"Halt podinfo.{w.ns} advancement success rate ", "Warning", timeout=LONG)
    walk.rolled_back(f"Rolling back podinfo.{w.ns} failed checks threshold reached 2")
    contains("\n".join(walk.said("podinfo")), r"success rate \d+\.\d\d% < 99%", "the reason")
    expect(walk.alerts()[-1][1:], ("Failed checks threshold reached 2", "danger", "releases"), "the last alert")
    contains(walk.kubectl("get", "canary", "podinfo"), r"podinfo +Failed +0 ", "kubectl get canary")


@walks(70)
def test_walk_a_slow_canary_ends_the_release(w):
    walk = begin(w, stepWeights=[20, 40], hooks=lambda walk: [walk.load()])
    walk.set_image("6.0.1-delay-700ms")
    walk.wait_said("podinfo", f"Halt podinfo.{w.ns} advancement request duration ", "Warning", timeout=LONG)
    walk.rolled_back(f"Rolling back podinfo.{w.ns} failed checks threshold reached 2")
    contains("\n".join(walk.said("podinfo")), r"request duration \d+(\.\d+)?m?s > 500ms", "the reason")


@walks(70)
def test_walk_some_users_go_first(w):
    walk = begin(w, iterations=2, hooks=lambda walk: [walk.load("podinfo-canary")], match=[
        {"headers": {"x-canary": {"exact": "insider"}}}, {"headers": {"cookie": {"regex": "^(.*?;)?(type=insider)(;.*)?$"}}}])
    walk.set_image("6.0.1")
    insiders = ({"X-Canary": "insider"}, {"Cookie": "a=b;type=insider"})
    for one in insiders:
        wait(lambda one=one: walk.versions(1, **one) == {"6.0.1": 1}, f"{one} to get the canary", LONG)
    expect(walk.status("podinfo")["phase"], "Progressing", "phase while insiders try it")
    for one in insiders:
        expect(walk.versions(10, **one), {"6.0.1": 10}, f"answers to {one}")
    for one in ({}, {"X-Canary": "other"}, {"Cookie": "type=outsider"}):
        expect(walk.versions(10, **one), {"6.0.0": 10}, f"answers to {one}")
    walk.wait_phase("podinfo", phase="Succeeded", timeout=LONG)
    expect(walk.versions(10), {"6.0.1": 10}, "answers to all")
    expect(walk.count("podinfo", f"Advance podinfo.{w.ns} canary iteration"), 2, "iterations")


@walks(70)
def test_walk_blue_green_with_a_mirror(w):
    walk = begin(w, iterations=2, mirror=True, hooks=lambda walk: [walk.load()])
    walk.set_image("6.0.1")
    wait(lambda: walk.counted(**{"from": "mirror", "workload": "podinfo"}) > 20, "traffic to be mirrored", LONG)
    expect(walk.status("podinfo")["phase"], "Progressing", "phase while traffic is mirrored")
    expect(walk.versions(20), {"6.0.0": 20}, "answers while traffic is mirrored")
    walk.wait_said("podinfo", "Stop traffic mirroring and route all traffic to canary", timeout=LONG)
    walk.wait_phase("podinfo", phase="Succeeded", timeout=LONG)
    expect(walk.versions(20), {"6.0.1": 20}, "answers after the promotion")
    expect("mirror" in w.cluster.get("VirtualService", "podinfo", w.ns)["spec"]["http"][0], False, "a mirror is left")


@walks(70)
def test_walk_blue_green_without_a_mesh(w):
    walk = begin(w, provider="kubernetes", iterations=2, hooks=lambda walk: [walk.load("podinfo-canary")])
    walk.set_image("6.0.1")
    wait(lambda: walk.inside("podinfo-canary", "/version", port=9898)[0] == 200, "the canary to be up", LONG)
    expect(walk.inside("podinfo", "/version", port=9898)[1]["version"], "6.0.0", "version of the apex during the run")
    walk.wait_phase("podinfo", phase="Succeeded", timeout=LONG)
    wait(lambda: walk.inside("podinfo", "/version", port=9898)[1]["version"] == "6.0.1", "the apex to have the new version")


@walks(90)
def test_walk_gates_are_opened_by_hand(w):
    walk = begin(w, slack=True, iterations=1, hooks=lambda walk: [
        walk.hook("start", "confirm-rollout", "/gate/check"), walk.hook("finish", "confirm-promotion", "/gate/check"), walk.load("podinfo-canary")])
    who = {"name": "podinfo", "namespace": w.ns}

    def gate(what):
        expect(walk.inside("flagger-loadtester", "/gate/" + what, who)[0], 202, f"/gate/{what}")
    walk.set_image("6.0.1")
    walk.wait_phase("podinfo", phase="Waiting", timeout=LONG)
    contains(walk.kubectl("get", "canary", "podinfo"), "Waiting", "kubectl get canary")
    time.sleep(12)  # it asks again
    expect(walk.status("podinfo")["phase"], "Waiting", "phase while the gate is shut")
    gate("open")
    walk.wait_said("podinfo", "Confirm-rollout check start passed", timeout=LONG)
    gate("close")
    walk.wait_phase("podinfo", phase="WaitingPromotion", timeout=LONG)
    expect(walk.tag("podinfo-primary"), "6.0.0", "tag of the primary while promotion waits")
    gate("open")
    walk.wait_phase("podinfo", phase="Succeeded", timeout=LONG)
    texts = [one[1] for one in walk.alerts()]
    for text in ("Canary is waiting for approval.", "Canary promotion is waiting for approval."):
        expect(text in texts, True, f"alert {json.dumps(text)} among {texts}")


@walks(70)
def test_walk_a_canary_that_no_test_accepts(w):
    walk = begin(w, stepWeights=[50], hooks=lambda walk: [
        walk.hook("acceptance-test", "pre-rollout", type="bash", cmd=f"curl -s http://podinfo-canary.{w.ns}:9898/version | grep 6.0.2"), walk.load()])
    walk.set_image("6.0.1")
    walk.wait_said("podinfo", f"Halt podinfo.{w.ns} advancement pre-rollout check acceptance-test failed", timeout=LONG)
    walk.rolled_back(f"Rolling back podinfo.{w.ns} failed checks threshold reached 2")
    expect(walk.counted(workload="podinfo", **{"from": "gateway"}), 0, "requests of users at the canary")


@walks(80)
def test_walk_a_cookie_keeps_its_owner_where_it_was(w):
    walk = begin(w, stepWeights=[50], hooks=lambda walk: [walk.load()], sessionAffinity={"cookieName": "canary-ck", "primaryCookieName": "primary-ck"})
    walk.set_image("6.0.1")
    wait(lambda: walk.weights("podinfo") == (50, 50), "half of the traffic", LONG)
    cookies = {}

    def collect():
        _, body, headers = walk.outside()
        given = headers.get("Set-Cookie", "").partition(";")[0]
        if given:
            cookies[body["version"]] = given
        return len(cookies) == 2
    wait(collect, "a cookie of each version")
    expect({version: cookie.partition("=")[0] for version, cookie in cookies.items()}, {"6.0.0": "primary-ck", "6.0.1": "canary-ck"}, "names of the cookies")
    for version, cookie in cookies.items():
        expect(walk.versions(20, Cookie="a=b; " + cookie), {version: 20}, f"answers to the owner of {cookie}")
    expect(walk.weights("podinfo"), (50, 50), "weights all the while")
    walk.wait_phase("podinfo", phase="Succeeded", timeout=LONG)
    _, body, headers = wait(lambda: [one for one in [walk.outside(Cookie=cookies["6.0.1"])] if one[2].get("Set-Cookie")], "the cookie to be taken back")[0]
    expect((body["version"], headers["Set-Cookie"]), ("6.0.1", cookies["6.0.1"] + "; Max-Age=-1"), "the answer that takes the cookie back")


@walks(80)
def test_walk_by_the_gateway_api(w):
    walk = begin(w, provider="gatewayapi:v1", routes=("HTTPRoute",), stepWeights=[10, 40], service={
        "gateways": None, "gatewayRefs": [{"name": "public", "namespace": "infra"}]}, hooks=lambda walk: [walk.load_from_outside()])
    route = w.cluster.get("HTTPRoute", "podinfo", w.ns)
    expect([one["type"] for parent in route["status"]["parents"] for one in parent["conditions"] if one["status"] == "True"], ["Accepted", "ResolvedRefs"],
           "conditions of the route")
    walk.set_image("6.0.1")
    check_split(w, measured_split(walk, until=lambda: is_over(walk), weights=lambda: walk.weights_of_route("podinfo")), 10, 40)
    walk.wait_phase("podinfo", phase="Succeeded", timeout=LONG)
    expect(walk.versions(20), {"6.0.1": 20}, "answers after the promotion")


@walks(80)
def test_walk_by_ingress_nginx(w):
    walk = Walk(w, provider="nginx", routes=())
    walk.apply([{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "podinfo", "namespace": w.ns}, "spec": {
        "ingressClassName": "nginx", "rules": [{"host": walk.host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {
            "service": {"name": "podinfo", "port": {"number": 9898}}}}]}}]}}])
    walk.podinfo_canary(spec={"ingressRef": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "podinfo"}}, service={"hosts": None, "gateways": None},
                        stepWeights=[10, 40], webhooks=[walk.load_from_outside()])

    def weights():
        text = w.cluster.get("Ingress", "podinfo-canary", w.ns)["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]
        return 100 - int(text), int(text)
    expect(weights(), (100, 0), "weights at first")
    walk.set_image("6.0.1")
    check_split(w, measured_split(walk, until=lambda: is_over(walk), weights=weights), 10, 40)
    walk.wait_phase("podinfo", phase="Succeeded", timeout=LONG)
    expect(walk.versions(20), {"6.0.1": 20}, "answers after the promotion")
