"""scripts/playground.sh, as a newcomer runs it."""

import hashlib
import json
import os
import re
import signal
import subprocess

import urllib.request

from lab import HERE, KINDS, Cluster, Failed, Process, expect, free_port, lasts, wait

TOP = os.path.join(HERE, "..", "..")
FIRST_IMAGE = "sha256:122654d899216e40b5e743377e002e7b950fc43850da4d78be08dd46a973757c"
KINDS["Canary"] = ("/apis/flagger.app/v1beta1", "canaries", True)


def read(*path):
    with open(os.path.join(TOP, *path)) as source:
        return source.read()


def releases(w, cluster, kubeconfig, said, folder):
    """What the script says of canaries: its own application, a release of it, the alerts."""
    gateway = re.search(r"application  (http://\S+)", said).group(1)

    def kubectl(*words):
        done = subprocess.run(["kubectl", "--kubeconfig", kubeconfig, *words], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"kubectl {' '.join(words)}: {done.stderr}")

    def version():
        with urllib.request.urlopen(urllib.request.Request(gateway + "/version", headers={"Host": "app.example.com"}), timeout=20) as answer:
            return answer.read().decode()

    def initialized():  # and further, where the push of before came after it
        phases = [one.get("status", {}).get("phase", "") for one in cluster.list("Canary", "prod")]
        expect(bool(phases) and {"", "Initializing", "Failed"}.isdisjoint(phases), True, f"phases {phases}: all begun and none failed")
        return True
    wait(initialized, "the repository's canaries", 90)
    kubectl("apply", "-f", os.path.join(TOP, "deploy", "playground", "podinfo.yaml"))
    kubectl("-n", "test", "wait", "canary/podinfo", "--for=condition=promoted", "--timeout=90s")
    wait(lambda: "6.0.0" in version(), "the application")
    kubectl("-n", "test", "set", "image", "deployment/podinfo", "podinfod=ghcr.io/stefanprodan/podinfo:6.0.1")
    wait(lambda: "6.0.1" in version(), "the new version for some", 120)
    wait(lambda: "podinfo.test: New revision detected, progressing canary analysis." in open(os.path.join(folder, "slack.log")).read(), "the alert")


