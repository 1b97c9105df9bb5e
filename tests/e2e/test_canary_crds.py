"""deploy/crds.yaml on a real API server: what it takes, what it refuses, what it drops, and what kubectl shows."""

import copy
import json
import os
import re
import subprocess

import yaml

from lab import HERE, KINDS, Failed, Refused, expect, wait

CRDS = os.path.join(HERE, "..", "..", "deploy", "crds.yaml")
KINDS.update({kind: ("/apis/flagger.app/v1beta1", plural, True)
              for kind, plural in (("Canary", "canaries"), ("MetricTemplate", "metrictemplates"), ("AlertProvider", "alertproviders"))})
TEXT = [{"exact": "a"}, {"prefix": "b"}, {"regex": "c.*"}]
META = {"labels": {"a": "b"}, "annotations": {"c": "d"}}
CHANGE = {"add": {"x": "1"}, "set": {"y": "2"}, "remove": ["z"]}


def load():
    with open(CRDS) as source:
        return list(yaml.safe_load_all(source))


def install(cluster):
    """The resources, once for all tests that need them."""
    for crd in load():
        name = crd["metadata"]["name"]
        cluster.patch("CustomResourceDefinition", name, None, json.dumps(crd), "application/apply-patch+yaml", "?fieldManager=e2e&force=true")
        wait(lambda: any(one["type"] == "Established" and one["status"] == "True" for one in
                         (cluster.get("CustomResourceDefinition", name).get("status") or {}).get("conditions") or []), name)
        group = KINDS[crd["spec"]["names"]["kind"]][0]
        wait(lambda: cluster.ask("GET", group + "/" + crd["spec"]["names"]["plural"]), name + " to be served")


def begin(w):
    install(w.cluster)
    w.cluster.create("Namespace", w.namespace())


def thing(w, kind, spec, name="shop"):
    return {"apiVersion": "flagger.app/v1beta1", "kind": kind, "metadata": {"name": name, "namespace": w.ns}, "spec": spec}


def plain():
    return {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}, "service": {"port": 80},
            "analysis": {"interval": "1m", "threshold": 5, "stepWeight": 10}}


