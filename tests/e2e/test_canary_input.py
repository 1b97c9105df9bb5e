"""Canaries whose world is incomplete or wrong: a clear word, nothing breaks, and it goes on by itself once it is put right."""

import time
import urllib.parse

from canaries import Canaries
from lab import Process, contains, expect, free_port, lasts, wait
from test_canary_crds import install, kubectl
from test_deploy import define

SOON = 30  # seconds, of a canary whose interval is a minute: what comes so soon comes from a watch


def together(test):
    """Those of canaries share a cluster: the kinds they define are not in the way of others."""
    test.shares_cluster = "canaries"
    return test


def template(c, name, query="up", secret=None, **more):
    return c.w.cluster.create("MetricTemplate", {"apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {
        "name": name, "namespace": c.w.ns}, "spec": {"query": query, "provider": {
            "type": "prometheus", "address": c.receiver.url(name), **({"secretRef": {"name": secret}} if secret else {}), **more}}}, c.w.ns)


def metric(name, **more):
    return {"metrics": [{"name": name, "templateRef": {"name": name}, "interval": "1m", "thresholdRange": {"min": 1}, **more}]}


def ingress(w, name):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": w.ns}, "spec": {
        "ingressClassName": "nginx", "rules": [{"host": name, "http": {"paths": [{
            "path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}}]}}]}}


def scaler(w, name):
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name, "namespace": w.ns}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "minReplicas": 1, "maxReplicas": 2,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]}}


@together
def test_what_a_canary_refers_to_comes_later(w):
    c, slow, ref = Canaries(w), {"interval": "1m"}, {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "scaled"}
    c.canary("target", provider="kubernetes", analysis=slow)
    c.both("scaled", provider="kubernetes", analysis=slow, autoscalerRef=ref)
    c.both("edge", provider="nginx", analysis=slow, ingressRef={"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "edge"})
    c.both("mesh", provider="traefik", analysis=slow)
    missing = {"target": f'deployment target.{w.ns} get query error: deployments.apps "target" not found',
               "scaled": f'HorizontalPodAutoscaler scaled.{w.ns} get query error: horizontalpodautoscalers.autoscaling "scaled" not found',
               "edge": f'ingress edge.{w.ns} get query error: ingresses.networking.k8s.io "edge" not found',
               "mesh": "the server could not find the requested resource"}
    for name, text in missing.items():
        c.warned(name, text)
    for name, make, soon in (("target", lambda: c.deployment("target"), SOON), ("edge", lambda: w.cluster.create("Ingress", ingress(w, "edge"), w.ns), SOON),
                             ("scaled", lambda: w.cluster.create("HorizontalPodAutoscaler", scaler(w, "scaled"), w.ns), SOON),
                             ("mesh", lambda: define(w, "TraefikService"), SOON)):  # kinds are looked for each ten seconds
        make()
        seconds = c.initialized(name)
        w.note(f"{name} went on after {seconds:.1f} s")
        expect(seconds < soon, True, f"{name} goes on by itself, not with its interval: {seconds:.1f} s")
    w.cluster.delete("CustomResourceDefinition", "traefikservices.traefik.io")


@together
@lasts(40)
def test_templates_secrets_and_alert_providers_come_later(w):
    c = Canaries(w)
    template(c, "login", secret="login")
    c.both("template", analysis=metric("late"))
    c.both("secret", analysis=metric("login"))
    c.both("alert", analysis={"alerts": [{"name": "chat", "severity": "info", "providerRef": {"name": "chat"}}]})
    c.wait_said("template", f'Error checking metric providers: metric template late.{w.ns} error: metrictemplate.flagger.app "late" not found', "Warning")
    c.wait_said("secret", f'Error checking metric providers: metric template login.{w.ns} secret login error: secret', "Warning")
    c.initialized("template", "secret", "alert")
    for name in ("template", "secret", "alert"):
        c.release(name)
    c.wait_said("template", f'Metric template late.{w.ns} error: metrictemplate.flagger.app "late" not found', "Warning")
    c.wait_said("secret", f'Metric template login.{w.ns} secret login error: ', "Warning")
    wait(lambda: f"alert provider chat.{w.ns} error: " in w.log(), "the log to tell of the alert provider")
    template(c, "late")
    w.cluster.create("Secret", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": w.ns}, "stringData": {"token": "hush"}}, w.ns)
    w.cluster.create("AlertProvider", {"apiVersion": "flagger.app/v1beta1", "kind": "AlertProvider", "metadata": {"name": "chat", "namespace": w.ns},
                                       "spec": {"type": "gchat", "address": c.receiver.url("chat")}}, w.ns)
    c.succeeded("template", "secret", "alert")
    wait(lambda: c.receiver.asked("chat"), "an alert")
    expect(c.status("template")["failedChecks"] >= 1, True, "a metric without its template is a failed check")
    expect("hush" in w.log(), False, "a token in the log")


@together
def test_gateways_that_are_not_ready_are_waited_for(w):
    c = Canaries(w, routes=("HTTPRoute",))
    c.both("gate", provider="gatewayapi:v1", analysis={"interval": "1m"}, service={"port": 80, "gatewayRefs": [{"name": "front"}]})
    c.both("none", provider="gatewayapi:v1", analysis={"interval": "1m"})
    c.warned("none", "GatewayRefs must be specified when using Gateway API as a provider.")
    route = wait(lambda: w.cluster.get("HTTPRoute", "gate", w.ns), "the HTTPRoute")
    c.initialized("gate")  # as in Flagger, nobody has to accept the route before a run

    def accept(value):
        found = w.cluster.get("HTTPRoute", "gate", w.ns)
        w.cluster.patch("HTTPRoute", "gate", w.ns, {"status": {"parents": [{
            "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "front"}, "controllerName": "e2e/e2e", "conditions": [
                {"type": "Accepted", "status": value, "observedGeneration": found["metadata"]["generation"], "reason": "Test", "message": "",
                 "lastTransitionTime": route["metadata"]["creationTimestamp"]}]}]}}, sub="/status")
    accept("False")
    c.release("gate")
    c.warned("gate", f"HTTPRoute gate.{w.ns} parent front is not ready (status: False")
    expect(c.weights_of_route("gate"), (100, 0), "weights while the gateway does not take the route")
    accept("True")
    c.change("none", {"service": {"port": 80, "gatewayRefs": [{"name": "front"}]}})
    c.initialized("none")


@together
@lasts(20)
def test_of_two_canaries_of_one_target_the_older_one_acts(w):
    c = Canaries(w)
    c.deployment("shop")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    c.canary("older", targetRef=target)
    c.initialized("older")
    c.wait_said("older", "Initialization done!")
    time.sleep(1.1)  # creation times have seconds
    c.canary("newer", targetRef=target, analysis={"stepWeight": 20})
    text = f"Bad things will happen! Found more than one canary with the same target shop.{w.ns}"
    c.warned("newer", text)
    contains("\n".join(c.said("newer")), f"older.{w.ns} has it", "what the newer one says")
    c.release("shop")
    c.wait_phase("older", phase="Succeeded")
    expect(c.status("newer").get("phase"), "Initializing", "the newer one meanwhile")
    expect([one for one in c.said("newer") if text not in one], [], "what else the newer one says")
    expect(text in w.log(), True, "the log tells of it")
    w.cluster.delete("Canary", "older", w.ns)
    seconds = c.wait_phase("newer", phase="Initialized", timeout=30)
    w.note(f"the other one took over after {seconds:.1f} s")
    c.release("shop", "3")
    c.wait_phase("newer", phase="Progressing", canaryWeight=20)


# What canary.md 1.7 refuses: name, spec, text.
def invalid(w):
    knative = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "k"}
    analysis = {"stepWeight": 50}
    yield "upstream", {"provider": "gloo", "upstreamRef": {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "name": "u", "namespace": "far"}}, \
        "can't access gloo upstream u.far, cross-namespace references are blocked"
    yield "template", {"analysis": {**analysis, "metrics": [{"name": "m", "templateRef": {"name": "t", "namespace": "far"}}]}}, \
        "can't access metric template t.far, cross-namespace references are blocked"
    yield "alert", {"analysis": {**analysis, "alerts": [{"name": "a", "providerRef": {"name": "p", "namespace": "far"}}]}}, \
        "can't access alert provider p.far, cross-namespace references are blocked"
    yield "knative", {"provider": "istio", "targetRef": knative}, "can't use istio provider with Knative Service as target"
    yield "other", {"provider": "knative"}, "can't use apps/v1/Deployment as target if provider is set to knative"
    yield "scaled", {"provider": "knative", "targetRef": knative, "autoscalerRef": {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "h"}}, "can't use autoscaler with Knative Service"
    yield "cookies", {"analysis": {**analysis, "sessionAffinity": {"cookieName": "same", "primaryCookieName": "same"}}}, \
        "can't use the same cookie name for both primary and cookie name; please update them to be different"


@together
def test_invalid_canaries_are_told_of_and_hold_up_nobody(w):
    c = Canaries(w, "--no-cross-namespace-refs", "--mesh-provider=warp", start=False)
    cases = list(invalid(w))
    for name, spec, _ in cases:
        c.both(name, **spec)
    c.both("good", provider=None)  # of --mesh-provider: nobody knows it
    c.start()
    c.initialized("good")
    contains(w.log(), "unknown mesh router provider 'warp', using istio", "the log")
    for name, _, text in cases:
        wait(lambda text=text, name=name: f"error syncing '{w.ns}/{name}': invalid canary spec: {text}" in w.log(), f"the log to tell of {name}")
        c.warned(name, "invalid canary spec: " + text)
        expect((c.status(name), w.cluster.get("Deployment", name + "-primary", w.ns)), ({}, None), f"status and primary of {name}")
    c.change("cookies", {"analysis": {"sessionAffinity": {"primaryCookieName": "another"}}})
    c.initialized("cookies")
    expect(w.log().count("invalid canary spec: can't use autoscaler"), 1, "times that it is told of")
    c.change("good", {"targetRef": {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}, "provider": "istio"})
    c.warned("good", "can't use istio provider with Knative Service")


# What is wrong with a query, and what is said of it: in the event of the check, after "Metric template NAME.NAMESPACE ".
QUERIES = [
    ("unknown", "{{ colour }}", 'query render error: template parsing failed: .*function "colour" not defined'),
    ("open", "{{ name", "query render error: template parsing failed: .*unclosed action"),
    ("key", "{{ variables.colour }}", 'query render error: template excution failed: .*map has no entry for key "colour"'),
    ("endless", "{{ range variables }}" * 12 + "x" + "{{ end }}" * 12, "query render error: template excution failed: "),
    ("nested", "{{ if true }}" * 5000 + "{{ end }}" * 5000, "query render error: template parsing failed: "),
]


@together
@lasts(20)
def test_bad_query_templates_fail_their_check_only(w):
    c = Canaries(w)
    many = {f"v{n}": "1" for n in range(20)}
    for name, query, _ in QUERIES:
        template(c, name, query)
        c.both(name, analysis={"threshold": 1, **metric(name, templateVariables={"a": "b"} if name != "endless" else many)})
    template(c, "injected", 'up{a="{{ variables.who }}"}')
    c.both("injected", analysis=metric("injected", templateVariables={"who": '{{ target }}"} or vector(1) # {{ range variables }}'}))
    names = [name for name, _, _ in QUERIES]
    c.initialized(*names, "injected")
    for name in (*names, "injected"):
        c.release(name)
    for name, _, pattern in QUERIES:
        c.wait_said(name, f"Metric template {name}.{w.ns} query render error: ", "Warning")
        contains("\n".join(c.said(name)), pattern, f"what is said of {name}")
    c.wait_phase(*names, phase="Failed")
    c.succeeded("injected")
    asked = [urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)["query"][0] for _, path, _ in c.receiver.asked("injected")]
    wanted = 'up{a="{{ target }}"} or vector(1) # {{ range variables }}"}'
    expect({one for one in asked if one != "vector(1)"}, {wanted}, "the query: a variable is text")


def test_serin_canary_ends_without_its_crds_and_serin_run_waits_for_them(w):
    port = free_port()
    w.cluster.create("Namespace", w.namespace())
    process = Process([w.options.serin, "canary", "--kubeconfig=" + w.path("kubeconfig"), f"--port={port}"], w.path("canary.log"), env=w.environment())
    w.processes.append(process)
    wait(lambda: not process.running, "serin canary to end")
    expect(process.child.poll(), 1, "exit status of serin canary: " + process.text())
    contains(process.text(), r"Canary CRD is not registered the server could not find the requested resource \(get canaries\.flagger\.app\)", "what it says")
    w.commit({"all.yaml": w.configmap("a")})
    w.serin("--canaries=auto")
    w.synced()
    install(w.cluster)
    c = Canaries(w, start=False, in_namespace=True)
    c.answers = w.answers
    c.both("shop")
    w.note(f"Initialized {c.initialized('shop'):.1f} s after the CRDs came")
    expect(kubectl(w, "get", "deployment", "shop-primary", "-o", "name").strip(), "deployment.apps/shop-primary", "the primary")


test_serin_canary_ends_without_its_crds_and_serin_run_waits_for_them.wants_own_cluster = True
