"""deploy/ on a real API server: the manifests are taken as they are, and serin canary needs the rights of its ClusterRole, all of them
and no others."""

import http.server
import json
import os
import re
import subprocess
import textwrap
import threading

import yaml

from lab import HERE, KINDS, Process, expect, free_port, lasts, request, wait
from test_docs import OF_CANARIES, documented

DEPLOY = os.path.join(HERE, "..", "..", "deploy")
MANIFESTS = [name for name in sorted(os.listdir(DEPLOY)) if name.endswith(".yaml") and name not in ("crds.yaml", "prometheus-rules.yaml")]
KINDS.update({kind: (f"/apis/{group}", plural, namespaced) for kind, group, plural, namespaced in (
    ("DaemonSet", "apps/v1", "daemonsets", True), ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    ("Role", "rbac.authorization.k8s.io/v1", "roles", True), ("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings", True),
    ("Ingress", "networking.k8s.io/v1", "ingresses", True), ("Canary", "flagger.app/v1beta1", "canaries", True),
    ("MetricTemplate", "flagger.app/v1beta1", "metrictemplates", True), ("AlertProvider", "flagger.app/v1beta1", "alertproviders", True),
    ("VirtualService", "networking.istio.io/v1beta1", "virtualservices", True), ("DestinationRule", "networking.istio.io/v1beta1", "destinationrules", True),
    ("HTTPRoute", "gateway.networking.k8s.io/v1", "httproutes", True), ("TrafficSplit", "split.smi-spec.io/v1alpha1", "trafficsplits", True),
    ("ScaledObject", "keda.sh/v1alpha1", "scaledobjects", True), ("HTTPProxy", "projectcontour.io/v1", "httpproxies", True),
    ("TraefikService", "traefik.io/v1alpha1", "traefikservices", True), ("RouteTable", "gateway.solo.io/v1", "routetables", True),
    ("Upstream", "gloo.solo.io/v1", "upstreams", True), ("ApisixRoute", "apisix.apache.org/v2", "apisixroutes", True),
    ("TrafficRoute", "kuma.io/v1alpha1", "trafficroutes", False), ("VirtualNode@mesh", "appmesh.k8s.aws/v1beta2", "virtualnodes", True),
    ("VirtualRouter@mesh", "appmesh.k8s.aws/v1beta2", "virtualrouters", True), ("VirtualService@mesh", "appmesh.k8s.aws/v1beta2", "virtualservices", True),
    ("Service@knative", "serving.knative.dev/v1", "services", True), ("Revision@knative", "serving.knative.dev/v1", "revisions", True))})
DEFINED = ("VirtualService", "DestinationRule", "HTTPRoute", "TrafficSplit", "ScaledObject", "HTTPProxy", "TraefikService", "RouteTable", "Upstream",
           "ApisixRoute", "TrafficRoute", "VirtualNode@mesh", "VirtualRouter@mesh", "VirtualService@mesh", "Service@knative", "Revision@knative")
# Rules for what this test has no server of.
UNTESTED = {("external.metrics.k8s.io", "*"), ("metrics.keptn.sh", "keptnmetrics"), ("metrics.keptn.sh", "analyses")}
# Rights that no request of this test shows: what the admission plugin for owner references asks for, and what App Mesh v1beta1 needs.
UNSEEN = {("flagger.app", "canaries/finalizers", "update"), ("appmesh.k8s.aws", "virtualservices", "update")}


def load(name):
    with open(os.path.join(DEPLOY, name)) as source:
        return list(yaml.safe_load_all(source))


def apply(w, document):
    """Strictly: a field that the server does not know is an error."""
    meta = document["metadata"]
    if KINDS[document["kind"]][2]:
        meta.setdefault("namespace", w.ns)  # what is for a namespace of the user's choice
    return w.cluster.patch(document["kind"], meta["name"], meta.get("namespace"), json.dumps(document), "application/apply-patch+yaml",
                           "?fieldManager=e2e&force=true&fieldValidation=Strict")


