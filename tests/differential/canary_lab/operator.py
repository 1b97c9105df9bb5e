"""The operator under test: a child process started from a command template."""
import os
import re
import shlex
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from gitops_lab.processes import free_port


class Operator:
    def __init__(self, template, values, log):
        self.template, self.values, self.log = template, values, log
        self.port = free_port()
        self.process = None
        self.restarts = 0
        self.lock = threading.Lock()

    def start(self):
        command = shlex.split(self.template.format(port=self.port, **self.values))
        self.out = open(self.log, "ab")
        self.process = subprocess.Popen(command, stdout=self.out, stderr=self.out)
        end = time.monotonic() + 60
        while self.scrape() is None:
            if self.process.poll() is not None:
                raise RuntimeError(f"the operator ended with {self.process.returncode}; see {self.log}")
            if time.monotonic() > end:
                raise RuntimeError(f"the operator serves no /metrics on its port {self.port}; see {self.log}")
            time.sleep(0.1)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def restart(self):
        with self.lock:
            self.restarts += 1
            self.stop()
            self.start()

    def scrape(self):
        """{series: value} of the operator's own metrics, or None while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, OSError):
            return None
        out = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                out[series] = float(value)
        return out

    def metrics_of(self, namespace):
        """The series that speak of one namespace; of times only how often they were taken."""
        out = {}
        for series, value in sorted((self.scrape() or {}).items()):
            if f'namespace="{namespace}"' in series and not re.match(r"\w+_(bucket|sum)\{", series):
                out[series] = value
        return out

    def memory(self):
        """Resident set in KiB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ControlPlane:
    """`playground up` as a child, in a directory of its own."""

    def __init__(self, binary):
        self.dir = tempfile.TemporaryDirectory(prefix="lab-")
        self.process = subprocess.Popen([binary, "up", "--dir", self.dir.name], stdout=subprocess.PIPE, text=True)
        self.kubeconfig = self.process.stdout.readline().strip()
        if not self.kubeconfig:
            raise RuntimeError("the control plane did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.dir.cleanup()
