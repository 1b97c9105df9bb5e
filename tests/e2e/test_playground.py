"""scripts/playground.sh, as a newcomer runs it."""

import os
import re
import signal
import subprocess

from lab import HERE, Cluster, Process, expect, free_port, lasts, wait


@lasts(15)
def test_the_playground_shows_what_it_promises(w):
    script, port, folder = os.path.join(HERE, "..", "..", "scripts", "playground.sh"), free_port(), w.path("playground")
    env = dict(os.environ)
    process = Process([script, "--dir", folder, "--port", str(port)], w.path("playground.log"), env=env)
    w.processes.append(process)
    wait(lambda: not process.running or "Three things to try" in process.text(), "the playground", 300)
    expect(process.running, True, "the playground runs: " + process.text()[-2000:])
    found = re.search(r"export KUBECONFIG=(\S+)\n\s+repository\s+(\S+)", process.text())
    cluster, url, clone = Cluster(found.group(1)), found.group(2), w.path("clone")

    def git(*args, cwd=clone):
        done = subprocess.run(["git", *args], cwd=cwd, capture_output=True, text=True, env=dict(os.environ, HOME=w.path("user")))
        expect(done.returncode, 0, f"git {' '.join(args)}: {done.stderr}")

    def image():
        return cluster.get("Deployment", "backend", "prod")["spec"]["template"]["spec"]["containers"][0]["image"]
    expect(image(), "stefanprodan/podinfo:3.1.0", "the image at first")
    git("clone", "-q", "-c", "user.name=me", "-c", "user.email=me@example.com", url, clone, cwd=w.directory)
    manifest = os.path.join(clone, "prod", "backend", "deployment.yaml")
    with open(manifest) as source:
        text = source.read()
    with open(manifest, "w") as out:
        out.write(text.replace("podinfo:3.1.0", "podinfo:3.1.1"))
    git("commit", "-qam", "Release podinfo 3.1.1")
    git("push", "-q")
    wait(lambda: image() == "stefanprodan/podinfo:3.1.1", "the new image")
    uid = cluster.get("Service", "flagger-loadtester", "prod")["metadata"]["uid"]
    cluster.delete("Service", "flagger-loadtester", "prod")
    wait(lambda: (cluster.get("Service", "flagger-loadtester", "prod") or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid, "the Service to come back")
    git("rm", "-q", "prod/loadtest/service.yaml")
    git("commit", "-qm", "No load test")
    git("push", "-q")
    wait(lambda: cluster.get("Service", "flagger-loadtester", "prod") is None, "the Service to go")
    process.child.send_signal(signal.SIGINT)
    wait(lambda: not process.running, "the playground to end", 30)
    expect(process.child.returncode, 0, "exit status after Ctrl-C")

