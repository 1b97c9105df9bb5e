"""Repositories that get in the way of a release: heads that move, pushes that are refused, servers that go away."""

import glob
import os
import subprocess
import threading
import time

from lab import contains, expect, lasts, wait
from releases import Releases


def begin(w, *flags, **files):
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1", "1.2")
    r.begin({"web.yaml": r.manifest(), **files}, *flags)
    return r


def colleague(w, r, files, remove=()):
    """A commit of somebody else, ready to be put on the branch in the bare repository: its hash."""
    w.commit(files, remove=remove, message="A colleague's", push=False)
    w.git("push", "-q", "origin", "HEAD:refs/heads/colleague")
    return w.head()


def overtake(w, r, sha, times=1):
    """The next pushes to the branch find that somebody was faster: the hook moves it first, and lets git see."""
    count = w.path("overtaken")
    r.hook("pre-receive", f"""
while read old new ref; do
  [ "$ref" = refs/heads/{w.branch} ] || continue
  n=$(cat {count} 2>/dev/null || echo 0)
  [ "$n" -lt {times} ] || continue
  echo $((n + 1)) > {count}
  tree=$(git rev-parse {sha}^{{tree}})
  parent=$(git rev-parse refs/heads/{w.branch})
  next=$(env -u GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY={w.repository}/objects git -c user.name=C -c user.email=c@example.org \\
      commit-tree $tree -p $parent -m "A colleague's $n")
  env -u GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY={w.repository}/objects git update-ref refs/heads/{w.branch} $next
done
exit 0
""")
    return lambda: int(open(count).read()) if os.path.exists(count) else 0


def test_a_head_that_moves_under_a_release_is_not_overwritten(w):
    r = begin(w)
    sha = colleague(w, r, {"people.yaml": w.configmap("people")})
    overtaken = overtake(w, r, sha)
    r.released()
    expect(overtaken(), 1, "how often somebody was faster")
    expect(r.bare("log", "--format=%s", "-3").splitlines()[1], "A colleague's 0", "the parent of the release")
    r.one_scalar("1.0", "1.1")
    r.wait_live("1.1")
    w.wait_data("people", {"key": "one"})
    r.check_sane()


def test_a_head_that_moves_three_times(w):
    r = begin(w)
    overtaken = overtake(w, r, colleague(w, r, {"people.yaml": w.configmap("people")}), times=3)
    r.released()
    expect(overtaken(), 3, "how often somebody was faster")
    r.one_scalar("1.0", "1.1")


def test_a_head_that_always_moves_is_given_up(w):
    r = begin(w)
    overtaken = overtake(w, r, colleague(w, r, {"people.yaml": w.configmap("people")}), times=1000)
    code, out, err = r.release()
    expect(code, 1, f"exit of release: {out}{err}")
    contains(out + err, "the branch has moved 5 times", "what it says")
    expect(2 <= overtaken() <= 10, True, f"tries: {overtaken()}")
    os.remove(os.path.join(w.repository, "hooks", "pre-receive"))
    r.released()


def test_a_head_that_takes_the_manifest_away(w):
    """The redo begins from what is there now: the workload is gone from the repository."""
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    r.begin({"web.yaml": r.manifest(), "people.yaml": w.configmap("people")}, "--sync-garbage-collection=false")
    overtake(w, r, colleague(w, r, {}, remove=["web.yaml"]))
    code, out, err = r.release("-v")
    expect(code, 1, f"exit of release: {out}{err}")
    expect(r.bare("ls-tree", "--name-only", "HEAD").split(), ["people.yaml"], "files of the head")


def test_a_head_that_changes_the_same_image(w):
    """Somebody releases 1.2 by hand while serin pushes 1.1: who asked last wins, on top of the other's commit."""
    r = begin(w)
    overtake(w, r, colleague(w, r, {"web.yaml": r.manifest(tag="1.2")}))
    code, out, err = r.release()
    expect(code in (0, 1), True, f"exit of release: {out}{err}")
    expect("A colleague's 0" in r.bare("log", "--format=%s"), True, "the commit of the colleague")
    if code == 0:
        r.one_scalar("1.2", "1.1")
    r.check_sane()


def test_pushes_from_elsewhere_during_many_releases(w):
    r = begin(w)
    ended, pushed = threading.Event(), []

    def people():
        clone = w.path("elsewhere")
        w.git("clone", "-q", w.repository, clone)
        while not ended.wait(0.2):
            w.git("pull", "-q", "--rebase", cwd=clone, check=False)
            with open(os.path.join(clone, "people.txt"), "a") as out:
                out.write("x\n")
            w.git("add", "people.txt", cwd=clone)
            w.git("commit", "-q", "-m", f"People {len(pushed)}", cwd=clone)
            if w.git("push", "-q", cwd=clone, check=False).returncode == 0:
                pushed.append(1)
            else:
                w.git("reset", "-q", "--hard", "HEAD~1", cwd=clone)
    thread = threading.Thread(target=people)
    thread.start()
    try:
        for tag in ("1.1", "1.2", "1.0"):
            r.released(tag=tag)
    finally:
        ended.set()
        thread.join()
    subjects = r.bare("log", "--format=%s").splitlines()
    expect(sum(one.startswith("People") for one in subjects), len(pushed), "commits of people that are there")
    expect(r.text("people.txt").count("x"), len(pushed), "lines of people")
    w.note(f"{len(pushed)} pushes of others")
    r.check_sane()