def define(w, kind):
    """A resource definition that takes anything."""
    base, plural, namespaced = KINDS[kind]
    group, version = base[len("/apis/"):].split("/")
    kind = kind.split("@")[0]
    apply(w, {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {
        "name": f"{plural}.{group}", **({"annotations": {"api-approved.kubernetes.io": "unapproved, a test"}} if group.endswith("k8s.io") else {})},
        "spec": {"group": group, "scope": "Namespaced" if namespaced else "Cluster", "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": kind + "List"},
                 "versions": [{"name": version, "served": True, "storage": True, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": {
                     "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}})


def pod_of(documents):
    """(Deployment, its container)."""
    deployment = next(one for one in documents if one["kind"] == "Deployment")
    return deployment, deployment["spec"]["template"]["spec"]["containers"][0]


def test_the_manifests_are_taken_and_their_pods_may_run(w):
    for document in load("crds.yaml"):
        apply(w, document)
    own = w.namespace()
    own["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "restricted"}
    w.cluster.create("Namespace", own)
    for name in MANIFESTS:
        documents = load(name)
        for document in documents:
            apply(w, document)
        deployment, _ = pod_of(documents)
        meta = deployment["metadata"]

        def available(meta=meta):
            status = w.cluster.get("Deployment", meta["name"], meta["namespace"]).get("status") or {}
            return expect(status.get("availableReplicas"), deployment["spec"]["replicas"], f"status {status}") is None
        wait(available, f"the pods of {name}: {meta['name']}")
        for service in (one for one in documents if one["kind"] == "Service"):
            labels = deployment["spec"]["template"]["metadata"]["labels"]
            expect({key: labels.get(key) for key in service["spec"]["selector"]}, service["spec"]["selector"], f"{name}: who the Service selects")


test_the_manifests_are_taken_and_their_pods_may_run.wants_own_cluster = True


def test_the_manifests_call_serin_as_it_is(w):
    for name in MANIFESTS:
        deployment, container = pod_of(load(name))
        code, out, err = w.cli(*container["args"], "--help")
        expect(code, 0, f"{name}: {container['args']}: {err}")
        ports = {one["name"] for one in container["ports"]}
        probes = [container[one]["httpGet"] for one in ("livenessProbe", "readinessProbe")]
        expect({one["port"] for one in probes} <= ports, True, f"{name}: ports of the probes")
        scraped = deployment["spec"]["template"]["metadata"].get("annotations", {}).get("prometheus.io/port")
        expect(scraped in (None, str(container["ports"][0]["containerPort"])), True, f"{name}: the port that is scraped")


def test_the_image_has_the_libraries_that_serin_needs(w):
    with open(os.path.join(DEPLOY, "Dockerfile")) as source:
        packages = set(re.findall(r"[\w.+-]+", source.read()))
    needed = re.findall(r"NEEDED\s+(\S+)", subprocess.run(["objdump", "-p", w.options.serin], capture_output=True, text=True, check=True).stdout)
    paths = dict(re.findall(r"(\S+) => (\S+)", subprocess.run(["ldd", w.options.serin], capture_output=True, text=True, check=True).stdout))
    expect(len(needed) > 5, True, f"libraries: {needed}")
    for library in needed:
        if re.match(r"lib(c|m|asan|ubsan|gcc_s)\.so", library):
            continue
        for path in (paths[library], "/usr" + paths[library]):
            owner = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True).stdout.split(":")[0]
            if owner:
                break
        expect(owner in packages, True, f"{library} is of the package {owner or '?'}, which deploy/Dockerfile does not install")


def examples():
    """What docs/canaries.md shows as YAML: whole objects, and parts of a spec or of its analysis, each in an object of its own."""
    with open(os.path.join(HERE, "..", "..", "docs", "canaries.md")) as page:
        text = page.read()
    for block in re.findall(r"```yaml\n(.*?)```", text, re.S) + re.findall(r"<<END\n(.*?)END\n", text, re.S):
        found = yaml.safe_load(textwrap.dedent(block))
        if "apiVersion" in found:
            yield found
            continue
        spec = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "service": {"port": 9898},
                "analysis": {"interval": "1m", "threshold": 5, "stepWeight": 10}}
        is_analysis = set(found) & {"metrics", "webhooks", "alerts"}
        spec.update({"analysis": {**spec["analysis"], **found}} if is_analysis else found)
        yield {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo"}, "spec": spec}


def test_the_examples_of_the_guide_are_taken(w):
    for document in load("crds.yaml"):
        apply(w, document)
    for kind in ("Canary", "MetricTemplate", "AlertProvider"):
        wait(lambda kind=kind: w.cluster.ask("GET", w.cluster.path(kind)), kind + " to be served")
    w.cluster.create("Namespace", w.namespace())
    found = list(examples())
    expect(len(found) > 12, True, f"examples: {len(found)}")
    for number, document in enumerate(found):
        document["metadata"].update(namespace=w.ns, name=f"e{number}")
        if document["kind"] == "Canary":
            document["spec"]["targetRef"]["name"] = f"e{number}"  # one Canary to a target
        w.cluster.ask("POST", w.cluster.path(document["kind"], None, w.ns) + "?fieldValidation=Strict", document)
    w.serin("--canaries=on", "--git-url=", "--k8s-allow-namespace=" + w.ns)
    wait(lambda: expect([one for one in said_of_canaries(w, found) if "not found" not in one], [], "of others than missing targets") is None,
         "serin to read the examples")


def said_of_canaries(w, documents):
    """An Event of each: that its target is missing is all there is to say."""
    events = {one["involvedObject"]["name"]: one["message"] for one in w.cluster.list("Event", w.ns)}
    return [events.get(one["metadata"]["name"], "nothing yet") for one in documents if one["kind"] == "Canary"]


class Prometheus(http.server.BaseHTTPRequestHandler):
    """Answers every query with 99."""

    def do_GET(self):
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1" if "vector" in self.path else "99"]}]}})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET

    def log_message(self, *_):
        pass


def canary(w, name, kind="Deployment", **spec):
    version = {"Service": "v1", "Service@knative": "serving.knative.dev/v1"}.get(kind, "apps/v1")
    kind = kind.split("@")[0]
    return {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": name, "namespace": w.ns}, "spec": {
        "targetRef": {"apiVersion": version, "kind": kind, "name": name}, "service": {"port": 80}, **spec,
        "analysis": {"interval": "10s", "threshold": 3, **spec.get("analysis", {"stepWeight": 50, "maxWeight": 50})}}}


def workload(w, name, kind="Deployment", **pod):
    made = w.deployment(name, **({"replicas": 1} if kind == "Deployment" else {}))
    made["kind"] = kind
    made["spec"]["template"]["spec"].update(pod)
    return made


def scaled(w, name):
    return {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": name, "namespace": w.ns}, "spec": {
        "scaleTargetRef": {"name": name}, "minReplicaCount": 1, "maxReplicaCount": 2, "triggers": [{"type": "cpu", "metadata": {"value": "50"}}]}}


def world(w, prometheus):
    """A canary for each kind of object that serin reads or writes; each with the objects it is about."""
    meta = {"namespace": w.ns}
    config = {"volumes": [{"name": "c", "configMap": {"name": "config"}}, {"name": "s", "secret": {"secretName": "secret"}}]}
    backend = {"service": {"name": "nginx", "port": {"number": 80}}}
    yield w.configmap("config")
    for name, data in (("secret", {"a": "Yg=="}), ("login", {"token": "dG9r"}), ("chat", {"address": "aHR0cDovLzEyNy4wLjAuMTox"})):
        yield {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, **meta}, "data": data}
    yield {"apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": "errors", **meta}, "spec": {
        "provider": {"type": "prometheus", "address": prometheus, "secretRef": {"name": "login"}}, "query": "errors"}}
    yield {"apiVersion": "flagger.app/v1beta1", "kind": "AlertProvider", "metadata": {"name": "chat", **meta}, "spec": {"type": "gchat", "secretRef": {"name": "chat"}}}
    yield workload(w, "istio", **config)
    yield {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "istio", **meta}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "istio"}, "maxReplicas": 2}}
    yield canary(w, "istio", provider="istio", autoscalerRef={"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "istio"}, analysis={
        "stepWeight": 50, "maxWeight": 50, "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"},
                                                       {"name": "errors", "templateRef": {"name": "errors"}, "thresholdRange": {"max": 99}}],
        "alerts": [{"name": "chat", "providerRef": {"name": "chat"}}]})
    yield workload(w, "nginx")
    yield {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "nginx", **meta}, "spec": {
        "ingressClassName": "nginx", "rules": [{"host": "h", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}}
    yield scaled(w, "nginx")
    yield canary(w, "nginx", provider="nginx", ingressRef={"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "nginx"}, revertOnDeletion=True,
                 autoscalerRef={"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "nginx"})
    yield workload(w, "gateway")
    yield canary(w, "gateway", provider="gatewayapi:v1", service={"port": 80, "gatewayRefs": [{"name": "gate"}]})
    yield workload(w, "split")
    yield canary(w, "split", provider="smi:v1alpha1")
    yield from more_routes(w)
    yield workload(w, "agent", "DaemonSet")
    yield canary(w, "agent", "DaemonSet", provider="kubernetes", analysis={"iterations": 1})
    yield w.service("backend")
    yield canary(w, "backend", "Service", provider="istio")


def more_routes(w):
    """Those of which there is little to say but their name."""
    meta = {"namespace": w.ns}
    for provider in ("contour", "traefik", "gloo", "appmesh:v1beta2", "kuma", "apisix", "skipper"):
        name = provider.split(":")[0]
        refs = {"gloo": {"upstreamRef": {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "name": "config", "namespace": w.ns}},
                "apisix": {"routeRef": {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "name": "apisix"}},
                "skipper": {"ingressRef": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "skipper"}}}.get(name, {})
        yield workload(w, name)
        yield canary(w, name, provider=provider, revertOnDeletion=name in ("kuma", "skipper"), service={"port": 80, "meshName": "mesh"}, **refs)
    yield {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"name": "config", **meta}, "spec": {"loadBalancerConfig": {"roundRobin": {}}}}
    yield {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "metadata": {"name": "apisix", **meta}, "spec": {"http": [
        {"name": "m", "match": {"hosts": ["h"], "paths": ["/*"]}, "backends": [{"serviceName": "apisix", "servicePort": 80}]}]}}
    yield {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "skipper", "annotations": {"a": "b"}, **meta}, "spec": {"rules": [
        {"host": "s", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "skipper", "port": {"number": 80}}}}]}}]}}
    for name in ("one", "two"):
        yield {"apiVersion": "serving.knative.dev/v1", "kind": "Revision", "metadata": {"name": name, **meta}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    yield {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "knative", **meta}, "spec": {}}
    yield canary(w, "knative", "Service@knative", provider="knative")


