"""What a push does: applied, removed, left alone, reported."""

import json
import signal

from lab import contains, expect, wait


def begin(w, *objects, **more):
    """The first commit: the test's namespace and objects; serin runs and has synced it."""
    w.commit({"ns.yaml": w.namespace(), "all.yaml": list(objects) or [w.configmap("a")]})
    w.serin(**more)
    w.synced()


def test_a_push_is_in_the_cluster_and_a_removed_file_goes(w):
    begin(w)
    expect(w.data("a"), {"key": "one"}, "data after the first sync")
    w.commit({"all.yaml": [w.configmap("a", {"key": "two"}), w.configmap("b")]})
    w.note(f"changed {w.wait_data('a', {'key': 'two'}):.1f} s after the push")
    w.wait_data("b", {"key": "one"})
    w.commit({"c.yaml": w.configmap("c")})
    w.wait_data("c", {"key": "one"})
    w.commit(remove=["c.yaml"])
    w.note(f"removed {w.wait_data('c', None):.1f} s after the push")
    expect(w.data("b"), {"key": "one"}, "an object of another file")


def test_a_field_removed_from_git_goes_from_the_object(w):
    begin(w, w.configmap("a", {"b": "2", "x": "1"}, labels={"team": "blue"}))
    w.commit({"all.yaml": w.configmap("a", {"x": "1"})})
    w.wait_data("a", {"x": "1"})
    expect("team" in w.get("ConfigMap", "a")["metadata"]["labels"], False, "a label that git no longer has")


def test_an_object_moved_to_another_file_stays_the_same_object(w):
    begin(w)
    before = w.get("ConfigMap", "a")["metadata"]["uid"]
    w.commit({"other.yaml": w.configmap("a")}, remove=["all.yaml"])
    w.synced()
    w.settle()
    expect(w.get("ConfigMap", "a")["metadata"]["uid"], before, "uid after the move")


def test_crds_and_namespaces_come_before_what_needs_them(w):
    crd = w.crd("widgets", "Widget")
    group = crd["spec"]["group"]
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one", "namespace": w.ns}, "spec": {"size": 3}}
    # Names in the order of a naive reader: what needs comes before what is needed.
    w.commit({"a-widget.yaml": widget, "b-map.yaml": w.configmap("a"), "y-crd.yaml": crd, "z-ns.yaml": w.namespace()})
    w.serin()
    w.synced()
    expect(w.get("Widget@" + w.ns, "one")["spec"], {"size": 3}, "a custom resource of the same commit as its kind")
    expect(w.held(), ({}, []), "what is held up")


def test_a_kind_that_learns_a_field_in_the_commit_that_uses_it(w):
    crd = w.crd("gadgets", "Gadget")
    gadget = {"apiVersion": crd["spec"]["group"] + "/v1", "kind": "Gadget", "metadata": {"name": "one", "namespace": w.ns}, "spec": {"a": "1"}}
    begin(w, crd, gadget)
    # API servers go by the older definition for a moment; this one does for one request.
    w.arm("fault", {"status": 500, "message": "failed to create typed patch object: .spec.b: field not declared in schema"},
          verbs=["apply"], path="/gadgets/", count=1)
    crd["metadata"]["labels"] = {"version": "2"}
    gadget["spec"]["b"] = "2"
    w.commit({"all.yaml": [crd, gadget]})
    wait(lambda: w.get("Gadget@" + w.ns, "one")["spec"] == {"a": "1", "b": "2"}, "the new field")
    expect(w.hits("fault"), 1, "refusals")


def test_without_garbage_collection_nothing_is_deleted(w):
    w.commit({"ns.yaml": w.namespace(), "a.yaml": w.configmap("a"), "b.yaml": w.configmap("b")})
    w.serin("--sync-garbage-collection=false")
    w.synced()
    w.commit({"b.yaml": w.configmap("b", {"key": "two"})}, remove=["a.yaml"])
    w.wait_data("b", {"key": "two"})
    w.synced()
    expect(w.data("a"), {"key": "one"}, "an object whose file was removed")


