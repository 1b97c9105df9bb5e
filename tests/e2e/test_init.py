"""scripts/flux-init.sh on a real control plane. Pods do not run here, so what a kubelet would do of the Deployment that was installed is done
by the test: its arguments, service account and volumes, in a file system of its own that has nothing else to write to."""

import base64
import os
import re
import shlex
import shutil
import subprocess

from lab import FORWARD, HERE, KINDS, SANITIZERS, Failed, Process, contains, expect, free_port, lasts, wait

SCRIPT = os.path.join(HERE, "..", "..", "scripts", "flux-init.sh")
KINDS["ClusterRoleBinding"] = ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False)
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"  # /var/run is /run
SYSTEM = ("bin", "lib", "lib32", "lib64", "libx32", "sbin", "usr", "proc", "dev")


class Pod:
    """One container of a Deployment, as a kubelet runs it."""

    def __init__(self, w, deployment):
        self.w, self.root, self.volumes = w, w.path("pod"), {}
        spec = deployment["spec"]["template"]["spec"]
        container = spec["containers"][0]
        os.makedirs(self.root)
        for volume in spec["volumes"]:
            self.volumes[volume["name"]] = self.fill(volume)
        account = self.account(spec["serviceAccountName"])
        mounts = [(self.volumes[m["name"]], m["mountPath"], m.get("readOnly")) for m in container["volumeMounts"]] + [(account, ACCOUNT, True)]
        env = {k: os.environ[k] for k in FORWARD if k in os.environ}
        env.update(SANITIZERS, HOME="/tmp", KUBERNETES_SERVICE_HOST=w.cluster.host, KUBERNETES_SERVICE_PORT=str(w.cluster.port))
        self.process = Process(["unshare", *(["-r"] if os.getuid() else []), "-m", "--propagation", "private", "sh", "-ec", self.script(mounts),
                                "sh", *container["args"]], w.path("pod.log"), env=env, cwd="/")
        w.processes.append(self.process)

    def folder(self, name, files=()):
        folder = self.w.path("volumes", name)
        os.makedirs(folder)
        for key, content in dict(files).items():
            with open(os.path.join(folder, key), "wb") as out:
                out.write(content)
        return folder

    def fill(self, volume):
        """A directory with what the volume has now."""
        w, files = self.w, {}
        if "secret" in volume:
            found = w.cluster.get("Secret", volume["secret"]["secretName"], w.ns)
            files = {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}
        elif "configMap" in volume:
            found = w.cluster.get("ConfigMap", volume["configMap"]["name"], w.ns)
            if not found and not volume["configMap"].get("optional"):
                raise Failed(f"the pod would wait for ConfigMap {volume['configMap']['name']}")
            files = {key: text.encode() for key, text in ((found or {}).get("data") or {}).items()}
        elif "emptyDir" not in volume:
            raise Failed(f"a volume this test does not know: {volume}")
        return self.folder(volume["name"], files)

    def account(self, name):
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        token = self.w.cluster.ask("POST", f"/api/v1/namespaces/{self.w.ns}/serviceaccounts/{name}/token", asked)["status"]["token"]
        authority = self.w.cluster.get("ConfigMap", "kube-root-ca.crt", self.w.ns)["data"]["ca.crt"]
        return self.folder("account", {"token": token.encode(), "namespace": self.w.ns.encode(), "ca.crt": authority.encode()})

    def script(self, mounts):
        root = shlex.quote(self.root)
        lines = [f"cd {root}", f"mount -t tmpfs none {root}", f"cd {root}", "mkdir -p etc run var", "ln -s ../run var/run"]
        for name in SYSTEM:
            if os.path.islink("/" + name):
                lines.append(f"cp -P /{name} {name}")
            elif os.path.isdir("/" + name):
                lines.append(f"mkdir {name}; mount --rbind /{name} {name}")
        lines.append("cp -rL /etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /etc/ssl etc 2>/dev/null || true")
        lines.append(f"touch serin; mount --bind {shlex.quote(self.w.options.serin)} serin")
        for source, target, is_read_only in mounts:
            inside = shlex.quote(target.lstrip("/"))
            lines.append(f"mkdir -p {inside}; mount --bind {shlex.quote(source)} {inside}")
            if is_read_only:
                lines.append(f"mount -o remount,bind,ro {inside}")
        lines += ["mount -o remount,ro .", 'exec chroot . /serin "$@"']
        return "\n".join(lines)