def kind_of(document):
    """As KINDS has it."""
    return document["kind"] + ("@knative" if document["apiVersion"].startswith("serving.knative.dev") else "")


def begin(w, prometheus):
    for document in load("crds.yaml"):
        apply(w, document)
    for kind in DEFINED:
        define(w, kind)
    for kind in (*DEFINED, "Canary", "MetricTemplate", "AlertProvider"):
        wait(lambda kind=kind: w.cluster.ask("GET", w.cluster.path(kind)), kind + " to be served")
    for document in load("canary.yaml"):
        if document["kind"] != "Deployment":
            apply(w, document)
    w.cluster.create("Namespace", w.namespace())
    for document in world(w, prometheus):
        made = w.cluster.create(kind_of(document), document, w.ns)
        if kind_of(document) == "Revision@knative":
            w.cluster.patch("Revision@knative", made["metadata"]["name"], w.ns, json.dumps({"status": document["status"]}), sub="/status")


def start(w, prometheus):
    """serin canary with the flags of the manifest and the token of its ServiceAccount."""
    token = w.cluster.ask("POST", "/api/v1/namespaces/serin/serviceaccounts/serin-canary/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})["status"]["token"]
    with open(w.path("kubeconfig")) as source:
        config = yaml.safe_load(source)
    config["users"][0]["user"] = {"token": token}
    with open(w.path("kubeconfig-pod"), "w") as out:
        yaml.safe_dump(config, out)
    port = free_port()
    given = [one for one in pod_of(load("canary.yaml"))[1]["args"] if not one.startswith("-metrics-server")]
    command = [w.options.serin, *given, f"-port={port}", f"-metrics-server={prometheus}", "-kubeconfig=" + w.path("kubeconfig-pod")]
    w.starts += 1
    w.serin_process = Process(command, w.path(f"serin{w.starts}.log"), env=w.environment(), cwd=w.path("home"))
    return port


def phases(w):
    return {one["metadata"]["name"]: (one.get("status") or {}).get("phase") for one in w.cluster.list("Canary", w.ns)}


def all_are(w, phase):
    found = phases(w)
    return expect(found, {name: phase for name in found}, "phases") is None


def accept_routes(w, revision="one"):
    """What a gateway says of its HTTPRoutes, and Knative of its Service."""
    traffic = w.cluster.get("Service@knative", "knative", w.ns)["spec"].get("traffic", [])
    w.cluster.patch("Service@knative", "knative", w.ns, json.dumps({"status": {"latestCreatedRevisionName": revision, "traffic": [
        {"revisionName": revision, **one} for one in traffic]}}), sub="/status")
    for one in w.cluster.list("HTTPRoute", w.ns):
        w.cluster.patch("HTTPRoute", one["metadata"]["name"], w.ns, json.dumps({"status": {"parents": [{
            "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gate"}, "controllerName": "e2e/e2e",
            "conditions": [{"type": "Accepted", "status": "True", "observedGeneration": one["metadata"]["generation"]}]}]}}), sub="/status")
    return True


