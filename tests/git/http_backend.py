#!/usr/bin/env python3
"""git http-backend behind a small web server, with faults on demand. Prints "ready PORT".

    http_backend.py ROOT [--user U --password P] [--cert F --key F]
                    [--cut N | --stall N] [--redirect BASE] [--move FROM TO] [--dumb] [--status N [--retry-after TEXT]] [--deny TEXT]
                    [--log FILE]
"""

import argparse
import base64
import http.server
import os
import socketserver
import ssl
import subprocess
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    options = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(body)

    def plain(self, status, text, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def allowed(self):
        if not self.options.user:
            return True
        wanted = base64.b64encode(f"{self.options.user}:{self.options.password}".encode()).decode()
        return self.headers.get("Authorization") == "Basic " + wanted

    def answer(self, body):
        options = self.options
        if options.log:
            with open(options.log, "a") as out:
                out.write(f"{self.command} {self.path} {self.headers.get('Authorization', '-')} "
                          f"{self.headers.get('Git-Protocol', '-')}\n")
        if options.status:
            return self.plain(options.status, b"the server says no\n", [("Retry-After", options.retry_after)] if options.retry_after else [])
        if options.deny and options.deny in self.command + " " + self.path:
            return self.plain(403, b"this key may only read\n")
        if options.redirect and self.command == "GET":
            return self.plain(302, b"", [("Location", options.redirect + self.path)])
        if options.move and self.path.startswith(options.move[0] + "/"):
            return self.plain(301, b"", [("Location", options.move[1] + self.path[len(options.move[0]):])])
        if not self.allowed():
            return self.plain(401, b"who are you?\n", [("WWW-Authenticate", 'Basic realm="git"')])
        if options.dumb:
            return self.plain(200, b"0000\n")
        self.backend(body)

    def backend(self, body):
        path, _, query = self.path.partition("?")
        env = dict(os.environ, GIT_PROJECT_ROOT=self.options.root, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query,
                   REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get("Content-Type", ""),
                   CONTENT_LENGTH=str(len(body)), REMOTE_USER=self.options.user or "anyone", REMOTE_ADDR="127.0.0.1",
                   GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="http.receivepack", GIT_CONFIG_VALUE_0="true")
        env.pop("GIT_PROTOCOL", None)
        done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True)
        head, _, text = done.stdout.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            elif name:
                headers.append((name, value))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        is_pack = self.command == "POST" and path.endswith("git-upload-pack")
        limit = self.options.cut if self.options.cut is not None else self.options.stall
        if is_pack and limit is not None:
            self.wfile.write(text[:limit])
            self.wfile.flush()
            if self.options.stall is not None:
                time.sleep(60)
            self.close_connection = True
            return
        self.wfile.write(text)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that refuse a certificate, or leave


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    for name in ("user", "password", "cert", "key", "redirect", "log", "retry-after", "deny"):
        parser.add_argument("--" + name)
    for name in ("cut", "stall", "status"):
        parser.add_argument("--" + name, type=int)
    parser.add_argument("--move", nargs=2)
    parser.add_argument("--dumb", action="store_true")
    Handler.options = parser.parse_args()
    server = Server(("127.0.0.1", 0), Handler)
    if Handler.options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Handler.options.cert, Handler.options.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print("ready", server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