def full():
    """Every field at once; two lists of analysis exclude each other, and so do some policies: those are in alternatives()."""
    def ref(version, kind, **more):
        return {"apiVersion": version, "kind": kind, "name": "x", **more}
    bounded = {"group": "core", "kind": "Service", "name": "n", "namespace": "ns", "port": 80}
    return {
        "provider": "gatewayapi:v1", "metricsServer": "http://prometheus:9090", "progressDeadlineSeconds": 60, "skipAnalysis": False,
        "revertOnDeletion": True, "suspend": False, "targetRef": ref("apps/v1", "DaemonSet"),
        "autoscalerRef": ref("keda.sh/v1alpha1", "ScaledObject", primaryScalerQueries={"a": "b"}, primaryScalerReplicas={"minReplicas": 1, "maxReplicas": 2}),
        "ingressRef": ref("networking.k8s.io/v1", "Ingress"), "routeRef": ref("apisix.apache.org/v2", "ApisixRoute"),
        "upstreamRef": ref("gloo.solo.io/v1", "Upstream", namespace="gloo"),
        "service": {
            "name": "apex", "port": 80, "portName": "http", "targetPort": "web", "appProtocol": "http", "trafficDistribution": "PreferClose",
            "portDiscovery": True, "headless": True, "timeout": "5s", "backendTimeout": "4s", "gateways": ["mesh"], "hosts": ["a.example.com"],
            "gatewayRefs": [{**bounded, "sectionName": "web"}], "delegation": False, "meshName": "m", "backends": ["b"],
            "trafficPolicy": {
                "connectionPool": {"http": {"h2UpgradePolicy": "UPGRADE", "http1MaxPendingRequests": 1, "http2MaxRequests": 2, "idleTimeout": "1s",
                                            "maxRequestsPerConnection": 3, "maxRetries": 4}},
                "loadBalancer": {"consistentHash": {"httpCookie": {"name": "n", "path": "/", "ttl": "0s"}, "minimumRingSize": 5},
                                 "localityLbSetting": {"enabled": True, "distribute": [{"from": "a", "to": {"b": 100}}], "failover": [{"from": "a", "to": "b"}]},
                                 "warmupDurationSecs": "10s"},
                "outlierDetection": {"baseEjectionTime": "1s", "consecutive5xxErrors": 1, "consecutiveErrors": 2, "consecutiveGatewayErrors": 3,
                                     "consecutiveLocalOriginFailures": 4, "interval": "1s", "maxEjectionPercent": 5, "minHealthPercent": 6,
                                     "splitExternalLocalOriginErrors": True},
                "tls": {"mode": "MUTUAL", "caCertificates": "a", "clientCertificate": "b", "privateKey": "c", "sni": "d", "subjectAltNames": ["e"]}},
            "match": [{"name": "m", "uri": one, "scheme": one, "method": one, "authority": one, "headers": {"h": one}, "withoutHeaders": {"h": one},
                       "queryParams": {"q": one}, "ignoreUriCase": True, "port": 80, "gateways": ["g"], "sourceLabels": {"a": "b"},
                       "sourceNamespace": "s"} for one in [*TEXT, {}]],
            "rewrite": {"uri": "/", "authority": "a", "type": "ReplacePrefixMatch"}, "retries": {"attempts": 1, "perTryTimeout": "1s", "retryOn": "5xx"},
            "headers": {"request": CHANGE, "response": CHANGE}, "mirror": [{"backendRef": bounded}],
            "corsPolicy": {"allowOrigin": ["a"], "allowOrigins": TEXT, "allowMethods": ["GET"], "allowHeaders": ["h"], "exposeHeaders": ["e"],
                           "maxAge": "1d", "allowCredentials": True},
            "apex": META, "primary": META, "canary": META, "unmanagedMetadata": {"annotations": ["a"], "labels": ["b"]}},
        "analysis": {
            "interval": "1m30s", "threshold": 5, "maxWeight": 50, "stepWeights": [1, 2.5, 50], "stepWeightPromotion": 10, "mirror": True,
            "mirrorWeight": 100, "primaryReadyThreshold": 75, "canaryReadyThreshold": 80,
            "match": [{"headers": {"h": one}, "queryParams": {"q": two}, "sourceLabels": {"a": "b"}}
                      for one, two in zip([*TEXT, {"suffix": "s"}], [*TEXT, {}])],
            "metrics": [{"name": "m", "interval": "30s", "threshold": 1.5, "thresholdRange": {"min": 0.5, "max": 99}, "query": "up",
                         "templateRef": {"name": "t", "namespace": "n"}, "templateVariables": {"a": "b"}}],
            "alerts": [{"name": "a", "severity": one, "providerRef": {"name": "p", "namespace": "n"}} for one in ("", "info", "warn", "error")],
            "webhooks": [{"name": "h", "url": "http://gate/", "type": one, "timeout": "5s", "retries": 1, "disableTLS": True, "muteAlert": True,
                          "metadata": {"a": "b"}} for one in ("", "rollout", "confirm-rollout", "pre-rollout", "confirm-promotion", "post-rollout",
                                                              "event", "rollback", "confirm-traffic-increase")],
            "sessionAffinity": {"cookieName": "c", "primaryCookieName": "p", "domain": "d", "httpOnly": True, "maxAge": 60, "partitioned": True,
                                "path": "/", "sameSite": "None", "secure": True}}}


def alternatives():
    """What cannot be in full() at the same time: (what, change of plain())."""
    balancers = [{"simple": one} for one in ("ROUND_ROBIN", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "LEAST_REQUEST")]
    balancers += [{"consistentHash": one} for one in ({"httpHeaderName": "h"}, {"useSourceIp": True}, {"httpQueryParameterName": "q"})]
    yield "iterations", {"analysis": {"interval": "10s", "threshold": 1, "iterations": 3}}
    yield "whole numbers with a point", {"analysis": {"interval": "10s", "threshold": 1.0, "stepWeight": 5.0}}
    yield "milliseconds that the pattern lets pass", {"analysis": {"interval": "500ms", "threshold": 1, "stepWeight": 5}}
    yield "a Service as target", {"targetRef": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "x"}}
    yield "an HPA", {"autoscalerRef": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "x"}}
    yield "a port by number", {"service": {"port": 80, "targetPort": 9898}}
    for one in balancers:
        yield f"balancer {one}", {"service": {"port": 80, "trafficPolicy": {"loadBalancer": one}}}
    for one in load()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["provider"]["enum"]:
        yield f"provider {one}", {"provider": one}
    yield "no service", {"service": None}