def change_all(w):
    deployments = [one["spec"]["targetRef"]["name"] for one in w.cluster.list("Canary", w.ns) if one["spec"]["targetRef"]["kind"] == "Deployment"]
    for kind, name in [("Deployment", one) for one in deployments] + [("DaemonSet", "agent")]:
        w.cluster.patch(kind, name, w.ns, json.dumps({"spec": {"template": {"metadata": {"annotations": {"revision": "two"}}}}}))
    w.cluster.patch("HorizontalPodAutoscaler", "istio", w.ns, json.dumps({"spec": {"maxReplicas": 3}}))
    w.cluster.patch("ScaledObject", "nginx", w.ns, json.dumps({"spec": {"maxReplicaCount": 3}}))
    w.cluster.patch("Service", "backend", w.ns, json.dumps({"spec": {"selector": {"app": "next"}}}))
    w.cluster.patch("DestinationRule", "istio-canary", w.ns, json.dumps({"spec": {"host": "elsewhere"}}))
    w.cluster.patch("VirtualNode@mesh", "appmesh-primary", w.ns, json.dumps({"spec": {"listeners": []}}))
    w.cluster.patch("Upstream", "config", w.ns, json.dumps({"spec": {"loadBalancerConfig": {"roundRobin": None, "random": {}}}}))


