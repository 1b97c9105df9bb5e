"""Where images stand, besides Deployments in plain files: HelmReleases, generated manifests, parts of the repository, other namespaces."""

import json

from lab import KINDS, contains, expect, wait
from registry import DOCKER
from releases import Releases
from test_deploy import define

KINDS["HelmRelease"] = ("/apis/helm.fluxcd.io/v1", "helmreleases", True)

HELM = """\
apiVersion: helm.fluxcd.io/v1
kind: HelmRelease
metadata:
  name: web
  namespace: {ns}
  annotations:
    fluxcd.io/automated: "true"
    filter.fluxcd.io/chart-image: semver:~1
    filter.fluxcd.io/side: semver:~1
spec:
  releaseName: web
  chart: {{repository: https://charts.example.org, name: web, version: 1.0.0}}
  values:
    replicas: 1        # one is enough
    image:
      repository: {repository}   # where it is
      tag: "1.0"
    side:
      image: '{side}'
"""


def begin(w, files, *flags):
    r = Releases(w)
    for name in ("web", "side"):
        r.registry.add("shop/" + name, "1.0", "1.1")
    r.begin(files(r), *flags)
    return r


def test_a_helm_release_by_command_and_by_new_tags(w):
    define(w, "HelmRelease")
    wait(lambda: w.cluster.ask("GET", w.cluster.path("HelmRelease")), "HelmReleases to be served")
    def text(r):
        return HELM.format(ns=w.ns, repository=r.registry.address + "/shop/web", side=r.image("side"))
    r = begin(w, lambda r: {"web.yaml": text(r).replace('fluxcd.io/automated: "true"', 'fluxcd.io/automated: "false"')})
    code, out, err = w.cli("release", f"--workload={w.ns}:helmrelease/web", "--update-image=" + r.image(tag="1.1"))
    expect(code, 0, f"exit of release: {out}{err}")
    contains(out, r"chart-image: \S+/shop/web:1\.0 -> 1\.1", "the table")
    r.one_scalar('tag: "1.0"', 'tag: "1.1"')
    w.git("pull", "-q", "--rebase", "origin", w.branch)
    w.commit({"web.yaml": r.text().replace('automated: "false"', 'automated: "true"') + "\n"})
    r.wait_text("shop/side:1.1")
    r.registry.add("shop/web", "1.2")
    r.wait_text('tag: "1.2"')
    expect(r.text() + "\n", text(r).replace('tag: "1.0"', 'tag: "1.2"').replace("side:1.0", "side:1.1"), "the file")


def test_only_below_the_paths(w):
    r = begin(w, lambda r: {"apps/web.yaml": r.manifest(), "other/web.yaml": r.manifest("other", image=r.image())}, "--git-path=apps")
    code, out, err = w.cli("release", "--all", "--update-image=" + r.image(tag="1.1"))
    expect(code, 0, f"exit of release: {out}{err}")
    r.one_scalar("1.0", "1.1", "apps/web.yaml")


def test_a_namespace_that_is_not_allowed_is_not_touched(w):
    other = w.ns + "-other"
    w.cluster.create("Namespace", w.namespace(other))
    r = begin(w, lambda r: {"web.yaml": r.manifest(), "other.yaml": r.manifest("other", image=r.image()).replace("namespace: " + w.ns, "namespace: " + other)})
    one = w.deployment("other", r.image())
    one["metadata"]["namespace"] = other
    if not w.get("Deployment", "other", other):
        w.cluster.create("Deployment", one, other)
    code, out, err = w.cli("release", "-v", "--all", "--update-image=" + r.image(tag="1.1"))
    expect(code, 0, f"exit of release: {out}{err}")
    contains(out, r"other\s+skipped\s+not accessible in cluster", "the table")
    r.one_scalar("1.0", "1.1")


def test_a_workload_that_is_in_git_and_not_in_the_cluster(w):
    r = begin(w, lambda r: {"web.yaml": r.manifest(), "late.yaml": r.manifest("late", image=r.image(), annotations={"fluxcd.io/ignore": "true"})})
    code, out, err = w.cli("release", "-v", "--all", "--update-image=" + r.image(tag="1.1"))
    expect(code, 0, f"exit of release: {out}{err}")
    contains(out, r"late\s+skipped\s+(not accessible in cluster|ignore)", "the table")
    r.one_scalar("1.0", "1.1")


