"""Bad input: one clear message, and everything else goes on."""

import json
import os

from lab import KINDS, contains, expect, lasts, wait
from test_sync import begin


def good_goes_on(w, *places):
    """After a commit with something bad in it: the good file is applied, and status says where the bad one is."""
    w.synced()
    w.wait_data("good", {"key": "two"})
    held, problems = w.held()
    told = "\n".join(problems) + "\n" + "\n".join(f"{one}: {text}" for one, text in held.items())
    for place in places:
        contains(told, place, "what status says")
    expect(w.serin_process.running, True, "serin runs")
    return told


def with_bad(w, files, **more):
    """A good first commit, then one that changes the good object and adds bad files."""
    w.commit({"ns.yaml": w.namespace(), "good.yaml": w.configmap("good")})
    w.serin(**more)
    w.synced()
    w.commit({"good.yaml": w.configmap("good", {"key": "two"}), **files})


def test_broken_yaml_stops_only_its_file(w):
    with_bad(w, {"bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n data: {\n"})
    good_goes_on(w, r"bad\.yaml:\d+:")


def test_nothing_is_deleted_while_a_file_cannot_be_read(w):
    begin(w, w.configmap("a"))
    w.commit({"all.yaml": "kind: [\n", "b.yaml": w.configmap("b")})
    w.wait_data("b", {"key": "one"})
    w.synced()
    w.settle()
    expect(w.data("a"), {"key": "one"}, "an object of the file that broke")
    w.commit({"all.yaml": w.configmap("other")})
    w.wait_data("a", None)


def test_duplicate_objects_are_reported_with_both_places(w):
    with_bad(w, {"one.yaml": w.configmap("twin", {"from": "one"}), "two.yaml": w.configmap("twin", {"from": "two"})})
    told = good_goes_on(w, "twin")
    contains(told, r"one\.yaml|two\.yaml", "the places of the duplicate")


def test_an_unknown_kind_waits_for_its_crd(w):
    crd = w.crd("gizmos", "Gizmo")
    gizmo = {"apiVersion": crd["spec"]["group"] + "/v1", "kind": "Gizmo", "metadata": {"name": "one", "namespace": w.ns}}
    with_bad(w, {"gizmo.yaml": gizmo})
    good_goes_on(w, "gizmo")
    w.cluster.create("CustomResourceDefinition", crd)
    wait(lambda: w.get("Gizmo@" + w.ns, "one"), "the object, once its kind exists")


def test_an_alias_bomb_is_refused(w):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with_bad(w, {"bomb.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n" + "\n".join(lines) + "\n"})
    good_goes_on(w, r"bomb\.yaml")


def test_a_hundred_thousand_brackets_are_refused(w):
    with_bad(w, {"deep.yaml": "[" * 100_000, "deep2.yaml": "a: " + "[" * 100_000 + "]" * 100_000,
                 "deep3.yaml": "- " * 100_000 + "x\n", "deep4.yaml": "{a: " * 50_000})
    good_goes_on(w, r"deep\.yaml", r"deep2\.yaml", r"deep3\.yaml", r"deep4\.yaml")


def test_a_fifty_megabyte_scalar_is_refused(w):
    with_bad(w, {"big.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata:\n  a: " + "x" * 50_000_000 + "\n"})
    good_goes_on(w, r"big\.yaml")
    w.note(f"resident {w.serin_process.rss_kib('VmHWM') // 1024} MiB at most")


def test_a_symlink_out_of_the_tree_is_not_followed(w):
    outside = w.path("outside.yaml")
    with open(outside, "w") as out:
        out.write(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: outside, namespace: {w.ns}}}\n")
    w.write({"inner/real.yaml": w.configmap("real")})
    os.symlink(outside, os.path.join(w.work, "absolute.yaml"))
    os.symlink("../../outside.yaml", os.path.join(w.work, "relative.yaml"))
    os.symlink(os.path.dirname(outside), os.path.join(w.work, "folder"))
    with_bad(w, {})
    w.synced()
    w.wait_data("real", {"key": "one"})
    w.settle()
    expect(w.data("outside"), None, "an object outside of the tree")


