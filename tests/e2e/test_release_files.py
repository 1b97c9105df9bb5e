"""Files of every kind that people write: a release changes the image and not one byte more."""

import json
import os
import re

from lab import contains, expect
from releases import Releases

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {ns}}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: main
        {image}
"""


def bytes_of(r, path):
    return r.bare("cat-file", "blob", f"{r.head()}:{path}", check=False, data=b"").stdout


def only_the_tag_changes(w, text, path="web.yaml", **more):
    """The whole file, byte by byte, is what it was with 1.1 for 1.0."""
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    before = text(r)
    before = before if isinstance(before, bytes) else before.encode()
    r.begin({path: before}, *more.get("flags", ()))
    expect(before.count(b":1.0"), 1, "places with the tag")
    r.released()
    after = bytes_of(r, path)
    expect(after, before.replace(b":1.0", b":1.1"), "the file")
    r.wait_live("1.1")
    return r


def test_each_style_of_a_scalar(w):
    """Plain, in single and double quotes, folded, literal, with a tag, an escape and a comment: one file each, one workload each."""
    styles = {"plain": "image: {}", "single": "image: '{}'", "double": 'image: "{}"', "comment": "image:   {}     # it's the \"image\"",
              "tagged": "image: !!str {}", "next": "image:\n          {}", "folded": "image: >-\n          {}", "literal": "image: |-\n          {}",
              "escaped": 'image: "\\x31{}"', "quoted-key": '"image": {}', "complex": "? image\n        : {}"}
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    files = {}
    for name, style in styles.items():
        image = r.image()
        text = style.format(image[1:] if name == "escaped" else image)
        files[f"{name}.yaml"] = DEPLOYMENT.format(ns=w.ns, image=text).replace("name: web,", f"name: {name},").replace("app: web", f"app: {name}")
    r.begin(files)
    code, out, err = w.cli("release", "--all", "--update-image=" + r.image(tag="1.1"))
    expect(code, 0, f"exit of release: {out}{err}")
    for name in styles:
        before, after = files[f"{name}.yaml"], bytes_of(r, f"{name}.yaml").decode()
        if name in ("escaped", "folded", "literal"):  # how the new one is spelled is free, the rest is not
            before, after = re.sub(r'image: ".*|image: [>|]-\n\s+\S+', "", before), re.sub('image: ".*|image: \\S+', "", after)
        expect(after, before.replace(":1.0", ":1.1"), f"{name}.yaml")
        expect(r.live(name), "1.1", f"tag of {name} in the cluster")


def test_crlf_stays(w):
    only_the_tag_changes(w, lambda r: r.manifest().replace("\n", "\r\n").encode())


def test_tabs_and_blanks_at_the_end_and_no_last_newline_stay(w):
    only_the_tag_changes(w, lambda r: ("\n\n# first\t\n" + r.manifest().replace("replicas: 1\n", "replicas: 1   \n\n")).rstrip("\n").encode())


def test_a_byte_order_mark_and_letters_of_all_scripts_stay(w):
    only_the_tag_changes(w, lambda r: "\ufeff# Grüße 世界 \U0001f600\n" + r.manifest(annotations={"note": "größe 𝒳"}))


def test_json_stays_json(w):
    def text(r):
        one = w.deployment("web", r.image())
        return json.dumps(one, indent="\t").replace('"replicas": ', '"replicas" :   ')
    only_the_tag_changes(w, text)


def test_a_list_of_json_on_one_line(w):
    def text(r):
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": [w.configmap("a"), w.deployment("web", r.image()), w.configmap("b")]})
    only_the_tag_changes(w, text, path="all.yaml")


def test_a_list_of_yaml_among_other_documents(w):
    def text(r):
        item = "- " + "\n  ".join(r.manifest().splitlines()[1:]) + "\n"
        return ("%YAML 1.1\n---\n# nothing\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: " + w.ns +
                "}\ndata: {x: '010', 'y': 'yes', text: \"a\\u0041\\\n  b\"}\n...\n---\napiVersion: v1\nkind: List\nitems:\n" + item + "---\n")
    only_the_tag_changes(w, text, path="all.yaml")


def test_an_anchor_keeps_its_name(w):
    """The image is an anchor that others refer to: they keep what they meant."""
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    before = DEPLOYMENT.format(ns=w.ns, image=f"image: &it {r.image()}\n        env:\n        - name: IMAGE\n          value: *it")
    r.begin({"web.yaml": before})
    r.released()
    after = before.replace("&it " + r.image(), "&it " + r.image(tag="1.1")).replace("value: *it", "value: " + r.image())
    expect(bytes_of(r, "web.yaml").decode(), after, "the file")
    r.wait_live("1.1")


def test_an_alias_is_spelled_out(w):
    """The image is named elsewhere in the document: what else uses it stays."""
    text = ("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: {ns}\n  annotations: {{was: &it {image}}}\n"
            "spec:\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n"
            "      containers:\n      - name: main\n        image: *it\n")
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    r.begin({"web.yaml": text.format(ns=w.ns, image=r.image())})
    r.released()
    expect(bytes_of(r, "web.yaml").decode(), text.format(ns=w.ns, image=r.image()).replace("image: *it", "image: " + r.image(tag="1.1")), "the file")
    r.wait_live("1.1")


def test_two_containers_and_an_init_container_of_one_image(w):
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    r.registry.add("shop/side", "1.0")
    image = r.image()
    more = (f"image: {image}\n      - {{name: second, image: \"{image}\"}}\n      - name: side\n        image: {r.image('side')}\n"
            f"      initContainers:\n      - image: '{image}'\n        name: first")
    r.begin({"web.yaml": DEPLOYMENT.format(ns=w.ns, image=more)})
    r.released()
    changed = r.changed()["web.yaml"]
    expect([(old.count(":1.0"), new) for old, new in changed], [(1, old.replace(":1.0", ":1.1")) for old, _ in changed], "lines of the commit")
    expect(len(changed), 3, f"lines of the commit: {changed}")
    code, out, _ = w.cli("list-workloads", "-n", w.ns)
    contains(out, r"side\s+\S+/side:1\.0", "the other container")


def test_other_kinds_of_workloads(w):
    pod = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "main", "image": "IMAGE"}]}}
    selector = {"matchLabels": {"app": "x"}}
    job = {"metadata": {"labels": {"app": "x"}}, "spec": {**pod["spec"], "restartPolicy": "Never"}}
    kinds = {"DaemonSet": ("apps/v1", {"selector": selector, "template": pod}),
             "StatefulSet": ("apps/v1", {"selector": selector, "serviceName": "x", "template": pod}),
             "CronJob": ("batch/v1", {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": job}}})}
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    files = {}
    for kind, (version, spec) in kinds.items():
        one = {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": w.ns}, "spec": spec}
        files[kind.lower() + ".yaml"] = json.dumps(one, indent=2).replace("IMAGE", r.image())
    r.begin(files)
    code, out, err = w.cli("release", "--all", "--update-image=" + r.image(tag="1.1"))
    expect(code, 0, f"exit of release: {out}{err}")
    for path, text in files.items():
        expect(bytes_of(r, path).decode(), text.replace(":1.0", ":1.1"), path)


def test_a_file_that_cannot_be_read_stops_nothing_else(w):
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    r.begin({"web.yaml": r.manifest()})
    w.commit({"broken.yaml": "a: [\n", "binary.yaml": b"\x00\xff\xfe\x01"})
    code, out, err = r.release()
    w.note(f"exit {code}: {(out + err).strip().splitlines()[-1][:100]}")
    expect(bytes_of(r, "broken.yaml"), b"a: [\n", "the broken file")
    expect(set(r.changed()) <= {"web.yaml"} or code == 1, True, f"files of the commit {r.changed()}")
    contains(out + err, "broken.yaml" if code else "success", "what it says")


def test_a_name_with_a_blank_and_a_link_out_of_the_repository(w):
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    outside = w.path("outside.yaml")
    with open(outside, "w") as out:
        out.write(r.manifest("evil"))
    w.write({"some dir/the wéb.yaml": r.manifest()})
    os.symlink(outside, os.path.join(w.work, "link.yaml"))
    r.begin({})
    r.released()
    r.wait_live("1.1")
    with open(outside) as now:
        expect(now.read(), r.manifest("evil"), "the file outside")
    expect(r.bare("ls-tree", "HEAD", "link.yaml").split()[0], "120000", "mode of the link")