def pushes(folder, registry):
    """The registry has the images that the repository names, and takes others; the same tags are the same bytes elsewhere."""
    script = os.path.join(TOP, "scripts", "playground-push")

    def push(*words, status=0):
        done = subprocess.run([script, "--dir", folder, *words], capture_output=True, text=True)
        expect(done.returncode, status, f"playground-push {' '.join(words)}: {done.stderr}")
        return done.stdout + done.stderr

    def tags(name="stefanprodan/podinfo"):
        with urllib.request.urlopen(f"http://{registry}/v2/{name}/tags/list", timeout=20) as answer:
            return sorted(json.load(answer)["tags"])

    def digest(tag):
        asked = urllib.request.Request(f"http://{registry}/v2/stefanprodan/podinfo/manifests/{tag}",
                                       headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return "sha256:" + hashlib.sha256(answer.read()).hexdigest()
    expect(tags(), ["3.1.0", "3.1.1", "3.1.2"], "tags of podinfo")
    expect(tags("fluxcd/flagger-loadtester"), ["0.34.0"], "tags of the load tester")
    expect(digest("3.1.0"), FIRST_IMAGE, "what the first image is, to the byte")
    expect(push("podinfo:3.1.3"), f"pushed: {registry}/stefanprodan/podinfo:3.1.3\n", "a push")
    expect(tags(), ["3.1.0", "3.1.1", "3.1.2", "3.1.3"], "tags after it")
    expect(push("podinfo:3.1.3"), f"there already: {registry}/stefanprodan/podinfo:3.1.3\n", "the same once more")
    expect(push("no tag", status=1), "'no tag' is not NAME:TAG\n", "what is no image")


def automates(w, api, folder, runs):
    """A new image releases itself once its workload is automated."""
    for words in (["automate"], ["policy", "--tag-all=semver:~3.1"]):
        status, out, err = w.cli(words[0], "-n", "prod", "-w", "deployment/backend", *words[1:], env={"FLUX_URL": api}, cwd=folder)
        expect(status, 0, f"serin {words[0]}: {out}{err}")
    wait(lambda: runs("3.1.3"), "the newest image that is there")
    subprocess.run([os.path.join(TOP, "scripts", "playground-push"), "--dir", folder, "podinfo:3.1.4"], check=True, stdout=subprocess.DEVNULL)
    wait(lambda: runs("3.1.4"), "the image that was pushed")


def refused(script, *words):
    """What a start says that cannot be; it says so at once."""
    done = subprocess.run([script, *words], capture_output=True, text=True, timeout=30)
    expect(done.returncode, 1, f"playground.sh {' '.join(words)}: {done.stdout}{done.stderr}")
    return re.sub(r"^\[ *\d+s\] error: ", "", done.stderr).strip()


def test_the_playground_says_what_it_does_not_take(w):
    script, none = os.path.join(TOP, "scripts", "playground.sh"), w.path("none")
    for words, said in ((["--kubeconfig", none], f"--kubeconfig {none}: there is no such file"),
                        (["--dir", w.path("p"), "--port", "x"], "--port x is no port"),
                        (["--dir", w.path("p"), "--port", "65536"], "--port 65536 is no port"),
                        (["--port"], "--port needs a value"),
                        (["--more"], "unknown argument --more (--help says which there are)")):
        expect(refused(script, *words), said, " ".join(words))


@lasts(60)
def test_the_playground_shows_what_it_promises(w):
    script, port, folder = os.path.join(TOP, "scripts", "playground.sh"), free_port(), w.path("playground")
    env = dict(os.environ)
    process = Process([script, "--dir", folder, "--port", str(port)], w.path("playground.log"), env=env)
    w.processes.append(process)
    wait(lambda: not process.running or "Ctrl-C ends it" in process.text(), "the playground", 300)
    expect(process.running, True, "the playground runs: " + process.text()[-2000:])
    found = re.search(r"export KUBECONFIG=(\S+)\n\s+repository\s+(\S+)", process.text())
    cluster, url, clone = Cluster(found.group(1)), found.group(2), w.path("clone")

    def git(*args, cwd=clone):
        done = subprocess.run(["git", *args], cwd=cwd, capture_output=True, text=True, env=dict(os.environ, HOME=w.path("user")))
        expect(done.returncode, 0, f"git {' '.join(args)}: {done.stderr}")

    def image():
        return cluster.get("Deployment", "backend", "prod")["spec"]["template"]["spec"]["containers"][0]["image"]
    expect(refused(script, "--dir", folder), f"another playground is at work in {folder} (--dir takes another folder)", "a second one there")
    expect(refused(script, "--dir", w.path("other"), "--port", str(port)), f"--port {port}: something listens on 127.0.0.1:{port} already", "its port")
    registry = re.search(r"images +(127\.0\.0\.1:\d+)", process.text())[1]
    podinfo = registry + "/stefanprodan/podinfo"
    expect(image(), podinfo + ":3.1.0", "the image at first")
    pushes(folder, registry)
    git("clone", "-q", "-c", "user.name=me", "-c", "user.email=me@example.com", url, clone, cwd=w.directory)
    manifest = os.path.join(clone, "prod", "backend", "deployment.yaml")
    with open(manifest) as source:
        text = source.read()
    with open(manifest, "w") as out:
        out.write(text.replace("podinfo:3.1.0", "podinfo:3.1.1"))
    git("commit", "-qam", "Release podinfo 3.1.1")
    git("push", "-q")
    wait(lambda: image() == podinfo + ":3.1.1", "the new image")
    uid = cluster.get("Service", "flagger-loadtester", "prod")["metadata"]["uid"]
    cluster.delete("Service", "flagger-loadtester", "prod")
    wait(lambda: (cluster.get("Service", "flagger-loadtester", "prod") or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid, "the Service to come back")
    git("rm", "-q", "prod/loadtest/service.yaml")
    git("commit", "-qm", "No load test")
    git("push", "-q")
    wait(lambda: cluster.get("Service", "flagger-loadtester", "prod") is None, "the Service to go")
    releases(w, cluster, found.group(1), process.text(), folder)
    automates(w, f"http://127.0.0.1:{port}/api/flux", folder, lambda tag: image() == f"{podinfo}:{tag}")
    process.child.send_signal(signal.SIGINT)
    wait(lambda: not process.running, "the playground to end", 60)
    expect(process.child.returncode, 0, "exit status after Ctrl-C")


def test_the_sample_repository_has_our_definitions(_):
    expect(read("repo-layout", "flagger", "crds.yaml"), read("deploy", "crds.yaml"), "the kinds in repo-layout")