def test_what_a_symlink_leads_to_is_followed_when_it_changes(w):
    w.write({"ns.yaml": w.namespace(), "shared/real": w.configmap("linked")})
    os.symlink("shared/real", os.path.join(w.work, "link.yaml"))
    w.commit({"README.md": "a link\n"})
    w.serin()
    w.wait_data("linked", {"key": "one"})
    w.commit({"shared/real": w.configmap("linked", {"key": "two"})})
    w.wait_data("linked", {"key": "two"})
    w.commit(remove=["shared/real"])
    w.synced()
    wait(lambda: "link.yaml" in json.dumps(w.status()), "the link that leads nowhere to be told of")
    expect(w.data("linked"), {"key": "two"}, "what the link declared before")
    w.commit({"shared/real": w.configmap("linked", {"key": "three"})})
    w.wait_data("linked", {"key": "three"})


def test_dots_in_a_path_lead_nowhere(w):
    secret = w.git("hash-object", "-w", "--stdin", data=f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: dots, namespace: {w.ns}}}\n")
    w.commit({"ns.yaml": w.namespace(), "good.yaml": w.configmap("good", {"key": "two"})})
    # A tree as no git makes it: an entry named "..", with a file in it.
    inner = bytes.fromhex(secret)
    tree = w.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=b"100644 dots.yaml\0" + inner).strip().decode()
    listed = [one.split(None, 3) for one in w.git("ls-tree", "HEAD").splitlines()]
    raw = b"40000 ..\0" + bytes.fromhex(tree) + b"".join(
        mode.lstrip("0").encode() + b" " + name.encode() + b"\0" + bytes.fromhex(sha) for mode, _, sha, name in listed)
    root = w.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=raw).strip().decode()
    bad = w.git("commit-tree", root, "-p", "HEAD", "-m", "dots")
    w.git("push", "-q", "origin", f"{bad}:refs/heads/{w.branch}")
    w.serin()
    wait(lambda: w.data("good") or w.status()["sync"]["error"] or w.status()["git"]["error"], "serin to look at the tree")
    w.settle()
    expect(w.data("dots"), None, "an object of a file below ..")
    expect(w.serin_process.running, True, "serin runs")
    w.stop()
    process = w.serin("--git-path=../outside", ready=False)
    wait(lambda: not process.running or w.status()["git"]["error"] or w.status()["sync"]["error"] or w.status()["problems"],
         "serin to say what it thinks of --git-path=../outside")
    w.stop(expected=None)


def test_names_with_newlines_are_reported(w):
    files = {"line\nbreak.yaml": w.configmap("odd-file"), "name.yaml": w.configmap("new\nline"),
             "ns.in.yaml": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "new\nline"}}}
    with_bad(w, files)
    w.synced()
    w.wait_data("good", {"key": "two"})
    w.wait_data("odd-file", {"key": "one"})
    held, problems = w.held()
    expect(len(held) + len(problems) >= 2, True, f"both objects are reported: {held} {problems}")
    for line in w.log().splitlines():
        expect(line.startswith(("line", "break", "new", "ine")), False, f"a log line broken in two: {line!r}")


def test_a_file_that_is_not_utf_8_is_refused(w):
    with_bad(w, {"latin.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: latin}\ndata: {a: caf\xe9}\n",
                 "zero.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: zero}\ndata: {a: \"\0\"}\n"})
    good_goes_on(w, r"latin\.yaml:\d+", r"zero\.yaml")


def test_an_object_that_the_server_rejects_is_reported_on_it(w):
    typo = w.deployment("typo")
    typo["spec"]["replica"] = 1
    with_bad(w, {"typo.yaml": typo, "port.yaml": w.service("port", port=99999), "missing.yaml": {**w.configmap("lost"), "metadata": {
        "name": "lost", "namespace": w.ns + "-nowhere"}}})
    told = good_goes_on(w, r"deployment/typo", r"\.spec\.replica\b", r"service/port", r"configmap/lost")
    contains(told, "nowhere", "the namespace that is missing is named")
    w.settle()
    w.counts(reset=True)
    w.settle(3)
    asked = {kind: n for kind, n in w.counts()["asked"].items() if kind in ("apply deployments.apps", "apply services")}
    expect(asked, {}, "a manifest that is wrong is not sent again")
    w.cluster.create("Namespace", w.namespace(w.ns + "-nowhere"))
    wait(lambda: w.get("ConfigMap", "lost", w.ns + "-nowhere"), "the object, once its namespace exists")


def test_an_object_over_a_megabyte_is_reported(w):
    with_bad(w, {"big.yaml": w.configmap("big", {"a": "x" * 1_200_000}), "bigger.yaml": w.configmap("bigger", {"a": "x" * 3_500_000})})
    good_goes_on(w, "configmap/big", r"configmap/bigger|bigger\.yaml")