def test_generated_manifests_by_a_patch_file(w):
    flux = "version: 1\npatchUpdated:\n  generators:\n  - command: cat base.txt\n  patchFile: flux-patch.yaml\n"
    r = begin(w, lambda r: {".flux.yaml": flux, "base.txt": r.manifest()}, "--manifest-generation", "--git-path=.", "--sync-garbage-collection=false")
    base = r.text("base.txt")
    r.released()
    expect(r.bare("diff", "--name-only", "HEAD^", "HEAD").split(), ["flux-patch.yaml"], "files of the commit")
    expect(r.text("base.txt"), base, "what the generator reads")
    contains(r.text("flux-patch.yaml"), r"image: \S+/shop/web:1\.1", "the patch")
    r.wait_live("1.1")
    r.registry.add("shop/web", "1.2")
    r.released(tag="1.2")
    r.wait_live("1.2")


def test_generated_manifests_by_an_updater(w):
    flux = ("version: 1\ncommandUpdated:\n  generators:\n  - command: sed \"s|IMAGE|$(cat image.txt)|\" base.txt\n  updaters:\n"
            "  - containerImage:\n      command: printf '%s:%s\\n' \"$FLUX_IMG\" \"$FLUX_TAG\" > image.txt\n"
            "    policy:\n      command: echo \"$FLUX_POLICY=$FLUX_POLICY_VALUE\" >> policies.txt\n")
    r = begin(w, lambda r: {".flux.yaml": flux, "base.txt": r.manifest(image="IMAGE"), "image.txt": r.image() + "\n"}, "--manifest-generation",
              "--git-path=.", "--sync-garbage-collection=false")
    r.released()
    r.one_scalar("1.0", "1.1", "image.txt")
    r.wait_live("1.1")


def test_an_updater_that_fails_commits_nothing(w):
    flux = ("version: 1\ncommandUpdated:\n  generators:\n  - command: cat base.txt\n  updaters:\n"
            "  - containerImage:\n      command: echo no such luck >&2; echo half > half.txt; exit 3\n")
    r = begin(w, lambda r: {".flux.yaml": flux, "base.txt": r.manifest()}, "--manifest-generation", "--git-path=.", "--sync-garbage-collection=false")
    r.refused("no such luck")
    expect("half.txt" in r.bare("ls-tree", "--name-only", "HEAD"), False, "what it left behind")


def test_with_every_registry_down_list_images_and_all_images_say_so(w):
    r = begin(w, lambda r: {"web.yaml": r.manifest()})
    r.registry.stop()
    code, out, err = w.cli("list-images", "--workload=" + r.id())
    expect(code, 0, f"exit of list-images: {err}")
    contains(out, "(?i)connect|not available", "the table")
    head = r.head()
    code, out, err = w.cli("release", "-vv", "--all", "--update-all-images")
    expect((code, r.head()), (1, head), f"exit of release, the head: {out}{err}")
    code, out, err = w.cli("list-images", "--workload=" + r.id(), "-o", "json")
    expect(json.loads(out)[0]["ID"], r.id(), "images as JSON")


def test_an_image_that_is_pinned_by_its_digest(w):
    """The pin moves with the tag: what runs is what the registry has under it."""
    def digest(r, tag):
        answer = r.registry.request("HEAD", f"/v2/shop/web/manifests/{tag}", headers={"Accept": DOCKER["manifest"]})
        return answer.headers["Docker-Content-Digest"]
    r = begin(w, lambda r: {"web.yaml": r.manifest(image=f"{r.image()}@{digest(r, '1.0')}")})
    expect(digest(r, "1.0") != digest(r, "1.1"), True, "two images")
    before = r.text()
    r.released()
    expect(r.text(), before.replace(":1.0@" + digest(r, "1.0"), ":1.1@" + digest(r, "1.1")), "the file")
