"""Automation: new tags become commits without anyone typing, each change once, and nothing else does."""

import os
import time

from lab import contains, expect, lasts, wait
from registry import Scripted
from releases import Releases


def begin(w, *flags, names=("web",), tags=("1.0", "1.1"), start="1.1", pattern="semver:~1"):
    r = Releases(w)
    for name in names:
        r.registry.add("shop/" + name, *tags)
    r.begin({name + ".yaml": r.automated(name, start, pattern) for name in names}, *flags)
    return r


def calm(r, head, what):
    """After some more scans the head is still that one."""
    r.wait_scans()
    expect(r.head(), head, f"the head, {what}: {r.bare('log', '--oneline')}")


def test_a_tag_that_matches_becomes_a_commit(w):
    r = begin(w)
    head = r.head()
    calm(r, head, "while there is nothing new")
    r.registry.add("shop/web", "1.2", "2.0", "latest")
    began = time.monotonic()
    r.wait_live("1.2")
    w.note(f"{time.monotonic() - began:.1f} s from the tag to the cluster")
    r.one_scalar("1.1", "1.2")
    expect(r.bare("rev-parse", "HEAD^"), head, "the parent of the one commit")
    contains(r.bare("log", "-1", "--format=%B"), r"^Auto-release \S+/shop/web:1\.2", "message of the commit")
    note = r.note()
    expect(note["spec"]["type"], "auto", f"type in the note: {note}")
    calm(r, r.head(), "after the commit")


def test_a_tag_that_does_not_match_changes_nothing(w):
    r = begin(w)
    r.registry.add("shop/web", "2.0", "latest", "1.3.0-rc1", "master-abc123")
    calm(r, r.head(), "with tags that do not match")


def test_a_notification_is_faster_than_the_interval(w):
    r = begin(w, "--registry-scan-interval=1h", "--automation-interval=1h")
    wait(lambda: r.scans() >= 1, "the first scan")
    r.registry.add("shop/web", "1.2")
    r.notify()
    r.wait_live("1.2")


def test_several_at_once_are_one_commit(w):
    names = ("web", "api", "cart")
    r = begin(w, "--registry-scan-interval=1h", "--automation-interval=1h", names=names)
    wait(lambda: r.scans() >= len(names), "the first scans")
    head = r.head()
    for name in names:
        r.registry.add("shop/" + name, "1.2")
    for name in names:
        r.notify(name)
    for name in names:
        r.wait_live("1.2", name)
    expect(r.bare("rev-parse", "HEAD^"), head, "the parent of the one commit")
    expect({path: len(lines) for path, lines in r.changed().items()}, {name + ".yaml": 1 for name in names}, "lines it changed")


def test_what_comes_while_a_commit_is_pushed_is_the_next_commit(w):
    names = ("web", "api")
    r = begin(w, "--registry-scan-interval=1h", "--automation-interval=1h", names=names)
    wait(lambda: r.scans() >= len(names), "the first scans")
    begun, end = w.path("begun"), w.path("end")
    r.hook("pre-receive", f"touch {begun}; while [ ! -e {end} ]; do sleep 0.1; done\n")
    r.registry.add("shop/web", "1.2")
    r.notify("web")
    wait(lambda: os.path.exists(begun), "the push")
    scans = r.scans()
    r.registry.add("shop/api", "1.2")
    r.notify("api")
    wait(lambda: r.scans() > scans, "the scan")
    time.sleep(2.5)  # news are gathered for two seconds
    open(end, "w").close()
    for name in names:
        r.wait_live("1.2", name)


def test_a_commit_that_a_person_takes_back_is_not_made_again(w):
    r = begin(w)
    r.registry.add("shop/web", "1.2")
    r.wait_live("1.2")
    r.pull()
    w.git("revert", "--no-edit", "HEAD")
    w.push()
    r.wait_live("1.1")
    calm(r, w.head(), "after the revert")
    wait(lambda: "taken back" in w.log(), "the log to say why nothing is done")
    r.registry.add("shop/web", "1.3")
    r.wait_live("1.3")


def test_a_restart_neither_goes_back_nor_commits(w):
    """Also when the registry is down or empty as it starts: what is not known changes nothing."""
    r = begin(w)
    r.registry.add("shop/web", "1.2")
    r.wait_live("1.2")
    head = r.head()
    w.stop()
    r.registry.stop()
    r.start()
    wait(lambda: r.scans() >= 2, "two looks at a registry that is down")
    expect(r.head(), head, "the head while the registry is down")
    r.registry.start()
    calm(r, head, "once the registry is back")