def changed(change):
    spec = {**plain(), **copy.deepcopy(change)}
    return {key: value for key, value in spec.items() if value is not None}


def missing_in(schema, value, place):
    """Fields of a schema that a value, or none of a list of values, has."""
    values = [one for one in value if one is not None]
    if "properties" in schema:
        for key, inner in schema["properties"].items():
            found = [one[key] for one in values if key in one]
            yield from missing_in(inner, found, f"{place}.{key}") if found else [f"{place}.{key}"]
    elif "items" in schema:
        yield from missing_in(schema["items"], [item for one in values for item in one], place + "[]")
    elif "additionalProperties" in schema:
        yield from missing_in(schema["additionalProperties"], [item for one in values for item in one.values()], place + "{}")


def test_the_canary_crd_takes_every_field(w):
    begin(w)
    documents = [("everything", full())] + [(what, changed(change)) for what, change in alternatives()]
    schema = load()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    expect(list(missing_in(schema, [spec for _, spec in documents], "spec")), [], "fields that this test does not set")
    for number, (what, spec) in enumerate(documents):
        stored = w.cluster.create("Canary", thing(w, "Canary", spec, f"c{number}"), w.ns)
        expect(stored["spec"], spec, what)
    with open(os.path.join(HERE, "..", "differential", "scenarios", "canary", "fixtures", "canary.yaml")) as source:
        stored = w.cluster.create("Canary", yaml.safe_load(source), w.ns)
        expect(stored["spec"]["analysis"]["stepWeight"], 25, "a canary of the scenarios")


def put(spec, path, value):
    """A copy with a value (None: without it) at a path of keys and indices."""
    spec = copy.deepcopy(spec)
    at = spec
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return spec


