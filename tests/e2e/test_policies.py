"""What the commands that change manifests leave in the repository, and say."""

import json

from lab import contains, expect, wait


def begin(w, **more):
    w.commit({"ns.yaml": w.namespace(), "web.yaml": w.deployment("web")})
    w.serin("--registry-disable-scanning", **more)
    w.synced()
    return f"{w.ns}:deployment/web"


def pulled(w, path="web.yaml"):
    """The file as the branch has it now."""
    w.git("pull", "-q", "--rebase", "origin", w.branch)
    with open(f"{w.work}/{path}") as file:
        return file.read()


def row(w, status):
    """The table of one workload."""
    wide = len(f"{w.ns}:deployment/web") + 2
    return "WORKLOAD".ljust(wide) + "STATUS   UPDATES\n" + f"{w.ns}:deployment/web".ljust(wide) + status + "  \n"


def test_a_lock_is_a_commit_that_names_who_and_why(w):
    begin(w)
    code, out, err = w.cli("lock", "-n", w.ns, "-w", "deployment/web", "-m", "until Monday", "--user", "Ann <ann@example.org>")
    expect((code, out), (0, row(w, "success")), "serin lock")
    contains(pulled(w), 'fluxcd.io/locked: ', "the manifest")
    expect(err, f"Commit pushed:\t{w.head()[:7]}\n", "what was said on stderr")
    contains(w.git("log", "-1", "--format=%B"), "until Monday", "message of the commit")
    w.synced()
    wait(lambda: "fluxcd.io/locked" in w.get("Deployment", "web")["metadata"].get("annotations", {}), "the lock in the cluster")
    code, out, err = w.cli("list-workloads", "-n", w.ns, "--no-headers")
    contains(out, "locked", "serin list-workloads")


def test_what_is_so_already_makes_no_commit(w):
    begin(w)
    expect(w.cli("automate", "-w", f"{w.ns}:deployment/web")[0], 0, "serin automate")
    pulled(w)
    head = w.head()
    expect(w.cli("automate", "-w", f"{w.ns}:deployment/web"), (0, row(w, "skipped"), ""), "serin automate, again")
    pulled(w)
    expect(w.head(), head, "the head")


def test_several_policies_are_one_commit_and_one_value(w):
    begin(w)
    before = w.head()
    code, out, err = w.cli("policy", "-n", w.ns, "-w", "deployment/web", "--automate", "--lock", "--tag", "main=semver:>=1.2", "-o", "json")
    expect(code, 0, "serin policy")
    said = json.loads(out)
    contains(pulled(w), "fluxcd.io/tag.main: semver:>=1.2", "the manifest")
    expect(w.git("rev-list", "--count", f"{before}..HEAD"), "1", "commits")
    expect((said["status"], said["revision"], list(said["result"])), ("succeeded", w.head(), [f"{w.ns}:deployment/web"]), "the value on stdout")


def test_what_cannot_be_done_is_said_and_is_1(w):
    begin(w)
    code, out, err = w.cli("policy", "-n", w.ns, "-w", "deployment/web", "--tag", "main=regexp:(")
    expect((code, out), (1, ""), "a pattern that is none")
    contains(err, 'Error: invalid tag pattern: "regexp:\\("', "what was said")
    code, out, err = w.cli("release", "-n", w.ns, "--all", "--update-image", "app:2")
    expect((code, out), (1, ""), "an image that nobody knows")
    contains(err, "^Submitting release ...\nError: ", "what was said")