@lasts(33)
def test_a_crd_that_is_never_established_holds_up_only_its_objects(w):
    taken = w.crd("widgets", "Widget")
    group = taken["spec"]["group"]
    w.cluster.create("CustomResourceDefinition", taken)
    rival = w.crd("rivals", "Widget")  # the same kind in the same group: its name is never accepted
    rival["spec"]["names"].update(plural="rivals", singular="rival", listKind="RivalList")
    KINDS["Rival@" + w.ns] = (f"/apis/{group}/v1", "rivals", True)
    fine = w.crd("fines", "Fine")
    with_bad(w, {"crd.yaml": [rival, fine], "objects.yaml": [
        {"apiVersion": group + "/v1", "kind": "Fine", "metadata": {"name": "one", "namespace": w.ns}}]})
    good_goes_on(w)
    wait(lambda: w.get("Fine@" + w.ns, "one"), "an object of the kind that is established")


def test_drift_heals_while_a_crd_is_waited_for(w):
    taken = w.crd("widgets", "Widget")
    w.cluster.create("CustomResourceDefinition", taken)
    rival = w.crd("rivals", "Widget")
    rival["spec"]["names"].update(plural="rivals", singular="rival", listKind="RivalList")
    fine = w.crd("fines", "Fine")
    begin(w, w.configmap("a"))
    w.commit({"crd.yaml": [rival, fine], "objects.yaml": [
        {"apiVersion": taken["spec"]["group"] + "/v1", "kind": "Fine", "metadata": {"name": "one", "namespace": w.ns}}]})
    wait(lambda: w.cluster.get("CustomResourceDefinition", rival["metadata"]["name"]), "the CRD that is never established")
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"key": "nine"}})
    w.note(f"healed after {w.wait_data('a', {'key': 'one'}, 10):.1f} s")
    expect(w.get("Fine@" + w.ns, "one"), None, "what waits for the CRDs")
    wait(lambda: "drift healed" in w.log(), "the log to tell of it")


@lasts(20)
def test_a_namespace_stuck_in_deletion_is_waited_for(w):
    begin(w, w.configmap("a"))
    stuck = w.configmap("stuck", finalizers=["example.com/never"])
    w.cluster.create("ConfigMap", stuck, w.ns)
    w.cluster.delete("Namespace", w.ns)
    wait(lambda: w.cluster.get("Namespace", w.ns)["metadata"].get("deletionTimestamp"), "the deletion to begin")
    w.commit({"all.yaml": [w.configmap("a", {"key": "two"})], "other.yaml": [w.namespace(w.ns + "-b")]})
    wait(lambda: w.cluster.get("Namespace", w.ns + "-b"), "what is not in that namespace")
    w.synced()
    wait(lambda: w.held()[0], "status to tell of it")
    w.cluster.patch("ConfigMap", "stuck", w.ns, {"metadata": {"finalizers": None}})
    w.wait_data("a", {"key": "two"}, 90)
    if f'drift healed" resource=<cluster>:namespace/{w.ns}\n' in w.log():
        contains(w.log(), f'drift healed" resource={w.ns}:configmap/a\n', "what is in the namespace comes back with it, not with a later try")


@lasts(45)
def test_ten_thousand_objects(w):
    files = {"ns.yaml": w.namespace()}
    for part in range(20):
        files[f"part{part}.yaml"] = "".join(
            f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{part * 500 + n}, namespace: {w.ns}}}\ndata: {{key: one}}\n" for n in range(500))
    w.commit(files)
    w.serin("--sync-timeout=5m")
    w.note(f"synced in {w.synced(timeout=300):.0f} s")
    expect(len(w.cluster.list("ConfigMap", w.ns, "fluxcd.io/sync-gc-mark")), 10_000, "objects in the cluster")
    w.note(f"resident {w.serin_process.rss_kib() // 1024} MiB")
    w.settle()
    w.counts(reset=True)
    w.commit({"part3.yaml": files["part3.yaml"].replace("name: m1500,", "name: m1500, labels: {a: b},")})
    w.note(f"one more changed in {w.synced(timeout=120):.1f} s")
    w.settle()
    expect(w.counts()["asked"], {"apply configmaps": 1}, "requests for one object of ten thousand")


test_ten_thousand_objects.wants_own_cluster = True  # in a shared one every other serin would see them, too
