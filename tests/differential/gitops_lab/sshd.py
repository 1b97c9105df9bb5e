"""A real sshd on loopback, with a key of its own and one that is let in."""

import getpass
import os
import shutil
import subprocess

from .processes import Process, free_port


class Sshd:
    """Files below `directory`: host_key, identity (let in), other (not), known_hosts, ssh_config, authorized_keys."""

    def __init__(self, directory, log, kind="ed25519"):
        self.directory, self.log, self.port = directory, log, free_port()
        os.makedirs(directory, mode=0o700, exist_ok=True)
        for key in ("host_key", "identity", "other"):
            made = kind if key != "host_key" else "ed25519"
            subprocess.run(["ssh-keygen", "-q", "-t", made, "-N", "", "-C", "deploy", "-f", self.path(key)], check=True)
        os.chmod(self.path("identity"), 0o400)
        self.let_in()
        with open(self.path("sshd_config"), "w") as out:
            out.write(f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
""")
        with open(self.path("known_hosts"), "w") as out:
            out.write(f"[127.0.0.1]:{self.port} {self.host_key}\n")
        with open(self.path("ssh_config"), "w") as out:
            out.write(f"Host *\n  IdentityFile {directory}/identity\n  IdentitiesOnly yes\n  UserKnownHostsFile {directory}/known_hosts\n"
                      "  StrictHostKeyChecking yes\n  LogLevel error\n")

    def path(self, name):
        return os.path.join(self.directory, name)

    @property
    def host_key(self):
        with open(self.path("host_key.pub")) as source:
            return " ".join(source.read().split()[:2])

    def let_in(self, key="identity", options=""):
        """Lets in that key only, with options of authorized_keys before it."""
        with open(self.path(key + ".pub")) as source:
            text = source.read()
        with open(self.path("authorized_keys"), "w") as out:
            out.write(f"{options} {text}".lstrip())

    def start(self):
        if os.getuid() == 0:  # where sshd separates privileges, which only root can
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        return Process([shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", self.path("sshd_config")], self.log)

    def url(self, repository):
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"
