"""What kubectl or Flux v1 applied before becomes serin's, with the ability to remove a field."""

import json
import subprocess

from lab import expect, wait

LAST = "kubectl.kubernetes.io/last-applied-configuration"


def kubectl_apply(w, *objects, server_side=False):
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    words = ["kubectl", "--kubeconfig", w.options.kubeconfig, "apply", *(["--server-side"] if server_side else []), "-f", "-"]
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    expect(done.returncode, 0, f"kubectl apply: {done.stderr}")


def managers(found):
    return sorted({(one["manager"], one["operation"]) for one in found["metadata"]["managedFields"]})


def test_fields_that_kubectl_applied_and_git_does_not_have_go(w):
    before = w.deployment("web", replicas=1, minReadySeconds=7)
    kubectl_apply(w, w.namespace(), w.configmap("a", {"a": "1", "b": "2", "c": "3"}), before)
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"d": "4"}})
    w.commit({"ns.yaml": w.namespace(), "all.yaml": [w.configmap("a", {"a": "1", "c": "5"}), w.deployment("web", replicas=1)]})
    w.serin()
    w.synced()
    w.wait_data("a", {"a": "1", "c": "5", "d": "4"})
    found = w.get("ConfigMap", "a")
    expect(LAST in found["metadata"].get("annotations", {}), False, "kubectl's annotation is still there")
    expect(("serin", "Apply") in managers(found) and ("kubectl-client-side-apply", "Update") not in managers(found), True,
           f"managers {managers(found)}")
    expect("minReadySeconds" in w.get("Deployment", "web")["spec"], False, "a field of the workload that git does not have")


def test_taking_over_what_is_as_declared_changes_no_value(w):
    kubectl_apply(w, w.namespace(), w.deployment("web", replicas=1))
    wait(lambda: w.get("Deployment", "web").get("status", {}).get("readyReplicas") == 1, "the pod")
    spec = w.get("Deployment", "web")["spec"]
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.deployment("web", replicas=1)})
    w.serin()
    w.synced()
    expect(w.get("Deployment", "web")["spec"], spec, "spec after the takeover")  # its generation counts annotations too


def test_replicas_that_kubectl_applied_stay_as_the_autoscaler_has_them(w):
    scaler = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web", "namespace": w.ns},
              "spec": {"minReplicas": 1, "maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}
    kubectl_apply(w, w.namespace(), w.deployment("web", replicas=3))
    w.commit({"ns.yaml": w.namespace(), "all.yaml": [w.deployment("web"), scaler]})
    _, out, _ = w.cli("diff", ".")
    expect([line for line in out.splitlines() if ".replicas" in line], [], "replicas in what serin diff foretells")
    w.serin()
    w.synced()
    expect(w.get("Deployment", "web")["spec"]["replicas"], 3, "replicas after the takeover")
    for image, replicas in (("app:2", 3), ("app:3", 4)):
        w.cluster.patch("Deployment", "web", w.ns, {"spec": {"replicas": replicas}}, sub="/scale")
        w.commit({"all.yaml": [w.deployment("web", image), scaler]})
        wait(lambda: w.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == image, "the new image")
        expect(w.get("Deployment", "web")["spec"]["replicas"], replicas, "replicas after a commit")


def test_kubectl_apply_of_a_user_is_healed_and_taken_over_again(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a", {"x": "1"})})
    w.serin()
    w.synced()
    w.settle()
    kubectl_apply(w, w.configmap("a", {"x": "2", "z": "2"}))
    wait(lambda: w.data("a")["x"] == "1", "the value to heal")
    w.commit({"all.yaml": w.configmap("a", {"x": "3"})})
    wait(lambda: w.data("a")["x"] == "3", "the next commit")


def test_what_another_manager_applied_with_force_is_won_back(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a", {"x": "1"})})
    w.serin()
    w.synced()
    w.settle()
    w.cluster.ask("PATCH", w.cluster.path("ConfigMap", "a", w.ns) + "?fieldManager=other&force=true", w.configmap("a", {"x": "7"}),
                  "application/apply-patch+yaml")
    w.wait_data("a", {"x": "1"})
