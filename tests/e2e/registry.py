"""Registries of images for tests: Debian's docker-registry with real images in it, and one that behaves as told."""

import base64
import http.server
import json
import os
import re
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
from gitops_lab.registry import DOCKER, OCI, Registry, compact, digest  # noqa: E402

__all__ = ["DOCKER", "OCI", "Images", "Scripted", "basic"]


class Images(Registry):
    """The real one. Each tag of a repository is an hour younger than the one before."""

    def __init__(self, directory):
        super().__init__(directory)
        self.hours = 0
        self.start()

    def add(self, name, *tags, **spec):
        for tag in tags:
            self.hours += 1
            created = f"2024-01-{1 + self.hours // 24:02d}T{self.hours % 24:02d}:00:00Z"
            self.push(name, {"tag": tag, "created": created, **spec})

    def restart(self):
        """On its port, with its images."""
        self.stop()
        self.start()

    def stop(self, *_):
        super().stop()


class Scripted:
    """A registry that keeps its images in memory, and does with requests what `answer` says.

    `images` is {repository: {tag: "when it was created", or None}}. `answer`, if set, is asked first about every request: it takes
    the handler and says True if it has answered. `page` tags come at a time. `asked` is what came: (path with query, headers).
    """

    def __init__(self, images=None, page=1000, host="127.0.0.1"):
        self.images, self.page, self.answer, self.asked, self.sent = images or {}, page, None, [], 0
        self.lock, self.ended = threading.Lock(), threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with outer.lock:
                    outer.asked.append((self.path, dict(self.headers)))
                try:
                    if not (outer.answer and outer.answer(self)):
                        outer.usual(self)
                except OSError:
                    self.close_connection = True  # who asked has gone

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 256

            def handle_error(self, *args):
                pass

        self.server = Server((host, 0), Handler)
        self.port = self.server.server_address[1]
        self.address = f"{host}:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def count(self, pattern):
        with self.lock:
            return sum(1 for path, _ in self.asked if re.search(pattern, path))

    # -- answers ------------------------------------------------------------------------------------------------

    @staticmethod
    def send(handler, status=200, body=b"", headers=None):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)
        return True

    def hang(self, handler):
        """Until something else is to be done, or the test is over."""
        mine, handler.close_connection = self.answer, True
        while self.answer == mine and not self.ended.wait(0.1):
            pass
        return True

    def flood(self, handler, total=1 << 30, chunk=1 << 16):
        """A body of a gigabyte; `sent` is how much of it was taken."""
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(total))
        handler.end_headers()
        handler.close_connection = True
        piece, sent = b'{"name":"shop/web","tags":["' + b"x" * chunk, 0
        while sent < total and not self.ended.is_set():
            handler.wfile.write(piece)
            sent += len(piece)
            with self.lock:
                self.sent = max(self.sent, sent)
            piece = b"x" * chunk
        return True

    def config(self, created):
        return compact({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {},
                        **({"created": created} if created else {})})

    def manifest(self, created):
        config = self.config(created)
        return compact({"schemaVersion": 2, "mediaType": DOCKER["manifest"], "layers": [],
                        "config": {"mediaType": DOCKER["config"], "digest": digest(config), "size": len(config)}})

    def usual(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path in ("/v2/", "/v2"):
            return self.send(handler, body={})
        found = re.fullmatch(r"/v2/(.+)/(tags/list|manifests|blobs)(?:/(.+))?", url.path)
        if not found or found[1] not in self.images:
            return self.send(handler, 404, {"errors": [{"code": "NAME_UNKNOWN", "message": "repository name not known to registry"}]})
        name, what, rest = found.groups()
        return {"tags/list": self.tags, "manifests": self.one, "blobs": self.blob}[what](handler, name, rest or query)

    def tags(self, handler, name, query):
        tags = sorted(tag for tag in self.images[name] if tag > query.get("last", ""))
        page, headers = min(self.page, int(query.get("n", self.page))), {}
        if len(tags) > page:
            tags = tags[:page]
            headers["Link"] = f'</v2/{name}/tags/list?n={page}&last={urllib.parse.quote(tags[-1])}>; rel="next"'
        return self.send(handler, body={"name": name, "tags": tags}, headers=headers)

    def one(self, handler, name, reference):
        for tag, created in self.images[name].items():
            data = self.manifest(created)
            if reference in (tag, digest(data)):
                return self.send(handler, body=data, headers={"Content-Type": DOCKER["manifest"], "Docker-Content-Digest": digest(data)})
        return self.send(handler, 404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]})

    def blob(self, handler, name, wanted):
        for created in self.images[name].values():
            if digest(self.config(created)) == wanted:
                return self.send(handler, body=self.config(created))
        return self.send(handler, 404, {"errors": [{"code": "BLOB_UNKNOWN", "message": "blob unknown"}]})


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
