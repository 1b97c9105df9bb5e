"""Files that the repository keeps encrypted: with SOPS, with git-secret. The programs are the real ones."""

import contextlib
import glob
import os
import re
import subprocess

import yaml
from lab import Failed, contains, expect, lasts, needs, wait

PLAIN = ("hunter2", "hunter3")


class Keys:
    """A key ring with a key of Jane's, her secret key as a file, and an empty ring for serin."""

    def __init__(self, w):
        self.home, self.file, self.serin_home = w.path("gnupg"), w.path("jane.asc"), w.path("serin-gnupg")
        self.env = {**os.environ, "GNUPGHOME": self.home, "HOME": w.path("home"), "GIT_CONFIG_NOSYSTEM": "1"}
        for folder in (self.home, self.serin_home):
            os.makedirs(folder, mode=0o700)
        gpg = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        self.run(*gpg, "--quick-gen-key", "Jane Doe <jane@example.org>", "ed25519", "default", "never")
        self.print = re.search(r"^fpr:+(\w+):", self.run("gpg", "--batch", "--with-colons", "--list-keys").stdout, re.M)[1]
        self.run(*gpg, "--quick-add-key", self.print, "cv25519", "encr", "never")
        with open(self.file, "w") as out:
            out.write(self.run(*gpg, "--export-secret-keys", "--armor").stdout)

    def run(self, *command, cwd=None):
        return subprocess.run(command, env=self.env, cwd=cwd, check=True, capture_output=True, text=True)

    def encrypt(self, path, *objects):
        """Writes the file of these objects as sops encrypts it."""
        with open(path, "w") as out:
            yaml.safe_dump_all(objects, out)
        self.run("sops", "--encrypt", "--in-place", "--pgp", self.print, "--encrypted-regex", "^(data|stringData)$", path)


@contextlib.contextmanager
def keys_of(w):
    keys = Keys(w)
    try:
        yield keys
    finally:
        for home in (keys.home, keys.serin_home):
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)


def keeps_quiet(w, *more):
    for text in (w.log(), *more):
        for plain in PLAIN:
            if plain in text:
                raise Failed(f"{plain} is not to be shown:\n" + "\n".join(one for one in text.splitlines() if plain in one))


def problem(w, pattern):
    def look():
        found = w.held()[1]
        return any(re.search(pattern, one) for one in found) or expect(found, [pattern], "problems")
    wait(look, f"a problem like {pattern}")


@needs("sops")
def test_files_of_sops_are_decrypted(w):
    with keys_of(w) as keys:
        w.write({"ns.yaml": w.namespace(), "all.yaml": w.configmap("plain")})
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": w.ns}, "stringData": {"password": PLAIN[0]}}
        keys.encrypt(os.path.join(w.work, "db.yaml"), secret, w.configmap("hidden", {"key": PLAIN[0]}))
        w.commit()
        w.serin()
        w.wait_data("plain", {"key": "one"})
        problem(w, r"db\.yaml: encrypted with SOPS: start serin with --sops")
        expect(w.data("hidden"), None, "ConfigMap hidden: ciphertext is not applied")
        w.stop()

        # The key comes later: it is tried again, without another commit.
        w.serin("--sops", env={"GNUPGHOME": keys.serin_home})
        problem(w, r"db\.yaml: encrypted with SOPS, and cannot be decrypted: sops failed with exit status 128: ")
        keys.run("gpg", "--batch", "--homedir", keys.serin_home, "--import", keys.file)
        w.wait_data("hidden", {"key": PLAIN[0]})
        expect(w.get("Secret", "db")["data"], {"password": "aHVudGVyMg=="}, "Secret db")

        # What would change is shown without values, of a ConfigMap, too.
        keys.encrypt(os.path.join(w.work, "db.yaml"), secret, w.configmap("hidden", {"key": PLAIN[1]}))
        code, out, err = w.cli("diff", "--sops", "db.yaml", env={"GNUPGHOME": keys.home})
        contains(out, r"~ \.data\.key: \*\*\* -> \*\*\*", f"serin diff ({code}, {err})")
        keeps_quiet(w, out, err)
        code, out, err = w.cli("diff", "db.yaml")
        contains(err, "db.yaml: encrypted with SOPS", "serin diff without --sops")

        # A file that was tampered with takes nothing away, and stops no other.
        with open(os.path.join(w.work, "db.yaml")) as source:
            text = source.read()
        w.commit({"db.yaml": text.replace("name: hidden", "name: other"), "all.yaml": w.configmap("plain", {"key": "two"})})
        w.wait_data("plain", {"key": "two"})
        problem(w, r"db\.yaml: encrypted with SOPS, and cannot be decrypted: sops failed with exit status 51: MAC mismatch")
        expect(w.data("hidden"), {"key": PLAIN[0]}, "ConfigMap hidden: what was declared before stays")
        w.commit({"db.yaml": text})
        w.wait_data("hidden", {"key": PLAIN[1]})
        expect(w.held()[1], [], "problems")
        keeps_quiet(w)


