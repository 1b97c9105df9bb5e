#!/usr/bin/env python3
"""A real docker-registry with images in it, and a front before it that wants tokens. Prints "ready REGISTRY_PORT FRONT_PORT".

    registry_world.py DIR IMAGES [--user U --password P] [--cert F --key F] [--realm URL] [--log FILE]

IMAGES is JSON: {"team/app": [{"tag":, "created":, "labels":, "kind": "docker" or "oci", "platforms": [..]}]}; several platforms make a list,
"copies": N gives the same image N more tags (TAG-1...). Both end with standard input.
"""

import argparse
import base64
import hashlib
import http.client
import http.server
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time

TYPES = {
    "docker": ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
               "application/vnd.docker.container.image.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    "oci": ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"),
}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.data = os.path.join(folder, "data")
        config = os.path.join(folder, "config.yml")
        with open(config, "w") as out:
            out.write(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n"
                      f"  filesystem: {{rootdirectory: {self.data}}}\nhttp: {{addr: \"127.0.0.1:{self.port}\"}}\n")
        self.process = subprocess.Popen(["docker-registry", "serve", config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.request("GET", "/v2/")
                return
            except OSError:
                self.connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def request(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]}")
        return answer

    def blob(self, name, data, kind):
        where = self.request("POST", f"/v2/{name}/blobs/uploads/", b"").headers["Location"]
        path = where.split(f":{self.port}", 1)[-1]
        self.request("PUT", f"{path}&digest={digest(data)}", data, {"Content-Type": "application/octet-stream"})
        return {"mediaType": kind, "digest": digest(data), "size": len(data)}

    def manifest(self, name, references, value):
        data = json.dumps(value).encode()
        for reference in references or [digest(data)]:
            self.request("PUT", f"/v2/{name}/manifests/{reference}", data, {"Content-Type": value["mediaType"]})
        return {"mediaType": value["mediaType"], "digest": digest(data), "size": len(data)}

    def image(self, name, references, types, platform, spec):
        system, architecture = platform.split("/")[:2]
        config = {"os": system, "architecture": architecture, "config": {"Labels": spec.get("labels")},
                  "rootfs": {"type": "layers", "diff_ids": []}}
        if spec.get("created"):
            config["created"] = spec["created"]
        value = {"schemaVersion": 2, "mediaType": types[0], "config": self.blob(name, json.dumps(config).encode(), types[2]),
                 "layers": [self.blob(name, b"layer", types[3])]}
        return dict(self.manifest(name, references, value), platform={"os": system, "architecture": architecture})

    def push(self, name, spec):
        types = TYPES[spec.get("kind", "docker")]
        references = [spec["tag"]]
        platforms = spec.get("platforms", ["linux/amd64"])
        if len(platforms) == 1:
            self.image(name, references, types, platforms[0], spec)
            return self.copy(name, spec)
        parts = [self.image(name, None, types, platform, spec) for platform in platforms]
        self.manifest(name, references, {"schemaVersion": 2, "mediaType": types[1], "manifests": parts})

    def copy(self, name, spec):
        """More tags beside this one, on the disk: a push of each takes long."""
        tags = os.path.join(self.data, "docker/registry/v2/repositories", name, "_manifests/tags")
        for i in range(1, spec.get("copies", 0) + 1):
            shutil.copytree(os.path.join(tags, spec["tag"]), os.path.join(tags, f"{spec['tag']}-{i}"))


class Front(http.server.BaseHTTPRequestHandler):
    """Tokens for who knows the password; all else goes on to the registry."""
    protocol_version = "HTTP/1.1"
    options = registry = None

    def log_message(self, *_):
        pass

    def reply(self, status, text, headers=()):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def do_GET(self):
        options = self.options
        if options.log:
            with open(options.log, "a") as out:
                out.write(f"{self.command} {self.path} {self.headers.get('Authorization', '-').split()[0]}\n")
        if self.path.startswith("/token?"):
            wanted = "Basic " + base64.b64encode(f"{options.user}:{options.password}".encode()).decode()
            if options.user and self.headers.get("Authorization") != wanted:
                return self.reply(401, b"{}")
            return self.reply(200, b'{"token":"front-token","expires_in":300}')
        if self.headers.get("Authorization") != "Bearer front-token":
            scheme = "https" if options.cert else "http"
            realm = options.realm or f"{scheme}://{self.headers['Host']}/token"
            return self.reply(401, b"{}", [("WWW-Authenticate", f'Bearer realm="{realm}",service="front"')])
        inner = http.client.HTTPConnection("127.0.0.1", self.registry.port, timeout=20)
        headers = {key: value for key, value in self.headers.items() if key in ("Accept", "Host")}
        inner.request(self.command, self.path, None, headers)
        answer = inner.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key not in ("Transfer-Encoding", "Connection", "Date"):
                self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
        inner.close()

    do_HEAD = do_GET


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("images")
    for name in ("user", "password", "cert", "key", "realm", "log"):
        parser.add_argument("--" + name)
    Front.options = parser.parse_args()
    Front.registry = registry = Registry(Front.options.dir)
    try:
        for name, specs in json.loads(Front.options.images).items():
            for spec in specs:
                registry.push(name, spec)
        front = Server(("127.0.0.1", 0), Front)
        if Front.options.cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(Front.options.cert, Front.options.key)
            front.socket = context.wrap_socket(front.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=front.serve_forever, daemon=True).start()
        print("ready", registry.port, front.server_address[1], flush=True)
        sys.stdin.read()
    finally:
        registry.process.kill()
        registry.process.wait()


main()