# path in full() or plain(), value there, what the server says
REFUSED = [
    (full, ["targetRef"], None, "spec.targetRef: Required value"),
    (full, ["analysis"], None, "spec.analysis: Required value"),
    (full, ["provider"], "gatewayapi", "spec.provider: Unsupported value"),
    (full, ["targetRef", "kind"], "StatefulSet", "spec.targetRef.kind: Unsupported value"),
    (full, ["targetRef", "apiVersion"], None, "spec.targetRef.apiVersion: Required value"),
    (full, ["autoscalerRef", "kind"], "VerticalPodAutoscaler", "spec.autoscalerRef.kind: Unsupported value"),
    (full, ["autoscalerRef", "primaryScalerReplicas", "minReplicas"], 0, "should be greater than or equal to 1"),
    (full, ["autoscalerRef", "name"], None, "spec.autoscalerRef.name: Required value"),
    (full, ["ingressRef", "kind"], "Route", "spec.ingressRef.kind: Unsupported value"),
    (full, ["routeRef", "kind"], "Ingress", "spec.routeRef.kind: Unsupported value"),
    (full, ["upstreamRef", "kind"], "Service", "spec.upstreamRef.kind: Unsupported value"),
    (full, ["progressDeadlineSeconds"], "60", "spec.progressDeadlineSeconds: Invalid value"),
    (full, ["service", "port"], None, "spec.service.port: Required value"),
    (full, ["service", "port"], "80", "spec.service.port: Invalid value"),
    (full, ["service", "targetPort"], True, "spec.service.targetPort: Invalid value"),
    (full, ["service", "trafficDistribution"], "PreferFar", "spec.service.trafficDistribution: Unsupported value"),
    (full, ["service", "gatewayRefs", 0, "name"], None, r"gatewayRefs\[0\].name: Required value"),
    (full, ["service", "gatewayRefs", 0, "name"], "", r"gatewayRefs\[0\].name: Invalid value"),
    (full, ["service", "gatewayRefs", 0, "name"], "x" * 254, r"gatewayRefs\[0\].name: Too long"),
    (full, ["service", "gatewayRefs", 0, "port"], 65536, r"gatewayRefs\[0\].port: Invalid value"),
    (full, ["service", "gatewayRefs"], [{"name": "g"}] * 33, "spec.service.gatewayRefs: Too many"),
    (full, ["service", "mirror", 0, "backendRef", "name"], None, "backendRef.name: Required value"),
    (full, ["service", "mirror", 0, "backendRef"], {"name": "s"}, "a Service needs a port"),
    (full, ["service", "mirror", 0, "backendRef"], None, r"mirror\[0\].backendRef: Required value"),
    (full, ["service", "match", 0, "uri"], {"exact": "/", "prefix": "/"}, r"match\[0\].uri: Too many"),
    (full, ["service", "corsPolicy", "allowOrigins", 0], {}, r"allowOrigins\[0\]: .*at least 1"),
    (full, ["service", "trafficPolicy", "loadBalancer"], {"warmupDurationSecs": "1s"}, 'loadBalancer" must validate one and only one'),
    (full, ["service", "trafficPolicy", "loadBalancer", "simple"], "RANDOM", 'loadBalancer" must validate one and only one'),
    (full, ["service", "trafficPolicy", "loadBalancer", "consistentHash", "useSourceIp"], True, 'loadBalancer" must validate one and only one'),
    (full, ["service", "trafficPolicy", "tls", "mode"], "STRICT", "tls.mode: Unsupported value"),
    (full, ["service", "trafficPolicy", "connectionPool", "http", "h2UpgradePolicy"], "NEVER", "h2UpgradePolicy: Unsupported value"),
    (plain, ["analysis", "iterations"], 5, '"spec.analysis" must validate one and only one'),
    (plain, ["analysis", "stepWeights"], [5], '"spec.analysis" must validate one and only one'),
    (plain, ["analysis", "stepWeight"], None, '"spec.analysis" must validate one and only one'),
    (plain, ["analysis", "interval"], None, '"spec.analysis" must validate one and only one'),
    (plain, ["analysis", "threshold"], None, '"spec.analysis" must validate one and only one'),
    (plain, ["analysis", "interval"], "1h", "spec.analysis.interval: Invalid value"),
    (plain, ["analysis", "interval"], "m", "spec.analysis.interval: Invalid value"),
    (full, ["analysis", "stepWeights"], ["1"], r"stepWeights\[0\]: Invalid value"),
    (full, ["analysis", "match", 0, "headers", "h"], {"exact": "a", "suffix": "b"}, "headers.h: Too many"),
    (full, ["analysis", "match", 0, "headers", "h"], {}, "headers.h: .*at least 1"),
    (full, ["analysis", "match", 0, "queryParams", "q"], {"exact": "a", "regex": "b"}, "queryParams.q: Too many"),
    (full, ["analysis", "metrics", 0, "name"], None, r"metrics\[0\].name: Required value"),
    (full, ["analysis", "metrics", 0, "interval"], "1d", r"metrics\[0\].interval: Invalid value"),
    (full, ["analysis", "metrics", 0, "templateRef", "name"], None, "templateRef.name: Required value"),
    (full, ["analysis", "alerts", 0, "severity"], "fatal", "severity: Unsupported value"),
    (full, ["analysis", "alerts", 0, "providerRef"], None, "providerRef: Required value"),
    (full, ["analysis", "webhooks", 0, "url"], None, "url: Required value"),
    (full, ["analysis", "webhooks", 0, "type"], "sometimes", "type: Unsupported value"),
    (full, ["analysis", "webhooks", 0, "timeout"], "1h", "timeout: Invalid value"),
    (full, ["analysis", "webhooks", 0, "metadata", "a"], 1, "metadata.a: Invalid value"),
    (full, ["analysis", "sessionAffinity", "cookieName"], None, "cookieName: Required value"),
    (full, ["analysis", "sessionAffinity", "sameSite"], "none", "sameSite: Unsupported value"),
]


def refused(w, kind, spec, pattern, what):
    try:
        w.cluster.create(kind, thing(w, kind, spec), w.ns)
    except Refused as error:
        expect(error.status, 422, f"{what}: {error}")
        if not re.search(pattern, str(error)):
            raise Failed(f"{what}: /{pattern}/ is not in {error}") from None
        return
    raise Failed(f"{what}: was taken")


def test_the_canary_crd_refuses_what_makes_no_sense(w):
    begin(w)
    for base, path, value, pattern in REFUSED:
        what = ".".join(map(str, path)) + f" = {json.dumps(value)[:60]}"
        refused(w, "Canary", put(base(), path, value), pattern, what)