def test_a_push_that_a_hook_rejects(w):
    r = begin(w)
    hook = r.hook("pre-receive", "while read old new ref; do case $ref in refs/heads/*) echo 'no releases on Fridays' >&2; exit 1;; esac; done\n")
    r.refused("no releases on Fridays")
    expect(r.note(), None, "a note of what was not pushed")
    os.remove(hook)
    r.released()


def test_a_protected_branch(w):
    r = begin(w)
    hook = r.hook("update", "case $1 in refs/heads/master) echo 'GH006: Protected branch update failed' >&2; exit 1;; esac\n")
    r.refused("Protected branch")
    w.cluster.patch("Deployment", "web", w.ns, {"spec": {"replicas": 2}})
    os.remove(hook)
    r.released()
    r.wait_live("1.1")


def test_notes_that_may_not_be_pushed_do_not_stop_the_release(w):
    r = begin(w)
    r.hook("update", "case $1 in refs/notes/*) echo 'no notes here' >&2; exit 1;; esac\n")
    r.released()
    expect(r.note(), None, "the note")
    contains(w.log(), "no notes here", "the log")


def test_a_read_only_repository(w):
    r = begin(w, *w.deploy_secret())
    said = r.refused("(?i)read-only|readonly")
    expect("Traceback" in said, False, "what it says")
    code, out, err = w.cli("lock", "--workload=" + r.id())
    expect(code, 1, f"exit of lock: {out}{err}")
    code, out, err = w.cli("list-workloads", "-n", w.ns)
    expect(code, 0, f"exit of list-workloads: {err}")


def test_a_repository_away_during_the_release(w):
    r = begin(w)
    os.rename(w.repository, w.repository + ".away")
    code, out, err = r.release()
    os.rename(w.repository + ".away", w.repository)
    expect(code, 1, f"exit of release: {out}{err}")
    wait(lambda: r.release()[0] == 0, "the release, once the repository is back")
    r.one_scalar("1.0", "1.1")


@lasts(27)
def test_a_git_server_that_dies_during_the_push(w):
    server = w.sshd()
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    r.begin({"web.yaml": r.manifest()}, f"--identity-file={server.path('identity')}", f"--ssh-known-hosts={server.path('known_hosts')}",
            f"--git-url={w.url}", "--git-timeout=8s")
    waits = w.path("a-push-waits")
    hook = r.hook("pre-receive", f"touch {waits}; kill -9 $PPID\n")  # the one that receives
    code, out, err = r.release()
    expect((code, os.path.exists(waits)), (1, True), f"exit of release, the push had begun: {out}{err}")
    os.remove(hook)
    r.check_sane()
    r.released()
    r.one_scalar("1.0", "1.1")


@lasts(30)
def test_a_push_that_hangs_ends(w):
    r = begin(w, "--git-timeout=5s")
    hook, waits = w.let_pushes_hang()
    code, out, err = r.release()
    expect((code, os.path.exists(waits)), (1, True), f"exit of release, the push had begun: {out}{err}")
    os.remove(hook)
    wait(lambda: r.release()[0] == 0 or r.text().count(":1.1"), "the release")
    r.wait_live("1.1")


@lasts(25)
def test_a_push_that_was_taken_and_never_answered(w):
    """The branch has moved, and nobody says so: it is seen, and asked again nothing is committed a second time."""
    r = begin(w, "--git-timeout=5s")
    count = r.count()
    flag = w.path("hold")
    open(flag, "w").close()
    hook = r.hook("post-receive", f"while [ -e {flag} ]; do sleep 0.2; done\n")
    code, out, err = r.release()
    os.remove(flag)
    os.remove(hook)
    expect(code, 0, f"exit of release: {out}{err}")
    contains(err, "Commit applied:\t" + r.head()[:7], "what it says")
    expect(r.count(), count + 1, "commits after the push that was never answered")
    r.wait_live("1.1")
    again, out, err = r.release()
    expect(r.count(), count + 1, f"commits after the same release once more: {again} {out}{err}")
    r.released(tag="1.2")
    r.check_sane()