@needs("git-secret")
@lasts(17)
def test_files_of_git_secret_are_revealed(w):
    def hide(message):
        keys.run("git", "secret", "hide", "-d", cwd=w.work)
        w.commit(message=message)

    with keys_of(w) as keys:
        before = set(glob.glob("/dev/shm/serin-reveal-*"))
        w.commit({"ns.yaml": w.namespace(), "all.yaml": w.configmap("plain")})
        keys.run("git", "secret", "init", cwd=w.work)
        keys.run("git", "secret", "tell", "jane@example.org", cwd=w.work)
        os.makedirs(os.path.join(w.work, "apps"), exist_ok=True)
        w.write({"apps/a.yaml": w.configmap("hidden", {"key": PLAIN[0]}), "apps/b.yaml": w.configmap("gone", {"key": PLAIN[0]})})
        keys.run("git", "secret", "add", "apps/a.yaml", "apps/b.yaml", cwd=w.work)
        hide("Hide")
        expect(w.git("ls-files", "apps").split(), ["apps/a.yaml.secret", "apps/b.yaml.secret"], "what is committed")
        w.serin("--git-secret", "--git-gpg-key-import=" + keys.file, env={"GNUPGHOME": keys.serin_home})
        w.wait_data("hidden", {"key": PLAIN[0]})
        w.wait_data("gone", {"key": PLAIN[0]})

        keys.run("git", "secret", "reveal", "-f", cwd=w.work)
        w.write({"apps/a.yaml": w.configmap("hidden", {"key": PLAIN[1]})})
        keys.run("git", "secret", "remove", "-c", "apps/b.yaml", cwd=w.work)
        os.remove(os.path.join(w.work, "apps", "b.yaml"))
        hide("Change one, remove the other")
        w.wait_data("hidden", {"key": PLAIN[1]})
        w.wait_data("gone", None)
        code, out, err = w.cli("diff", "--git-secret", "--git-url=" + w.url, "--git-branch=" + w.branch, env={"GNUPGHOME": keys.home})
        expect((code, out), (0, "0 created, 0 changed, 0 deleted, 3 the same\n"), f"serin diff --git-secret ({err})")

        # One that cannot be revealed takes nothing away.
        w.commit({"apps/a.yaml.secret": "garbage", "all.yaml": w.configmap("plain", {"key": "two"})})
        w.wait_data("plain", {"key": "two"})
        problem(w, r"apps/a\.yaml: encrypted with git-secret, and cannot be revealed: git-secret failed with exit status ")
        expect(w.data("hidden"), {"key": PLAIN[1]}, "ConfigMap hidden: what was declared before stays")
        keeps_quiet(w)
        expect(set(glob.glob("/dev/shm/serin-reveal-*")) - before, set(), "what is left in memory")
