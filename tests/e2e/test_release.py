"""Releases by command: from serin release to a commit, its note, and the cluster."""

import argparse
import json
import os
import threading

from lab import contains, expect, free_port, lasts, wait
from releases import Releases
from test_canary_crds import install
from test_canary_sync import apex, canary, phase

TABLE = """\
WORKLOAD{pad}  STATUS   UPDATES
{id}  success  main: {image} -> {tag}
"""


def begin(w, *flags, tags=("1.0", "1.1"), **files):
    r = Releases(w)
    r.registry.add("shop/web", *tags)
    r.begin({"web.yaml": r.manifest(), **files}, *flags)
    return r


def test_a_release_prints_its_table_and_is_one_scalar_in_git(w):
    r = begin(w)
    before = r.head()
    code, out, err = r.release("--message=spring", "--user=Jane Doe <jane@example.org>")
    expect(code, 0, f"exit of release: {out}{err}")
    expect(out, TABLE.format(pad=" " * (len(r.id()) - len("WORKLOAD")), id=r.id(), image=r.image(), tag="1.1"), "the table")
    sha = r.head()
    expect(err, f"Submitting release ...\nCommit pushed:\t{sha[:7]}\nCommit applied:\t{sha[:7]}\n", "what it says beside that")
    expect(r.bare("rev-parse", sha + "^"), before, "parent of the commit")
    r.one_scalar("1.0", "1.1")
    expect(r.bare("log", "-1", "--format=%an <%ae> %s", sha), "Weave Flux <support@weave.works> spring", "author and message")
    note = r.note()
    expect((note["spec"]["type"], note["spec"]["cause"]), ("image", {"Message": "spring", "User": "Jane Doe <jane@example.org>"}), "the note")
    expect(note["result"][r.id()]["Status"], "success", f"the result in the note {note}")
    expect(r.live(), "1.1", "tag in the cluster")


def test_the_same_release_once_more_changes_nothing(w):
    r = begin(w)
    sha = r.released()
    code, out, err = r.release("-v")
    expect((code, r.head()), (1, sha), f"exit, head: {out}{err}")
    contains(out + err, "no changes made in repo|up to date", "what it says")


def test_a_dry_run_commits_nothing(w):
    r = begin(w)
    head = r.head()
    code, out, err = r.release("--dry-run")
    expect((code, r.head()), (0, head), f"exit, head: {out}{err}")
    contains(out, r"success  main: \S+:1\.0 -> 1\.1", "the table")
    expect("Commit" in err, False, f"a commit in {err}")


def test_all_images_of_all_workloads_in_one_commit(w):
    r = Releases(w)
    for name in ("web", "api"):
        r.registry.add("shop/" + name, "1.0", "1.1")
    r.begin({name + ".yaml": r.manifest(name) for name in ("web", "api")})
    head = r.head()
    code, out, err = w.cli("release", "--all", "--update-all-images")
    expect(code, 0, f"exit of release: {out}{err}")
    expect(r.bare("rev-parse", "HEAD^"), head, "one commit")
    expect({path: len(lines) for path, lines in r.changed().items()}, {"api.yaml": 1, "web.yaml": 1}, "lines it changed")
    expect([r.live(name) for name in ("web", "api")], ["1.1", "1.1"], "tags in the cluster")


def test_a_tag_pushed_a_moment_ago_is_released(w):
    """What was known of the registry from the release before is not the last word."""
    r = begin(w)
    r.released()
    r.registry.add("shop/web", "1.2")
    r.released(tag="1.2")
    r.one_scalar("1.1", "1.2")
    r.registry.add("shop/web", "1.3")
    code, out, err = w.cli("release", "--all", "--update-all-images")
    expect(code, 0, f"exit of release: {out}{err}")
    r.one_scalar("1.2", "1.3")