def test_an_empty_tree_prunes_nothing_unless_told(w):
    begin(w)
    w.commit({"README.md": "nothing here\n"}, remove=["ns.yaml", "all.yaml"])
    w.synced()
    w.settle()
    expect(w.data("a"), {"key": "one"}, "the object after a commit without manifests")
    contains(w.log() + json.dumps(w.status()), "prune", "why nothing was deleted")
    w.stop()
    w.serin("--sync-prune-all")
    w.wait_data("a", None)


def test_the_ignore_annotation_is_obeyed_in_git_and_in_the_cluster(w):
    ignored = w.configmap("in-git", annotations={"fluxcd.io/ignore": "true"})
    kept = w.configmap("sync-only", annotations={"fluxcd.io/ignore": "sync_only"})
    begin(w, ignored, kept, w.configmap("live"))
    expect(w.data("in-git"), None, "an object that says ignore in git")
    w.cluster.patch("ConfigMap", "live", w.ns, {"metadata": {"annotations": {"fluxcd.io/ignore": "true"}}})
    w.settle()
    w.commit({"all.yaml": [ignored, w.configmap("live", {"key": "two"})]})
    w.synced()
    w.settle()
    expect(w.data("live"), {"key": "one"}, "an object that says ignore in the cluster")
    expect(w.data("sync-only"), {"key": "one"}, "an object that says sync_only, removed from git")