@lasts(21)
def test_a_registry_that_loses_its_tags_changes_nothing(w):
    """Empty, half a list, a page missing, a tag whose image cannot be read: nothing goes backwards."""
    registry = Scripted({"shop/web": {"1.0": "2024-01-01T00:00:00Z", "1.1": "2024-01-02T00:00:00Z"}})
    r = Releases(w, registry)
    r.begin({"web.yaml": r.automated("web", "1.1", "glob:1.*")})
    head = r.head()
    calm(r, head, "at the beginning")
    registry.images["shop/web"].clear()
    calm(r, head, "with an empty registry")
    registry.images["shop/web"].update({"1.0": "2024-01-01T00:00:00Z", "1.1": "2024-01-02T00:00:00Z", "1.2": "2024-01-03T00:00:00Z"})
    registry.answer = lambda handler: "/manifests/1.2" in handler.path and registry.send(handler, 500)
    calm(r, head, "while the image of the new tag cannot be read")
    registry.answer = None
    r.wait_text("shop/web:1.2")


def test_automate_and_deautomate_by_command(w):
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1", "2.0")
    r.begin({"web.yaml": r.manifest()})
    r.wait_scans(0)
    r.policy("policy", "--tag=main=semver:~1")
    r.policy("automate")
    r.wait_live("1.1")
    r.pull()
    r.policy("deautomate")
    r.registry.add("shop/web", "1.2")
    head = r.head()
    w.synced(head)
    time.sleep(4)
    expect(r.head(), head, "the head once it is not automated")


def test_a_locked_workload_is_not_automated(w):
    r = begin(w)
    r.policy("lock")
    head = r.head()
    w.synced(head)
    r.registry.add("shop/web", "1.2")
    time.sleep(5)
    expect(r.head(), head, "the head of what is locked")
    r.policy("unlock")
    r.wait_live("1.2")


def test_an_older_tag_after_the_filter_changes(w):
    r = begin(w, tags=("1.0", "1.1", "2.0"), start="2.0", pattern="semver:~2")
    w.commit({"web.yaml": r.automated("web", "2.0", "semver:~1")})
    r.wait_live("1.1")


def test_automation_survives_a_push_from_elsewhere(w):
    """People push while it works: every commit of theirs is kept, and the image is changed once."""
    r = begin(w)
    r.registry.add("shop/web", "1.2")
    ours = []
    for n in range(12):
        r.pull()
        ours.append(w.commit({"people.yaml": w.configmap("people", {"number": str(n)})}, push=False))
        done = w.git("push", "-q", "origin", "HEAD:" + w.branch, check=False)
        if done.returncode:
            r.pull()
            w.push()
        time.sleep(0.3)
    r.wait_live("1.2")
    w.wait_data("people", {"number": "11"})
    subjects = r.bare("log", "--format=%s").splitlines()
    expect((subjects.count("Change"), sum("shop/web:1.2" in one for one in subjects)), (13, 1), "commits of people, and of automation")


def test_an_image_by_time_of_creation(w):
    r = begin(w, tags=("main-b", "main-a"), start="main-a", pattern="glob:main-*")
    calm(r, r.head(), "while the newest runs")
    r.registry.add("shop/web", "main-0", "dev-zzz")
    r.wait_live("main-0")
    expect(r.note()["result"][r.id()]["Status"], "success", "result in the note")


def test_what_was_taken_back_stays_so_after_a_restart(w):
    r = begin(w)
    r.registry.add("shop/web", "1.2")
    r.wait_live("1.2")
    r.pull()
    w.git("revert", "--no-edit", "HEAD")
    w.push()
    r.wait_live("1.1")
    w.stop()
    w.serin()
    calm(r, w.head(), "after the revert and the restart")


def test_a_filter_there_and_back(w):
    """Automation goes where the filter says, however often that changes."""
    r = begin(w)
    r.registry.add("shop/web", "1.2")
    r.wait_live("1.2")
    r.policy("policy", "--tag=main=semver:~1.1.0")
    r.wait_live("1.1")
    r.policy("policy", "--tag=main=semver:~1")
    r.wait_live("1.2")


def test_automate_after_a_change_was_taken_back(w):
    """Who says automate means it."""
    r = begin(w)
    r.registry.add("shop/web", "1.2")
    r.wait_live("1.2")
    r.pull()
    w.git("revert", "--no-edit", "HEAD")
    w.push()
    r.wait_live("1.1")
    r.policy("deautomate")
    r.policy("automate")
    r.wait_live("1.2")
