"""The repository: how it is reached, what it can be like, how it fails."""

import os
import subprocess
import time

from lab import contains, expect, lasts, wait


def says(w, pattern):
    """Until status gives an error of git like that."""
    return wait(lambda: (lambda error: contains(error, pattern, "error of git") or error)(w.status()["git"]["error"] or "(none)"),
                f"an error like {pattern}")


def test_an_empty_repository_is_said_and_waited_for(w):
    w.serin()
    says(w, ".")
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.wait_data("a", {"key": "one"}, 60)


def test_a_missing_branch_is_said_and_waited_for(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin("--git-branch=later")
    says(w, "later")
    w.git("push", "-q", "origin", "HEAD:later")
    w.wait_data("a", {"key": "one"}, 60)


def test_a_branch_that_goes_away_deletes_nothing(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin()
    w.synced()
    w.git("update-ref", "-d", f"refs/heads/{w.branch}", cwd=w.repository)
    says(w, ".")
    expect(w.data("a"), {"key": "one"}, "the object")
    w.cluster.delete("ConfigMap", "a", w.ns)
    w.wait_data("a", {"key": "one"})


@lasts(12)
def test_what_takes_the_place_of_something_to_be_deleted_is_judged_anew(w):
    w.commit({"ns.yaml": w.namespace(), "a.yaml": w.configmap("a"), "b.yaml": w.configmap("b")})
    w.serin()
    w.synced()
    w.arm("late", {"latency_ms": 6000}, verbs=["delete"], count=1)
    w.commit({}, remove=["a.yaml"])
    wait(lambda: w.hits("late"), "the deletion to be on its way", 30)
    old = w.get("ConfigMap", "a")
    w.cluster.delete("ConfigMap", "a", w.ns)
    w.cluster.create("ConfigMap", {**old, "metadata": {k: v for k, v in old["metadata"].items() if k in ("name", "namespace", "labels", "annotations")}}, w.ns)
    wait(lambda: "it is another object by now" in w.log(), "the deletion to be refused", 30)
    expect(w.get("ConfigMap", "a") is None, False, "the new one is gone")
    w.commit({"c.yaml": w.configmap("c")})
    wait(lambda: w.get("ConfigMap", "a") is None, "the next sync to delete the new one")


def test_a_missing_path_deletes_nothing(w):
    w.commit({"ns.yaml": w.namespace(), "apps/all.yaml": w.configmap("a")})
    w.serin("--git-path=apps")
    wait(lambda: w.held()[0] or w.data("a"), "the first sync")  # the namespace is declared outside of the path
    w.cluster.create("Namespace", w.namespace())
    w.wait_data("a", {"key": "one"}, 60)
    w.commit({"elsewhere/all.yaml": w.configmap("a")}, remove=["apps/all.yaml"])
    wait(lambda: w.status()["sync"]["error"] or w.status()["problems"] or w.is_synced(w.head()), "serin to look at the commit")
    w.settle()
    expect(w.data("a"), {"key": "one"}, "the object")
    contains(w.log() + str(w.status()), "apps", "the path that is missing is named")


def test_a_force_push_to_unrelated_history_is_followed(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": [w.configmap("a"), w.configmap("b")]})
    w.serin()
    w.synced()
    w.git("checkout", "-q", "--orphan", "new")
    w.commit({"all.yaml": [w.configmap("a", {"key": "two"}), w.configmap("c")]}, message="Another beginning", force=True)
    w.wait_data("a", {"key": "two"})
    w.wait_data("c", {"key": "one"})
    w.wait_data("b", None)
    wait(lambda: w.marker() == w.head(), "the marker to follow")


def test_an_amended_commit_is_followed(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.commit({"all.yaml": w.configmap("a", {"key": "two"})})
    w.serin()
    w.synced()
    w.git("reset", "-q", "--hard", "HEAD~1")
    w.push(force=True)
    w.wait_data("a", {"key": "one"})


def test_the_repository_away_for_a_while(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin()
    w.synced()
    os.rename(w.repository, w.repository + ".away")
    says(w, ".")
    w.cluster.patch("ConfigMap", "a", w.ns, {"data": {"key": "nine"}})
    w.wait_data("a", {"key": "one"})
    os.rename(w.repository + ".away", w.repository)
    w.commit({"all.yaml": w.configmap("a", {"key": "two"})})
    w.wait_data("a", {"key": "two"}, 60)


def over_ssh(w, kind):
    server = w.sshd(kind)
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin(f"--identity-file={server.path('identity')}", f"--ssh-known-hosts={server.path('known_hosts')}", f"--git-url={w.url}")
    w.synced()
    expect(w.data("a"), {"key": "one"}, "the object")
    wait(lambda: w.marker() == w.head(), "the sync tag")
    return server


def test_over_ssh_with_a_deploy_key(w):
    over_ssh(w, "ed25519")
    w.commit({"all.yaml": w.configmap("a", {"key": "two"})})
    w.wait_data("a", {"key": "two"})


def test_over_ssh_with_an_rsa_key(w):
    over_ssh(w, "rsa")


def test_over_ssh_with_the_user_s_own_configuration(w):
    server = w.sshd()
    ssh = w.path("home", ".ssh")
    os.makedirs(ssh, mode=0o700)
    for name, target in (("identity", "id_ed25519"), ("known_hosts", "known_hosts")):
        with open(server.path(name)) as source, open(os.path.join(ssh, target), "w") as out:
            out.write(source.read())
        os.chmod(os.path.join(ssh, target), 0o600)
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin(f"--git-url={w.url}", f"--identity-file={ssh}/id_ed25519", f"--ssh-known-hosts={ssh}/known_hosts")
    w.synced()


def test_a_wrong_host_key_is_refused(w):
    server = w.sshd()
    with open(server.path("other.pub")) as source, open(server.path("known_hosts"), "w") as out:
        out.write(f"[127.0.0.1]:{server.port} {' '.join(source.read().split()[:2])}\n")
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin(f"--identity-file={server.path('identity')}", f"--ssh-known-hosts={server.path('known_hosts')}", f"--git-url={w.url}")
    says(w, "(?i)host key|known.hosts")
    expect(w.data("a"), None, "the object")
    with open(server.path("known_hosts"), "w") as out:
        out.write(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    w.wait_data("a", {"key": "one"}, 60)


def test_a_host_that_is_not_known_is_named_with_its_key(w):
    server = w.sshd()
    with open(server.path("known_hosts"), "w") as out:
        out.write("github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n")
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin(f"--identity-file={server.path('identity')}", f"--ssh-known-hosts={server.path('known_hosts')}", f"--git-url={w.url}")
    error = says(w, "(?i)known.hosts")
    contains(error, "ssh-ed25519|SHA256:", "the error tells which key the server offered")


def test_a_refused_key_is_said_and_waited_for(w):
    server = w.sshd()
    server.let_in("other")
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin(f"--identity-file={server.path('identity')}", f"--ssh-known-hosts={server.path('known_hosts')}", f"--git-url={w.url}")
    says(w, "(?i)denied|refused|auth")
    server.let_in("identity")
    w.wait_data("a", {"key": "one"}, 60)


def test_a_key_that_may_only_read(w):
    server = w.sshd()
    server.let_in(options='restrict,command="case \\"$SSH_ORIGINAL_COMMAND\\" in git-upload-pack*) eval \\"$SSH_ORIGINAL_COMMAND\\";; '
                          '*) echo ERROR: this key is read only >&2; exit 1;; esac"')
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    flags = [f"--identity-file={server.path('identity')}", f"--ssh-known-hosts={server.path('known_hosts')}", f"--git-url={w.url}"]
    w.serin(*flags)
    says(w, "(?i)push|write|read only")
    w.stop()
    w.serin(*flags, *w.deploy_secret())
    w.wait_data("a", {"key": "one"})


def test_a_server_that_stops_in_the_middle_of_a_pack(w):
    server = w.sshd()
    noise = os.urandom(3_000_000).hex()
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a"), "noise.txt": noise})
    server.let_in(options='command="eval \\"$SSH_ORIGINAL_COMMAND\\" | head -c 200000"')
    w.serin(f"--identity-file={server.path('identity')}", f"--ssh-known-hosts={server.path('known_hosts')}", f"--git-url={w.url}")
    says(w, ".")
    expect(w.data("a"), None, "the object")
    server.let_in()
    w.wait_data("a", {"key": "one"}, 60)


@lasts(22)
def test_a_push_that_is_refused_does_not_hold_up_the_cluster(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin()
    w.synced()
    hook = os.path.join(w.repository, "hooks", "update")
    with open(hook, "w") as out:
        out.write("#!/bin/sh\ncase $1 in refs/tags/*|refs/notes/*) echo 'this ref is protected' >&2; exit 1;; esac\n")
    os.chmod(hook, 0o755)
    w.commit({"all.yaml": w.configmap("a", {"key": "two"})})
    w.wait_data("a", {"key": "two"})
    wait(lambda: "protected" in w.log(), "the log to say why")
    os.remove(hook)
    wait(lambda: w.marker() == w.head(), "the marker, once it may move", 90)


def test_generators_run_only_when_allowed(w):
    files = {".flux.yaml": "version: 1\ncommandUpdated:\n  generators:\n  - command: cat parts/*.txt\n",
             "parts/a.txt": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: made, namespace: {w.ns}}}\n", "ns.yaml": w.namespace(),
             "all.yaml": w.configmap("a")}
    w.cluster.create("Namespace", w.namespace())
    w.commit(files)
    w.serin("--sync-garbage-collection=false")
    w.synced()
    expect((w.data("made"), w.data("a")), (None, {"key": "one"}), "what is there without --manifest-generation")
    w.stop()
    w.serin("--sync-garbage-collection=false", "--manifest-generation")
    w.wait_data("made", {})


def test_the_identity_is_printed(w):
    server = over_ssh(w, "ed25519")
    code, out, err = w.cli("identity")
    with open(server.path("identity.pub")) as source:
        expect((code, out.split()[:2]), (0, source.read().split()[:2]), f"serin identity ({err})")


def test_signatures_are_verified_from_the_marker_on(w):
    """A repository that was signed from some commit on: the marker on the Secret says what is behind us."""
    gnupg = w.path("gnupg")
    os.makedirs(gnupg, mode=0o700)
    env = {"GNUPGHOME": gnupg}
    gpg = ["gpg", "--homedir", gnupg, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-gen-key", "Jane Doe <jane@example.org>", "ed25519", "sign", "never"], check=True, capture_output=True)
    keys = w.path("keys.asc")
    with open(keys, "wb") as out:
        out.write(subprocess.run([*gpg, "--export", "--armor"], check=True, capture_output=True).stdout)
    try:
        unsigned = w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
        w.write({"all.yaml": w.configmap("a", {"key": "two"})})
        w.git("add", "-A")
        w.git("commit", "-q", "-S", "-m", "Signed", env=env)
        w.push()
        flags = w.deploy_secret()
        w.cluster.patch("Secret", w.ns, "default", {"metadata": {"annotations": {"flux.weave.works/sync-hwm": unsigned}}})
        os.makedirs(w.path("serin-gnupg"), mode=0o700)
        flags += ["--git-verify-signatures-mode=all", "--git-gpg-key-import=" + keys]
        w.serin(*flags, env={"GNUPGHOME": w.path("serin-gnupg")})
        time.sleep(1)
        expect(w.data("a"), None, "ConfigMap a: a marker that is not signed itself is not trusted")
        contains(w.cli("sync")[2], "Error: no commit of the branch is verified, so there is nothing", "sync without a commit to fall back to")
        w.stop()
        signed = w.head()
        w.cluster.patch("Secret", w.ns, "default", {"metadata": {"annotations": {"flux.weave.works/sync-hwm": signed}}})
        w.serin(*flags, env={"GNUPGHOME": w.path("serin-gnupg")})
        w.wait_data("a", {"key": "two"})
        w.commit({"all.yaml": w.configmap("a", {"key": "three"})})
        contains(wait(lambda: "found invalid GPG signature" in w.log() and w.log(), "the log"), "found invalid GPG signature", "log")
        expect(w.data("a"), {"key": "two"}, "ConfigMap a: an unsigned commit is not synced")
        contains(w.cli("sync")[2], f"Warning: .*The last verified commit was {signed[:7]}.*\n.* to apply is {signed[:7]}", "sync with one")
    finally:
        for home in (gnupg, w.path("serin-gnupg")):
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)


def test_a_marker_that_the_repository_lost_counts_as_none(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    flags = w.deploy_secret()
    w.cluster.patch("Secret", w.ns, "default", {"metadata": {"annotations": {"flux.weave.works/sync-hwm": "0123456789" * 4}}})
    w.serin(*flags)
    w.wait_data("a", {"key": "one"})
    wait(lambda: "does not have the revision of the sync marker" in w.log(), "a warning in the log")
    wait(lambda: w.head() in str(w.cluster.get("Secret", w.ns, "default")), "the marker on the Secret")


@lasts(41)
def test_stopping_does_not_wait_for_git_for_ever(w):
    w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("a")})
    w.serin("--git-timeout=20s")
    w.synced()
    w.commit({"all.yaml": w.configmap("a", {"key": "two"})})
    w.let_pushes_hang()
    w.commit({"all.yaml": w.configmap("a", {"key": "three"})}, push=False)
    w.git("fetch", "-q", w.work, f"HEAD:refs/heads/{w.branch}", cwd=w.repository)  # past the hook, as a push of someone else
    w.wait_data("a", {"key": "three"})
    w.stop()