def test_replicas_belong_to_the_autoscaler(w):
    autoscaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web", "namespace": w.ns},
                  "spec": {"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}
    begin(w, w.deployment("web", replicas=1), autoscaler, w.deployment("fixed", replicas=1))
    for name in ("web", "fixed"):
        w.cluster.patch("Deployment", name, w.ns, {"spec": {"replicas": 3}}, sub="/scale")
    wait(lambda: w.get("Deployment", "fixed")["spec"]["replicas"] == 1, "replicas of the one without autoscaler to heal")
    w.settle()
    expect(w.get("Deployment", "web")["spec"]["replicas"], 3, "replicas of the one with an autoscaler")
    w.commit({"all.yaml": [w.deployment("web", "app:2", replicas=1), autoscaler, w.deployment("fixed", replicas=1)]})
    wait(lambda: w.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == "app:2", "the new image")
    expect(w.get("Deployment", "web")["spec"]["replicas"], 3, "replicas after a commit")


def test_a_signal_and_the_api_sync_at_once(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin("--git-poll-interval=1h")
    w.synced()
    w.commit({"all.yaml": w.configmap("a", {"key": "two"})})
    w.serin_process.child.send_signal(signal.SIGHUP)
    w.wait_data("a", {"key": "two"})
    w.commit({"all.yaml": w.configmap("a", {"key": "three"})})
    code, out, err = w.cli("sync")
    expect(code, 0, f"exit status of serin sync ({out}{err})")
    expect(w.data("a"), {"key": "three"}, "data after serin sync")


def test_only_allowed_namespaces_are_touched(w):
    other = w.ns + "-other"
    w.cluster.create("Namespace", w.namespace())
    w.cluster.create("Namespace", w.namespace(other))
    foreign = w.configmap("foreign")
    foreign["metadata"]["namespace"] = other
    w.commit({"all.yaml": [w.configmap("a"), foreign]})
    w.serin(f"--k8s-allow-namespace={w.ns}")
    w.synced()
    expect(w.data("a"), {"key": "one"}, "an object in the namespace")
    expect(w.get("ConfigMap", "foreign", other), None, "an object in another")


def test_read_only_pushes_nothing_and_keeps_its_marker_in_the_cluster(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    refs = w.git("for-each-ref", cwd=w.repository)
    w.serin(*w.deploy_secret())
    w.wait_data("a", {"key": "one"})
    wait(lambda: w.head() in json.dumps(w.cluster.get("Secret", w.ns, "default")), "the marker on the Secret")
    w.settle()
    expect(w.git("for-each-ref", cwd=w.repository), refs, "refs of the repository")


def test_a_sync_leaves_a_tag_a_note_and_an_event(w):
    begin(w, w.configmap("a"), w.service("bad", port=99999))
    wait(lambda: w.marker() == w.head(), "the sync tag")
    note = wait(lambda: w.git("notes", "--ref=serin", "show", w.head(), cwd=w.repository, check=False).stdout, "the note")
    contains(note, "bad", "the note names what failed")
    warned = wait(lambda: [one for one in w.cluster.list("Event", w.ns) if one["involvedObject"]["name"] == "bad" and one["type"] == "Warning"],
                  "an Event on the object that was refused")
    contains(warned[0]["message"], "99999", "the Event says why")


def test_status_why_and_diff_tell_what_holds_up_a_commit(w):
    begin(w, w.configmap("a"), w.configmap("b"), w.service("bad", port=99999))
    held, problems = w.held()
    expect((sorted(held), problems), ([f"{w.ns}:service/bad"], []), "what is held up")
    code, out, err = w.cli("why", w.head()[:8])
    contains(out + err, "service/bad", "serin why names the object")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": w.ns}, "stringData": {"password": "hunter2"}}
    w.write({"all.yaml": [w.configmap("a", {"key": "two"})], "secret.yaml": secret})
    code, out, err = w.cli("diff", ".")
    contains(out, "configmap/a", "serin diff names the object that would change")
    contains(out, "two", "serin diff shows the new value")
    expect("hunter2" in out + err or "aHVudGVyMg" in out + err, False, "serin diff shows a Secret's value")
    expect(w.data("a"), {"key": "one"}, "data after serin diff")
    expect(w.get("Secret", "s"), None, "the Secret after serin diff")
    w.write({"ns.yaml": ""})
    code, out, err = w.cli("diff", "--sync-garbage-collection", "--git-url=" + w.url, ".")
    contains(out, "configmap/b: deleted", "serin diff names what would go")
    contains(out, f"namespace/{w.ns}: skipped.*live in this namespace", "serin diff on what a sync would leave")


def test_lint_names_file_line_and_column(w):
    w.write({"good.yaml": w.configmap("a"), "bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n"})
    code, out, err = w.cli("lint", ".")
    expect(code != 0, True, "lint of a broken file fails")
    contains(out + err, r"bad\.yaml:\d+:\d+: ", "lint says where")
    expect("good.yaml" in out + err, False, "lint speaks of a good file")


def test_a_restart_changes_nothing(w):
    begin(w, w.configmap("a"), w.deployment("web"), w.service("web"))
    w.settle()
    versions = {kind: w.get(kind, name)["metadata"]["resourceVersion"] for kind, name in (("ConfigMap", "a"), ("Service", "web"))}
    w.stop()
    w.serin()
    w.synced()
    w.settle()
    now = {kind: w.get(kind, name)["metadata"]["resourceVersion"] for kind, name in (("ConfigMap", "a"), ("Service", "web"))}
    expect(now, versions, "resource versions after a restart")


def test_two_paths_of_a_repository_and_a_change_of_paths(w):
    w.commit({"one/ns.yaml": w.namespace(), "one/a.yaml": w.configmap("a"), "two/b.yaml": w.configmap("b"), "three/c.yaml": w.configmap("c")})
    w.serin("--git-path=one,two")
    w.synced()
    expect([w.data(name) is not None for name in "abc"], [True, True, False], "which of a, b, c are there")
    w.stop()
    w.serin("--git-path=one,two,three")
    w.wait_data("c", {"key": "one"})
    w.settle()
    expect([w.data(name) is not None for name in "abc"], [True, True, True], "which of a, b, c are there after the change")


def test_one_leader_acts_at_a_time(w):
    w.cluster.create("Namespace", w.namespace(w.ns + "-lease"))
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    elect = ["--leader-elect", f"--leader-elect-namespace={w.ns}-lease"]
    w.serin(*elect)
    w.synced()
    lease = wait(lambda: w.cluster.list("Lease", w.ns + "-lease"), "the Lease")[0]
    expect(bool(lease["spec"]["holderIdentity"]), True, "the Lease has a holder")
    first = w.serin_process
    w.stop()
    expect(first.running, False, "the first is gone")
    w.commit({"all.yaml": w.configmap("a", {"key": "two"})})
    w.serin(*elect)
    w.wait_data("a", {"key": "two"})