def asked(w):
    """(group, resource, verb) of what went through the proxy, and what was refused."""
    totals = json.loads(request(w.admin, "GET", "/counts?list=1")[1])
    refused = [f"{one['method']} {one['uri']}" for one in totals["list"] if one["status"] in (401, 403)]
    found = set()
    for one in totals["list"]:
        path = re.match(r"/(?:api|apis/([^/]+))/v\w+/(?:namespaces/[^/]+/)?([^/?]+)(/[^/?]+)?(/[^/?]+)?", one["uri"])
        if path:
            found.add((path.group(1) or "", path.group(2) + (path.group(4) or ""), one["kind"].split()[0]))
    return found, refused


def allowed():
    """The same, of the ClusterRole."""
    role = next(one for one in load("canary.yaml") if one["kind"] == "ClusterRole")
    return {(group, resource, verb) for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"] for verb in rule["verbs"]}


@lasts(60)
def test_serin_canary_needs_the_rights_of_its_cluster_role(w):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prometheus)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    prometheus = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        begin(w, prometheus)
        port = start(w, prometheus)
        wait(lambda: accept_routes(w) and all_are(w, "Initialized"), "all canaries to be initialized", 90)
        change_all(w)
        wait(lambda: accept_routes(w, "two") and all_are(w, "Succeeded"), "all canaries to succeed", 240)
        reverted = ("nginx", "kuma", "skipper")
        for name in reverted:
            w.cluster.delete("Canary", name, w.ns)
        wait(lambda: not set(reverted) & set(phases(w)), "the canaries with a finalizer to go", 60)
        expect(w.cluster.get("Lease", "flagger-leader-election", "serin") is not None, True, "the Lease")
        wait(lambda: any(one["source"].get("component") == "flagger" and one.get("count", 1) > 1 for one in w.cluster.list("Event", w.ns)), "Events")
        found, refused = asked(w)
        expect(refused, [], "what the API server refused")
        metrics = request(f"http://127.0.0.1:{port}", "GET", "/metrics")[1]
        expect(re.findall(r'serin_kube_requests_total\{[^}]*code="40[13]"[^}]*\}', metrics), [], "refusals in /metrics")
        shown = set(re.findall(r"^# TYPE (\w+) ", metrics, re.M))
        expect(sorted(shown - set(documented()) - set(documented(OF_CANARIES))), [], "metrics that docs/reference-metrics.md does not have")
        expect(sorted(set(documented(OF_CANARIES)) - shown - {"flagger_canary_failures_total"}), [], "metrics of canaries that are not there")
        needless = {one for one in allowed() - found - UNSEEN if one[:2] not in UNTESTED}
        w.note(f"{len(found)} rights used")
        # Objects are read that the watch has not brought yet, kinds are listed where a server streams no lists, and definitions are
        # looked at when a kind is missing: none of that is certain to happen here.
        certain = {one for one in needless if one[2] not in ("get", "list") and one[1] != "customresourcedefinitions"}
        expect(sorted(certain), [], "rights that nothing used")
    finally:
        server.shutdown()
        server.server_close()


test_serin_canary_needs_the_rights_of_its_cluster_role.wants_own_cluster = True