# What the schema does not have is dropped without a word: path and value put into full().
DROPPED = [
    (["canaryAnalysis"], {"interval": "1m"}), (["service", "colour"], "red"), (["analysis", "colour"], "red"),
    (["analysis", "match", 0, "uri"], {"prefix": "/"}), (["analysis", "match", 0, "method"], {"exact": "GET"}),
    (["service", "match", 0, "uri"], {"exact": "a", "suffix": "b"}), (["service", "trafficPolicy", "connectionPool", "tcp"], {"maxConnections": 1}),
    (["service", "trafficPolicy", "portLevelSettings"], [{}]), (["analysis", "webhooks", 0, "headers"], {"a": "b"}),
]


def test_the_canary_crd_drops_what_it_does_not_know_and_fills_in_defaults(w):
    begin(w)
    for number, (path, value) in enumerate(DROPPED):
        stored = w.cluster.create("Canary", thing(w, "Canary", put(full(), path, value), f"d{number}"), w.ns)
        expect(stored["spec"], full(), f"{path} is dropped")
    spec = put(put(plain(), ["service", "gatewayRefs"], [{"name": "g"}]), ["service", "mirror"], [{"backendRef": {"name": "s", "port": 80}}])
    spec["analysis"]["sessionAffinity"] = {"cookieName": "c"}
    stored = w.cluster.create("Canary", thing(w, "Canary", spec, "defaults"), w.ns)["spec"]
    expect(stored["service"]["gatewayRefs"], [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"}], "gatewayRefs")
    expect(stored["service"]["mirror"], [{"backendRef": {"group": "", "kind": "Service", "name": "s", "port": 80}}], "mirror")
    expect(stored["analysis"]["sessionAffinity"]["maxAge"], 86400, "maxAge")


STATUS = {"phase": "Progressing", "canaryWeight": 25, "failedChecks": 1, "iterations": 0, "lastAppliedSpec": "a", "lastPromotedSpec": "b",
          "trackedConfigs": {}, "lastTransitionTime": "2026-01-02T03:04:05Z", "sessionAffinityCookie": "c=1", "primarySessionAffinityCookie": "p=1",
          "previousSessionAffinityCookie": "o=1", "conditions": [
              {"type": "Promoted", "status": "Unknown", "reason": "Progressing", "message": "m", "lastUpdateTime": "2026-01-02T03:04:05Z",
               "lastTransitionTime": "2026-01-02T03:04:05Z"}]}


def kubectl(w, *words):
    done = subprocess.run(["kubectl", "--kubeconfig", w.options.kubeconfig, "-n", w.ns, *words], capture_output=True, text=True)
    expect(done.returncode, 0, f"kubectl {' '.join(words)}: {done.stderr}")
    return done.stdout


def test_the_status_of_a_canary_is_a_subresource(w):
    begin(w)
    stored = w.cluster.create("Canary", {**thing(w, "Canary", plain()), "status": STATUS}, w.ns)
    expect("status" in stored, False, "status of a new canary")
    found = w.cluster.patch("Canary", "shop", w.ns, json.dumps({"status": {**STATUS, "colour": "red"}}), sub="/status")
    expect(found["status"], STATUS, "status")
    expect(found["metadata"]["generation"], 1, "generation")
    for field, value in (("phase", "Paused"), ("lastTransitionTime", "yesterday"), ("failedChecks", "1")):
        try:
            w.cluster.patch("Canary", "shop", w.ns, json.dumps({"status": {field: value}}), sub="/status")
        except Refused as error:
            expect(f"status.{field}: " in str(error), True, f"{field}: {error}")
        else:
            raise Failed(f"status.{field} = {value} was taken")
    done = {**STATUS["conditions"][0], "status": "True", "reason": "Succeeded"}
    w.cluster.patch("Canary", "shop", w.ns, json.dumps({"status": {"conditions": [done]}}), sub="/status")
    expect("condition met" in kubectl(w, "wait", "canary/shop", "--for=condition=promoted", "--timeout=10s"), True, "kubectl wait")


def test_kubectl_shows_the_columns_of_a_canary(w):
    begin(w)
    spec = put(put(plain(), ["suspend"], True), ["analysis", "mirror"], True)
    spec["analysis"]["maxWeight"] = 50
    w.cluster.create("Canary", thing(w, "Canary", spec), w.ns)
    w.cluster.patch("Canary", "shop", w.ns, json.dumps({"status": STATUS}), sub="/status")
    lines = kubectl(w, "get", "canaries").splitlines()
    expect([line.split() for line in lines], [["NAME", "STATUS", "WEIGHT", "LASTTRANSITIONTIME"],
                                              ["shop", "Progressing", "25", "2026-01-02T03:04:05Z"]], "kubectl get canaries")
    lines = kubectl(w, "get", "canary", "-o", "wide").splitlines()
    expect([line.split() for line in lines], [
        ["NAME", "STATUS", "WEIGHT", "SUSPENDED", "FAILEDCHECKS", "INTERVAL", "MIRROR", "STEPWEIGHT", "STEPWEIGHTS", "MAXWEIGHT", "LASTTRANSITIONTIME"],
        ["shop", "Progressing", "25", "true", "1", "1m", "true", "10", "50", "2026-01-02T03:04:05Z"]], "kubectl get -o wide")
    expect("canary.flagger.app/shop" in kubectl(w, "get", "all"), True, "kubectl get all")


def test_templates_and_providers_have_their_schemas(w):
    begin(w)
    template = {"provider": {"type": "prometheus", "address": "http://a", "headers": {"X-A": ["1", "2"]}, "secretRef": {"name": "s"}, "region": "r",
                             "insecureSkipVerify": True}, "query": "up"}
    expect(w.cluster.create("MetricTemplate", thing(w, "MetricTemplate", template, "t"), w.ns)["spec"], template, "a template")
    provider = {"type": "slack", "channel": "c", "username": "u", "address": "http://a", "proxy": "http://p"}
    expect(w.cluster.create("AlertProvider", thing(w, "AlertProvider", provider, "p"), w.ns)["spec"], provider, "a provider with an address")
    hidden = {"type": "gchat", "secretRef": {"name": "s"}}
    expect(w.cluster.create("AlertProvider", thing(w, "AlertProvider", hidden, "q"), w.ns)["spec"], hidden, "a provider with a Secret")
    for kind, spec, path, value, pattern in (
            ("MetricTemplate", template, ["query"], None, "spec.query: Required value"),
            ("MetricTemplate", template, ["provider"], None, "spec.provider: Required value"),
            ("MetricTemplate", template, ["provider", "type"], None, "spec.provider.type: Required value"),
            ("MetricTemplate", template, ["provider", "type"], "mysql", "spec.provider.type: Unsupported value"),
            ("MetricTemplate", template, ["provider", "headers"], {"a": "b"}, "spec.provider.headers.a: Invalid value"),
            ("MetricTemplate", template, ["provider", "secretRef"], {}, "secretRef.name: Required value"),
            ("AlertProvider", provider, ["type"], None, '"spec" must validate one and only one'),
            ("AlertProvider", provider, ["type"], "irc", "spec.type: Unsupported value"),
            ("AlertProvider", provider, ["address"], None, '"spec" must validate one and only one'),
            ("AlertProvider", provider, ["secretRef"], {"name": "s"}, '"spec" must validate one and only one')):
        refused(w, kind, put(spec, path, value), pattern, f"{kind} {path} = {value}")
    for kind, name in (("MetricTemplate", "t"), ("AlertProvider", "p")):
        found = w.cluster.patch(kind, name, w.ns, json.dumps({"status": {"phase": "x"}}), sub="/status")
        expect(found.get("status") or {}, {}, f"status of a {kind}")
    expect(kubectl(w, "get", "metrictemplates").split(), ["NAME", "PROVIDER", "t", "prometheus"], "columns of a template")
    expect(kubectl(w, "get", "alertproviders").split(), ["NAME", "TYPE", "p", "slack", "q", "gchat"], "columns of a provider")


def test_the_crds_outlive_a_helm_release(w):
    for crd in load():
        expect(crd["metadata"]["annotations"], {"helm.sh/resource-policy": "keep"}, "annotations of " + crd["metadata"]["name"])
        expect([one["name"] for one in crd["spec"]["versions"]], ["v1beta1"], "versions of " + crd["metadata"]["name"])
    install(w.cluster)