def test_a_force_push_during_a_release(w):
    """History is replaced under the push: the release is made again on what is there now."""
    r = begin(w)
    w.git("checkout", "-q", "--orphan", "fresh")
    w.commit({"web.yaml": r.manifest(), "fresh.yaml": w.configmap("fresh")}, message="A fresh beginning", push=False)
    w.git("push", "-q", "origin", "HEAD:refs/heads/fresh")
    done = w.path("replaced")
    r.hook("pre-receive", f"""
while read old new ref; do
  [ "$ref" = refs/heads/{w.branch} ] || continue
  [ -e {done} ] && continue
  touch {done}
  env -u GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY={w.repository}/objects git update-ref refs/heads/{w.branch} refs/heads/fresh
done
exit 0
""")
    r.released()
    expect(r.bare("log", "--format=%s", "HEAD^").splitlines(), ["A fresh beginning"], "what the release is on")
    r.one_scalar("1.0", "1.1")
    w.wait_data("fresh", {"key": "one"})


def test_a_branch_that_is_deleted_before_a_release(w):
    r = begin(w)
    head = r.head()
    r.bare("update-ref", "-d", "refs/heads/" + w.branch)
    code, out, err = r.release()
    expect(code, 1, f"exit of release: {out}{err}")
    expect(r.bare("rev-parse", "-q", "--verify", "refs/heads/" + w.branch, check=False).returncode, 1, "the branch is not made again")
    r.bare("update-ref", "refs/heads/" + w.branch, head)
    wait(lambda: r.release()[0] == 0, "the release, once the branch is back")


def test_automation_against_a_protected_branch_is_calm(w):
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    tries = w.path("tries")
    hook = r.hook("update", f"case $1 in refs/heads/master) echo x >> {tries}; echo protected >&2; exit 1;; esac\n")
    os.rename(hook, hook + ".off")
    w.commit({"web.yaml": r.automated()})
    os.rename(hook + ".off", hook)
    r.start("--automation-interval=3s")
    wait(lambda: os.path.exists(tries), "the first try")
    time.sleep(5)
    count = len(open(tries).read().split())
    expect(count <= 5, True, f"pushes that were tried: {count}")
    w.note(f"{count} tries in 5 s")
    os.remove(hook)
    r.wait_live("1.1")
    r.one_scalar("1.0", "1.1")


def test_kill_during_a_release_leaves_everything_in_order(w):
    """Killed while it pushes, at several moments: the repository is sane, and the same release works after the restart."""
    r = begin(w)
    hook, waits = w.let_pushes_hang()
    command = threading.Thread(target=lambda: r.release("--timeout=3s"))
    command.start()
    wait(lambda: os.path.exists(waits), "the push")
    w.kill()
    os.remove(hook)
    command.join()
    r.check_sane()
    head = r.head()
    w.serin()
    w.synced(head)
    if r.text().count(":1.0"):
        r.released()
        expect(r.bare("rev-parse", "HEAD^"), head, "the parent of the release")
    r.wait_live("1.1")
    locks = [one for one in glob.glob(w.repository + "/**/*.lock", recursive=True)]
    expect(locks, [], "locks that were left in the repository")


def test_kill_at_random_moments(w):
    r = begin(w)
    for n, delay in enumerate((0.15, 0.3, 0.45, 0.6)):
        tag = ("1.1", "1.2")[n % 2]
        command = threading.Thread(target=lambda tag=tag: r.release("--timeout=2s", tag=tag))
        command.start()
        time.sleep(delay)
        w.kill()
        command.join()
        r.check_sane()
        w.serin()
        w.synced(r.head())
    tag = next(one for one in ("1.0", "1.1", "1.2") if f":{one} " not in r.text())
    r.released(tag=tag)
    r.wait_live(tag)


def test_the_author_of_the_command_is_the_author_of_the_commit(w):
    r = begin(w, "--git-set-author", "--git-ci-skip")
    r.released("--user=Joe Bloggs <joe@example.org>", "--message=It's time, \"really\"")
    expect(r.bare("log", "-1", "--format=%an <%ae>|%s"), "Joe Bloggs <joe@example.org>|It's time, \"really\"", "author and subject")
    contains(r.bare("log", "-1", "--format=%B"), r"\[ci skip\]", "message")


def test_signed_releases(w):
    gnupg = w.path("gnupg")
    os.makedirs(gnupg, mode=0o700)
    gpg = ["gpg", "--homedir", gnupg, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-gen-key", "Serin <serin@example.org>", "ed25519", "sign", "never"], check=True, capture_output=True)
    try:
        r = Releases(w)
        r.registry.add("shop/web", "1.0", "1.1")
        r.env = {"GNUPGHOME": gnupg}
        r.begin({"web.yaml": r.manifest()}, "--git-signing-key=serin@example.org")
        r.released()
        done = r.bare("verify-commit", "HEAD", check=False, env={"GNUPGHOME": gnupg})
        expect(done.returncode, 0, "the signature: " + done.stderr)
    finally:
        subprocess.run(["gpgconf", "--homedir", gnupg, "--kill", "all"], check=False)