def run_script(w, *words, timeout=60, **env):
    done = subprocess.run(["sh", SCRIPT, f"--kubeconfig={w.options.kubeconfig}", *words], capture_output=True, text=True, timeout=timeout,
                          env={k: os.environ[k] for k in FORWARD if k in os.environ} | {"HOME": w.path("home"), **env}, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def path_with_logs(w):
    """A PATH on which kubectl logs shows what the pod said, which no kubelet keeps here; all else is kubectl's."""
    folder, kubectl = w.path("bin"), shutil.which("kubectl")
    os.makedirs(folder)
    with open(os.path.join(folder, "kubectl"), "w") as out:
        out.write(f"#!/bin/sh\nfor word; do\n  if [ \"$word\" = logs ]; then exec cat {shlex.quote(w.path('pod.log'))}; fi\ndone\n"
                  f"exec {shlex.quote(kubectl)} \"$@\"\n")
    os.chmod(os.path.join(folder, "kubectl"), 0o755)
    return folder + os.pathsep + os.environ["PATH"]


def start_script(w, *words):
    process = Process(["sh", SCRIPT, f"--kubeconfig={w.options.kubeconfig}", *words], w.path("init.log"), cwd="/",
                      env={k: os.environ[k] for k in FORWARD if k in os.environ} | {"HOME": w.path("home")})
    w.processes.append(process)
    return process


def words_for(w, server, port):
    return ["--namespace", w.ns, "--known-hosts", server.path("known_hosts"), "--poll-interval=1s", "--path", "apps", w.url,
            "--", f"--listen=127.0.0.1:{port}", "--canaries=off"]


@lasts(20)
def test_flux_init_brings_a_repository_into_the_cluster(w):
    server = w.sshd()
    with open(server.path("authorized_keys"), "w"):
        pass  # nobody is let in yet
    head = w.commit({"apps/map.yaml": w.configmap("from-git"), "other/map.yaml": w.configmap("not-asked-for")})
    port = free_port()
    script = start_script(w, *words_for(w, server, port))
    deployment = wait(lambda: w.get("Deployment", "flux"), "the Deployment")
    wait(lambda: w.get("ConfigMap", "kube-root-ca.crt"), "the authority of the cluster")
    pod = Pod(w, deployment)

    key = wait(lambda: re.search(r"^ssh-ed25519 \S+.*$", script.text(), re.M), "the deploy key in what the script says")[0]
    stored = base64.b64decode(w.get("Secret", "flux-git-deploy")["data"]["identity.pub"]).decode().strip()
    expect(key.strip(), stored, "the key that is shown")
    contains(script.text(), "with write access", "what to do with it")
    wait(lambda: "Permission denied" in pod.process.text(), "the git host to refuse the key")
    if not script.running:
        raise Failed("the script ended before the first sync: " + script.text())
    with open(server.path("authorized_keys"), "w") as out:
        out.write(key + "\n")

    wait(lambda: not script.running, "the script to end")
    expect(script.child.poll(), 0, "exit status; it said:\n" + script.text())
    contains(script.text(), f"synced: commit {head} of master is in the cluster", "the end")
    expect(w.data("from-git"), {"key": "one"}, "the object of the repository")
    expect(w.get("ConfigMap", "not-asked-for"), None, "what is not below --path")
    w.notes.append("key, refusal, first sync")

    status, out, said = run_script(w, *words_for(w, server, port))  # once more: nothing is made anew
    expect(status, 0, "exit status of the second run; it said:\n" + said)
    expect(out.strip(), key.strip(), "the key, alone on standard output")
    contains(said, r"deployment.apps/flux unchanged", "the second run")

    w.cluster.patch("Secret", "flux-git-deploy", w.ns, {"data": {"identity.pub": None}})  # as of a key that is older than serin
    status, out, said = run_script(w, *words_for(w, server, port), PATH=path_with_logs(w))
    expect((status, out.strip()), (0, key.strip()), "the key from the log; it said:\n" + said)
    expect(pod.process.stop(), 0, "exit status of serin; it said:\n" + pod.process.text()[-2000:])


def test_flux_init_says_what_is_wrong(w):
    url = "git@git.example.org:team/cluster"
    for words, status, said in (
            ([], 2, "which repository"),
            (["/srv/repo"], 2, "no address of a repository"),
            (["https://me:secret@host/repo"], 2, "no passwords in the URL"),
            (["--branch"], 2, "--branch needs a value"),
            (["--no-such", url], 2, "unknown option --no-such"),
            (["--timeout=soon", url], 2, "takes seconds"),
            (["--namespace=A", url], 2, "no name of a namespace"),
            (["--known-hosts=/no/such", url], 1, "cannot read /no/such"),
            (["--context=nope", url], 1, "cannot reach a cluster: .*nope")):
        code, _, err = run_script(w, *words)
        expect(code, status, f"exit status of {words}: {err}")
        contains(err, said, f"what is said to {words}")
        if "secret" in err:
            raise Failed(f"a password is repeated: {err}")

    w.cluster.create("Namespace", w.namespace())
    status, out, err = run_script(w, "--namespace", w.ns, "--dry-run", url)
    expect((status, err), (0, ""), "dry run")
    contains(out, "kind: Deployment", "what a dry run prints")
    expect(w.get("Deployment", "flux"), None, "the Deployment after a dry run")

    w.cluster.create("Deployment", w.deployment("flux"), w.ns)
    status, _, err = run_script(w, "--namespace", w.ns, url)
    expect(status, 1, "exit status beside another flux")
    contains(err, "two of them would fight", "what is said beside another flux")
    expect(w.get("Secret", "flux-git-deploy"), None, "what was made in vain")
    w.cluster.delete("Deployment", "flux", w.ns)
    status, _, err = run_script(w, "--namespace", w.ns, "--timeout=4", url)  # nothing runs the pod
    expect(status, 1, "exit status when no key comes")
    contains(err, "no deploy key after 4 seconds", "what is said then")
    if shutil.which("dash"):
        subprocess.run(["dash", "-n", SCRIPT], check=True)
