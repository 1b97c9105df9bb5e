"""The world of one scenario: control plane, registry, cache, git server, daemon, recording proxy."""

import getpass
import json
import os
import re
import shlex
import shutil
import subprocess
import time

from .cluster import Cluster
from .normalise import REGISTRY, Normaliser
from .processes import Process, free_port
from .proxy import Proxy, exchange
from .registry import Registry
from .sshd import Sshd


class Failed(Exception):
    """A scenario could not go on."""


class World:
    def __init__(self, directory, scenario, options):
        self.directory, self.scenario, self.options = directory, scenario, options
        self.processes, self.daemon, self.starts = [], None, 0
        self.normalise = Normaliser()
        self.normalise.refresh = self.learn_commits
        self.branch = scenario.get("branch", "master")
        for name in ("scratch", "home", "user", "git"):
            os.makedirs(self.path(name), exist_ok=True)
        self.listen_port, self.memcached_port = free_port(), free_port()
        self.proxy = Proxy()
        self.proxy.target = self.listen_port
        self.clock = 0

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    # -- parts --------------------------------------------------------------------------------------------------

    def up(self):
        self.start_control_plane()
        self.registry = Registry(self.path("registry"), self.options.registry)
        self.registry.start()
        memcached = [self.options.memcached, "-l", "127.0.0.1", "-p", str(self.memcached_port), "-U", "0", "-m", "32"]
        if os.getuid() == 0:
            memcached += ["-u", "root"]
        self.processes.append(Process(memcached, self.path("memcached.log")))
        self.make_repository()
        if self.scenario.get("git_url") == "ssh":
            self.start_sshd()
        if self.scenario.get("gpg"):
            self.make_signing_key()
        self.write_homes()
        name = self.normalise.name
        name(self.git_url, "GIT_URL")
        name(self.repository, "GIT_DIR")
        name(self.directory, "DIR")
        name(self.registry.address, REGISTRY)
        name(f"127.0.0.1:{self.listen_port}", "DAEMON")
        name(f"127.0.0.1:{self.proxy.port}", "DAEMON")
        name(self.cluster.server, "KUBE_API")
        name(getpass.getuser() + "@127.0.0.1", "git@127.0.0.1")

    def start_control_plane(self):
        if self.options.kubeconfig:
            self.kubeconfig = os.path.abspath(self.options.kubeconfig)
        else:
            log = self.path("controlplane.log")
            process = Process([self.options.playground, "up", "--dir", self.path("controlplane")], log)
            self.processes.append(process)
            deadline = time.monotonic() + 120
            self.kubeconfig = self.path("controlplane", "kubeconfig")
            while self.kubeconfig not in process.text():
                if not process.running or time.monotonic() > deadline:
                    raise Failed("control plane did not start: " + process.text()[-500:])
                time.sleep(0.1)
        self.cluster = Cluster(self.kubeconfig)

    def down(self):
        self.stop_daemon()
        self.proxy.stop()
        if getattr(self, "registry", None):
            self.registry.stop()
        for process in reversed(self.processes):
            process.stop()
        if self.scenario.get("gpg"):
            subprocess.run(["gpgconf", "--homedir", self.path("gnupg"), "--kill", "all"], capture_output=True)

    # -- git ----------------------------------------------------------------------------------------------------

    def git(self, *args, cwd=None, check=True, env=None, data=None):
        base = dict(os.environ, HOME=self.path("user"), GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0")
        if self.scenario.get("gpg"):
            base["GNUPGHOME"] = self.path("gnupg")
        done = subprocess.run(["git", *args], cwd=cwd or self.work, env={**base, **(env or {})}, input=data,
                              capture_output=True, text=True)
        if check and done.returncode:
            raise Failed(f"git {' '.join(args)}: {done.stderr}")
        return done

    def make_repository(self):
        self.repository, self.work = self.path("git", "repo.git"), self.path("git", "work")
        with open(self.path("user", ".gitconfig"), "w") as out:
            out.write("[user]\n\tname = Jane Doe\n\temail = jane@example.org\n[safe]\n\tdirectory = *\n"
                      "[init]\n\tdefaultBranch = master\n[commit]\n\tgpgSign = false\n[advice]\n\tdetachedHead = false\n")
        self.git("init", "-q", "--bare", "-b", self.branch, self.repository, cwd=self.directory)
        self.git("config", "receive.denyDeleteCurrent", "ignore", cwd=self.repository)
        self.git("clone", "-q", self.repository, self.work, cwd=self.directory)
        self.git("checkout", "-q", "-B", self.branch)
        self.git_url = "file://" + self.repository
        if self.scenario.get("files"):
            self.commit({"message": "Initial commit", "files": self.scenario["files"]})

    def fill(self, text):
        if not isinstance(text, str):
            return text
        return text.replace("$REGISTRY", self.registry.address).replace("$GIT_URL", getattr(self, "git_url", ""))

    def commit(self, step):
        """Writes and removes files, commits with a date of its own, pushes."""
        for name, text in (step.get("files") or {}).items():
            target = os.path.join(self.work, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if isinstance(text, dict) and "link" in text:
                os.symlink(text["link"], target)
                continue
            text = text if isinstance(text, dict) else {"text": text}
            with open(target, "w", newline="") as out:
                out.write(self.fill(text["text"]).replace("\n", "\r\n" if text.get("crlf") else "\n"))
            if text.get("mode"):
                os.chmod(target, int(str(text["mode"]), 8))
        for name in step.get("remove") or []:
            path = os.path.join(self.work, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        for edit in step.get("replace") or []:
            path = os.path.join(self.work, edit["file"])
            with open(path, newline="") as source:
                text = source.read()
            if self.fill(edit["old"]) not in text:
                raise Failed(f"{edit['file']} does not contain {edit['old']!r}")
            with open(path, "w", newline="") as out:
                out.write(text.replace(self.fill(edit["old"]), self.fill(edit["new"])))
        self.clock += 1
        date = f"2024-01-01T{self.clock // 60:02d}:{self.clock % 60:02d}:00Z"
        self.git("add", "-A")
        args = ["commit", "-q", "--allow-empty", "-m", step.get("message", "Change")]
        args += ["--amend"] if step.get("amend") else []
        args += ["-S"] if step.get("sign") else []
        args += ["--author", step["author"]] if step.get("author") else []
        self.git(*args, env={"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date})
        if step.get("push", True):
            self.git("push", "-q", *(["--force"] if step.get("force") else []), "origin", "HEAD:" + self.branch)
        self.learn_commits()

    def pull(self):
        self.git("fetch", "-q", "--tags", "--force", "origin", check=False)
        self.git("reset", "-q", "--hard", "origin/" + self.branch, check=False)

    def learn_commits(self):
        if not hasattr(self, "repository"):
            return
        refs = self.git("for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags", cwd=self.repository).stdout.split()
        if refs:
            listed = self.git("rev-list", "--reverse", "--topo-order", *refs, cwd=self.repository, check=False)
            for sha in listed.stdout.split():
                self.normalise.commit(sha)

    def head(self):
        done = self.git("rev-parse", "-q", "--verify", "refs/heads/" + self.branch, cwd=self.repository, check=False)
        return done.stdout.strip()

    def marker(self):
        """The revision the daemon says it has synced."""
        if self.secret_state:
            secret = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/secrets/flux-git-deploy") or {}
            return (secret.get("metadata", {}).get("annotations") or {}).get("flux.weave.works/sync-hwm", "")
        done = self.git("rev-parse", "-q", "--verify", f"refs/tags/{self.sync_tag}^{{commit}}", cwd=self.repository, check=False)
        return done.stdout.strip()

    def start_sshd(self):
        sshd = Sshd(self.path("ssh"), self.path("sshd.log"))
        if self.scenario.get("ssh_read_only"):
            sshd.let_in(options='restrict,command="case \\"$SSH_ORIGINAL_COMMAND\\" in git-upload-pack*) eval \\"$SSH_ORIGINAL_COMMAND\\";; '
                        '*) echo ERROR: this key is read only >&2; exit 1;; esac"')
        self.processes.append(sshd.start())
        self.git_url = sshd.url(self.repository)
        self.normalise.name(f"[127.0.0.1]:{sshd.port}", "[127.0.0.1]:PORT")

    def make_signing_key(self):
        home = self.path("gnupg")
        os.makedirs(home, mode=0o700, exist_ok=True)
        env = dict(os.environ, GNUPGHOME=home)
        subprocess.run(["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key",
                        "Jane Doe <jane@example.org>", "ed25519", "sign", "never"], env=env, check=True, capture_output=True)
        listed = subprocess.run(["gpg", "--batch", "--with-colons", "-K"], env=env, check=True, capture_output=True, text=True)
        self.signing_key = re.search(r"^fpr:+([0-9A-F]+):", listed.stdout, re.M).group(1)
        self.normalise.name(self.signing_key, "<signing key>")
        self.normalise.name(self.signing_key[-16:], "<signing key id>")

    # -- daemon -------------------------------------------------------------------------------------------------

    def write_homes(self):
        with open(self.path("home", ".gitconfig"), "w") as out:
            out.write("[safe]\n\tdirectory = *\n")
            if self.scenario.get("git_url") == "ssh":
                out.write(f"[core]\n\tsshCommand = ssh -F {self.path('ssh', 'ssh_config')}\n")

    @property
    def flags(self):
        return list(self.scenario.get("flags") or []) + list(self.extra_flags)

    def flag(self, name, default):
        for one in self.flags:
            key, _, value = one.partition("=")
            if key == "--" + name:
                default = value or True
        return default

    extra_flags = ()

    @property
    def sync_tag(self):
        return self.flag("git-label", None) or self.flag("git-sync-tag", "flux-sync")

    @property
    def secret_state(self):
        return self.flag("sync-state", "git") == "secret" or bool(self.flag("git-readonly", False))

    @property
    def namespace(self):
        return self.scenario.get("namespace", "flux")

    @property
    def set_parts(self):
        url = self.git_url
        paths = [p for one in self.flags if one.startswith("--git-path=") for p in one.split("=", 1)[1].split(",")]
        return [url, self.branch, *paths]

    def values(self):
        ssh = self.path("ssh")
        return {"kubeconfig": self.kubeconfig, "git_url": self.git_url, "git_branch": self.branch,
                "listen_port": str(self.listen_port), "memcached_port": str(self.memcached_port),
                "registry": self.registry.address, "home": self.path("home"), "namespace": self.namespace,
                "ssh_key_dir": ssh, "ssh_key": os.path.join(ssh, "identity"), "known_hosts": os.path.join(ssh, "known_hosts"),
                "state_dir": self.path("state"), "dir": self.directory}

    def start_daemon(self, step=None):
        step = step if isinstance(step, dict) else {}
        if "flags" in step:
            self.extra_flags = tuple(step["flags"])
        self.starts += 1
        values = self.values()
        command = []
        for word in shlex.split(self.options.daemon):
            if word == "{flags}":
                flags = list(self.flags)
                given = {one.split("=")[0] for one in flags}
                for default in ("--git-poll-interval=1h", "--sync-interval=1h", "--automation-interval=1h"):
                    if default.split("=")[0] not in given:
                        flags.append(default)
                command += [self.place(one, values) for one in flags]
            else:
                command.append(self.place(word, values))
        env = {k: v for k, v in os.environ.items() if not k.startswith(("FLUX_", "WEAVE_", "GIT_", "GNUPG"))}
        env.update(HOME=self.path("home"), KUBECONFIG=self.kubeconfig, CHECKPOINT_DISABLE="1", TMPDIR=self.path("scratch"),
                   GIT_CONFIG_NOSYSTEM="1", PATH=os.pathsep.join([*self.options.tools, os.environ["PATH"]]))
        if self.scenario.get("gpg"):
            env["GNUPGHOME"] = self.path("gnupg")
        if self.scenario.get("in_cluster"):
            command = self.in_cluster(env) + command
        env.update({k: self.place(v, values) for k, v in (self.scenario.get("env") or {}).items()})
        self.daemon = Process(command, self.path(f"daemon{self.starts}.log"), env=env, cwd=self.path("home"))
        self.log_offset = 0
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if not self.daemon.running:
                if step.get("fails"):
                    return
                raise Failed("daemon ended: " + self.daemon.text()[-2000:])
            try:
                if exchange(self.listen_port, "GET", "/api/flux/v11/version", {"Accept": "application/json"})[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise Failed("daemon does not answer: " + self.daemon.text()[-2000:])

    def place(self, text, values):
        for key, value in values.items():
            text = text.replace("{" + key + "}", value)
        if self.scenario.get("gpg"):
            text = text.replace("{signing_key}", self.signing_key)
        return self.fill(text)

    def in_cluster(self, env):
        """A mount namespace in which the service account's files are where a pod has them."""
        account = self.path("serviceaccount")
        os.makedirs(account, exist_ok=True)
        for name, text in (("token", self.cluster.token), ("namespace", self.namespace)):
            with open(os.path.join(account, name), "w") as out:
                out.write(text)
        shutil.copy(self.cluster.ca, os.path.join(account, "ca.crt"))
        host, port = self.cluster.server.split("//")[1].split(":")
        env.update(KUBERNETES_SERVICE_HOST=host, KUBERNETES_SERVICE_PORT=port)
        script = ('mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount && '
                  f'cp {shlex.quote(account)}/* /run/secrets/kubernetes.io/serviceaccount/ && exec "$@"')
        return ["unshare", *(["-r"] if os.getuid() else []), "-m", "--propagation", "private", "sh", "-c", script, "sh"]

    def stop_daemon(self):
        if self.daemon:
            return self.daemon.stop()

    def api(self, method, path, body=None, headers=None):
        data = body if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        headers = {"Accept": "application/json"} if headers is None else headers
        return exchange(self.listen_port, method, "/api/flux/" + path, headers, data)

    def ctl(self, args, env=None, timeout=150):
        base = {k: v for k, v in os.environ.items() if not k.startswith(("FLUX_", "WEAVE_", "GIT_"))}
        base.update(HOME=self.path("user"), KUBECONFIG=self.kubeconfig, GIT_CONFIG_NOSYSTEM="1",
                    FLUX_URL=f"http://127.0.0.1:{self.proxy.port}/api/flux")
        base.update(env or {})
        command = shlex.split(self.options.cli)
        words = shlex.split(args) if isinstance(args, str) else [str(one) for one in args]
        if "{args}" in command:
            at = command.index("{args}")
            command[at:at + 1] = words
        else:
            command += words
        command = [self.place(one, dict(self.values(), url=base["FLUX_URL"])) for one in command]
        self.proxy.take()
        work = self.path("cli")
        os.makedirs(work, exist_ok=True)
        try:
            done = subprocess.run(command, env=base, cwd=work, capture_output=True, text=True, timeout=timeout,
                                  stdin=subprocess.DEVNULL)
            result = {"exit": done.returncode, "stdout": done.stdout, "stderr": done.stderr}
        except subprocess.TimeoutExpired:
            result = {"exit": "timeout"}
        return result, self.proxy.take()

    def kubectl(self, args, data=None):
        words = shlex.split(args) if isinstance(args, str) else args
        done = subprocess.run(["kubectl", *words], env=dict(os.environ, KUBECONFIG=self.kubeconfig, HOME=self.path("user")),
                              input=self.fill(data) if data else None, capture_output=True, text=True, timeout=120)
        return done

    def log_lines(self):
        text = self.daemon.text()
        lines, self.log_offset = text[self.log_offset:], len(text)
        return lines.splitlines()