def test_two_daemons_on_one_repository(w):
    """Each is told to release at the same time: the slower one begins again from what the other has pushed."""
    r = Releases(w)
    names = ["web", "api"]
    for name in names:
        r.registry.add("shop/" + name, "1.0", "1.1", "1.2", "1.3")
    r.begin({"all.yaml": "---\n".join(r.manifest(name) for name in names)})
    first = w.port
    w.processes.append(w.serin_process)
    w.port = free_port()
    r.start("--state-dir=" + w.path("state2"))
    count, outcomes = r.count(), {}

    def one(name, port):
        for tag in ("1.1", "1.2", "1.3"):
            outcomes[name, tag] = w.cli("release", "--workload=" + r.id(name), "--update-image=" + r.image(name, tag),
                                        env={"FLUX_URL": f"http://127.0.0.1:{port}/api/flux"})
    threads = [threading.Thread(target=one, args=pair) for pair in zip(names, (first, w.port))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect({key: outcome[0] for key, outcome in outcomes.items()}, dict.fromkeys(outcomes, 0), f"exits: {outcomes}")
    expect((len(outcomes), r.count()), (6, count + 6), "releases, commits")
    for name in names:
        r.wait_live("1.3", name)
    missing = [one for one in r.bare("rev-list", "-6", "HEAD").split() if not r.note(one)]
    expect(missing, [], "commits without a note")
    w.note(f"begun again {w.log().count('beginning again')} times")


def test_without_a_daemon(w):
    code, out, err = w.cli("release", "--workload=a:deployment/b", "--update-image=c:1")
    expect(code, 2, f"exit of release: {out}{err}")
    contains(err, "(?i)refused|connect", "what it says")


def test_one_tag_for_forty_workloads(w):
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    files = {f"apps/{n}.yaml": r.automated(f"web-{n}", image=r.image()) for n in range(40)}
    w.commit(files)
    count = r.count()
    r.start()
    wait(lambda: r.count() > count, "the commit")
    r.wait_live("1.1", "web-39")
    expect((r.count(), len(r.changed())), (count + 1, 40), "commits, files of the last one")


def test_an_oci_index_is_released(w):
    r = begin(w)
    r.registry.add("shop/web", "2.0", format="oci", platforms=["linux/arm64", "linux/amd64"])
    r.released(tag="2.0")
    r.wait_live("2.0")


def test_fluxctl_s_name_and_flags(w):
    r = begin(w)
    link = w.path("fluxctl")
    os.symlink(w.options.serin, link)
    w.options = argparse.Namespace(**{**vars(w.options), "serin": link})
    code, out, err = w.cli("release", "--workload=" + r.id(), "--update-image=" + r.image(tag="1.1"), "--k8s-fwd-ns=" + w.ns)
    expect(code, 0, f"exit of fluxctl release: {out}{err}")
    contains(err, "Commit applied:\t" + r.head()[:7], "what it says")


def test_a_locked_workload_is_left_alone(w):
    r = begin(w)
    r.policy("lock", "--message=holidays")
    head = r.head()
    code, out, err = r.release("-v")
    expect((code, r.head()), (1, head), f"exit, head: {out}{err}")
    code, out, err = r.release("-v", "--dry-run")
    contains(out, r"skipped\s+locked", "the table")
    r.released("--force")
    r.wait_live("1.1")
    r.policy("unlock")
    expect("fluxcd.io/locked" in r.text(), False, "locks in " + r.text())


def test_what_does_not_exist_is_not_released(w):
    r = begin(w)
    code, out, err = w.cli("release", "-v", f"--workload={w.ns}:deployment/nobody", "--update-image=" + r.image(tag="1.1"))
    expect(code, 1, f"exit for an unknown workload: {out}{err}")
    contains(out + err, "not found in repository|no changes made", "what is said of an unknown workload")
    r.refused(r'image "\S+:7\.7" does not exist', tag="7.7")
    code, out, err = w.cli("release", "--workload=" + r.id(), f"--update-image={r.registry.address}/shop/nothing:1")
    expect(code, 1, f"exit for an unknown repository: {out}{err}")
    code, out, err = w.cli("release", "--workload=:::", "--update-image=" + r.image(tag="1.1"))
    expect(code, 2, f"exit for a workload that is none: {out}{err}")
    code, out, err = w.cli("release", "--workload=" + r.id(), f"--update-image={r.registry.address}/shop/web")
    contains(out + err, "blank tag", "what is said of an image without a tag")
    w.commit({"ghost.yaml": r.manifest("ghost").replace("kind: Deployment", "kind: DaemonSet").replace("  replicas: 1\n", "")})
    w.synced()
    r.released()


def test_two_releases_at_once_are_two_commits(w):
    r = Releases(w)
    names = ["web", "api", "cart", "mail"]
    for name in names:
        r.registry.add("shop/" + name, "1.0", "1.1")
    r.begin({"all.yaml": "---\n".join(r.manifest(name) for name in names)})
    head, outcomes = r.count(), {}

    def one(name):
        outcomes[name] = r.release(name=name)
    threads = [threading.Thread(target=one, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect({name: outcome[0] for name, outcome in outcomes.items()}, dict.fromkeys(names, 0), f"exits: {outcomes}")
    expect(r.count(), head + len(names), "commits")
    expect(r.text("all.yaml"), "---\n".join(r.manifest(name, "1.1") for name in names).rstrip("\n"), "the file")
    expect([r.live(name) for name in names], ["1.1"] * len(names), "tags in the cluster")


def test_the_two_releases_of_one_workload_end_as_the_last_one_says(w):
    r = begin(w, tags=("1.0", "1.1", "1.2"))
    outcomes = {}

    def one(tag):
        outcomes[tag] = r.release(tag=tag)
    threads = [threading.Thread(target=one, args=(tag,)) for tag in ("1.1", "1.2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect({outcome[0] for outcome in outcomes.values()} <= {0, 1}, True, f"exits: {outcomes}")
    last = r.text().split("shop/web:")[1].split()[0]
    expect(outcomes[last][0], 0, f"the release of {last}: {outcomes}")
    r.wait_live(last)


@lasts(60)
def test_a_release_starts_the_canary_and_watch_follows_it(w):
    install(w.cluster)
    r = Releases(w)
    r.registry.add("shop/cart", "1.0", "1.1")
    r.begin({"cart.yaml": r.manifest("cart"), "service.yaml": apex(w), "canary.yaml": canary(w)}, "--canaries=on")
    wait(lambda: phase(w) == "Initialized", "the canary to be initialised")
    code, out, err = r.release("--watch", name="cart")
    expect(code, 0, f"exit of release --watch: {out}{err}")
    contains(err, "Commit applied:", "what it says")
    contains(err, f"canary {w.ns}/cart: Progressing", "the run is followed")
    contains(err, f"canary {w.ns}/cart: Succeeded", "to its end")
    expect(phase(w), "Succeeded", "phase of the canary when --watch has ended")
    expect(w.get("Deployment", "cart-primary")["spec"]["template"]["spec"]["containers"][0]["image"], r.image("cart", "1.1"), "image of the primary")


def test_list_images_and_list_workloads_show_the_registry_and_the_release(w):
    r = begin(w)
    code, out, err = w.cli("list-images", "--workload=" + r.id())
    expect(code, 0, f"exit of list-images: {err}")
    contains(out, r"\|   1\.1 .*\n.*'-> 1\.0 ", "the tags")
    r.released()
    code, out, err = w.cli("list-workloads", "-n", w.ns, "-o", "json")
    listed = {one["ID"]: one["Containers"][0]["Current"]["ID"] for one in json.loads(out)}
    expect(listed, {r.id(): r.image(tag="1.1")}, "workloads")


def test_an_api_server_that_is_away(w):
    """What cannot be seen is not released, and not called up to date either."""
    r = begin(w)
    w.gone()
    head = r.head()
    code, out, err = r.release("--timeout=30s")
    expect((code, r.head()), (1, head), f"exit of release, the head: {out}{err}")
    contains(out + err, "(?i)refused|reach|connect|not accessible", "what it says")
    w.back()
    wait(lambda: r.release()[0] == 0, "the release, once the API server is back")
    r.wait_live("1.1")
