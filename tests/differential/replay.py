#!/usr/bin/env python3
"""Sends the daemon's API what the real fluxctl sent, byte for byte, and compares the answers with those that Flux gave.

See README.md beside this file.
"""

import argparse
import gzip
import http.client
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import time
import traceback
import urllib.parse

import gitops
from gitops_lab.accepted import Accepted, Malformed
from gitops_lab.normalise import REGISTRY
from gitops_lab.proxy import DULL, parsed
from gitops_lab.world import Failed, World

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDINGS = os.path.join(HERE, "recordings", "flux")
SCENARIOS = os.path.join(HERE, "scenarios", "gitops")

# Of each command one run was kept. Where several scenarios have the command, the answers tell which run it was.
RECORDED_IN = {
    "fluxctl --timeout 3s sync": "bad-manifests",
    "fluxctl automate -n demo -w deployment/web": "policies",
    "fluxctl deautomate -n demo -w deployment/web": "policies",
    "fluxctl identity": "first-sync",
    "fluxctl list-images -n demo": "list-images",
    "fluxctl list-workloads": "first-sync",
    "fluxctl list-workloads -a": "first-sync",
    "fluxctl list-workloads -n demo": "policies",
    "fluxctl release --all --update-all-images": "release",
    "fluxctl save": "save-install",
    "fluxctl sync": "first-sync",
    "fluxctl unlock -n demo -w deployment/web": "policies",
}
BY_HAND = ("api-errors",)  # has no command, but every route that fluxctl no longer uses

JOB_TIMEOUT = 60
POLL_TIMEOUT = 8  # what fluxctl asks again until it likes the answer
POLLED = ("/v6/sync", "/v11/services")
POLL_SECONDS = 0.2


# -- as Go writes -------------------------------------------------------------------------------------------------

def go_json(value):
    """JSON as encoding/json's Marshal writes it: compact, in the order given, with <, > and & escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for one in "<>&\u2028\u2029":
        text = text.replace(one, f"\\u{ord(one):04x}")
    return text.encode()


def go_request(method, target, address, headers, body):
    """A request as net/http's Transport writes it."""
    headers = dict(headers)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {address}", "User-Agent: " + headers.pop("User-Agent", "Go-http-client/1.1")]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body or b'')}")
    lines += [f"{name}: {headers[name]}" for name in sorted(headers)] + ["Accept-Encoding: gzip", "", ""]
    return "\r\n".join(lines).encode() + (body or b"")


class Wire:
    """One connection, kept alive from request to request as Go's client does."""

    def __init__(self, port, timeout=120):
        self.address, self.timeout, self.connection = ("127.0.0.1", port), timeout, None

    def exchange(self, method, target, headers, body):
        """(status, headers, body bytes)"""
        request = go_request(method, target, "%s:%d" % self.address, headers, body)
        for is_reused in (True, False) if self.connection else (False,):
            try:
                if not is_reused:
                    self.connection = socket.create_connection(self.address, timeout=self.timeout)
                self.connection.sendall(request)
                answer = http.client.HTTPResponse(self.connection, method=method)
                answer.begin()
                break
            except OSError:  # a connection the server has closed in between is opened anew, once
                self.close()
                if not is_reused:
                    raise
        data, found = answer.read(), answer.getheaders()
        if answer.will_close:
            self.close()
        if answer.getheader("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
            found = [(k, v) for k, v in found if k != "Content-Encoding"]
        return answer.status, found, data

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


# -- a scenario, its commands replaced by what they sent ----------------------------------------------------------

class RawWorld(World):
    """A world whose requests to the daemon's API go out as Go's."""

    def __init__(self, directory, scenario, options):
        super().__init__(directory, scenario, options)
        self.wire, self.malformed = Wire(self.listen_port), []

    def api(self, method, path, body=None, headers=None):
        data = body if body is None else (body if isinstance(body, bytes) else go_json(body))
        headers = {"Accept": "application/json"} if headers is None else headers
        return self.request(method, "/api/flux/" + path, headers, data)

    def request(self, method, target, headers, data):
        status, found, body = self.wire.exchange(method, target, headers, data)
        if {k.lower(): v for k, v in found}.get("content-type", "").startswith("application/json") and method != "HEAD":
            self.check_json(f"{method} {target}", body)
        return status, found, body

    def check_json(self, what, body):
        """Is it written as Go would write it?"""
        try:
            wanted = go_json(json.loads(body))
        except ValueError:
            wanted = b"JSON"
        if body != wanted:
            at = next((i for i, (a, b) in enumerate(zip(body, wanted)) if a != b), min(len(body), len(wanted)))
            self.malformed.append(f"{what}: at byte {at} {body[at:at + 60]!r}, not {wanted[at:at + 60]!r}")

    def down(self):
        self.wire.close()
        super().down()


class Replayer(gitops.Runner):
    def __init__(self, world, scenario, accepted, answers, recorded):
        """accepted says what may differ where the client is serin's, answers where what was recorded is sent."""
        super().__init__(world, scenario, accepted)
        self.answers, self.recorded, self.theirs, self.ids = answers, dict(recorded), [], {}

    def run(self):
        self.scenario["steps"] = self.needed(self.scenario["steps"])
        super().run()

    def needed(self, steps):
        """The steps up to the last one of which something is compared."""
        missing = set(self.recorded)
        last = 0
        for number, step in enumerate(steps, 1):
            if isinstance(step, dict) and ("http" in step or "job" in step or command(step) in missing):
                missing.discard(command(step))
                last = number
        return steps[:last]

    def do_ctl(self, value, **options):
        exchanges = self.recorded.pop(command({"ctl": value}), None)
        if exchanges is None:
            super().do_ctl(value, **options)  # what it sends was not kept: serin's own client does what is to be done
            return
        for number, one in enumerate(exchanges, 1):
            self.replay(f"{command({'ctl': value})} [{number}]", one["request"], one["response"])

    def replay(self, title, request, wanted):
        target = request["path"]
        if request["query"]:
            target += "?" + urllib.parse.urlencode(sorted(self.real(request["query"]).items()), doseq=True)
        body = go_json(self.real(request["body"])) if "body" in request else None
        title += f" {request['method']} {request['path']}"
        wanted = {"step": title, **wanted}
        self.theirs.append(by_id(wanted))
        deadline = None
        while True:
            status, headers, data = self.world.request(request["method"], target, request["headers"], body)
            said = parsed(data, "application/json")
            self.learn_id(wanted["body"], said)
            if request["path"].endswith("/export") and isinstance(said, str):
                said = {"base64 of": self.exported(said)}
            got = by_id({"step": title, **self.world.normalise({"status": status, "headers": {
                k: v for k, v in headers if k.lower() not in DULL}, "body": said})})
            deadline = deadline or time.monotonic() + self.patience_for(request["path"])
            is_as_before = not list(unmeant(self.scenario["name"], self.theirs[-1:], [got], [self.answers]))
            if is_as_before or time.monotonic() > deadline or self.is_final(request["path"], said):
                break
            time.sleep(POLL_SECONDS)
        self.steps.append(got)

    @staticmethod
    def patience_for(path):
        return JOB_TIMEOUT if path.endswith("/v6/jobs") else POLL_TIMEOUT if path.endswith(POLLED) else 0

    @staticmethod
    def is_final(path, said):
        return path.endswith("/v6/jobs") and isinstance(said, dict) and said.get("StatusString") in ("failed", "succeeded")

    def learn_id(self, wanted, said):
        """A job has the number that it had in the recording."""
        if isinstance(wanted, str) and isinstance(said, str) and re.fullmatch(r"<id\d+>", wanted):
            self.ids[wanted] = said
            self.world.normalise.ids[said] = wanted

    def real(self, value):
        """What was made equal in the recording, as it is called here."""
        if isinstance(value, dict):
            return {self.real(key): self.real(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.real(one) for one in value]
        if not isinstance(value, str):
            return value
        commits = {alias: sha for sha, alias in self.world.normalise.commits.items()}
        value = value.replace(REGISTRY, self.world.registry.address)
        value = re.sub(r"<id\d+>", lambda m: self.ids.get(m.group(0), m.group(0)), value)
        return re.sub(r"<(c\d+)(?::(\d+))?>", lambda m: commits.get(m.group(1), m.group(0))[:int(m.group(2) or 40)], value)

    # what else a scenario looks at is compared elsewhere

    def do_checkpoint(self, *_, **__):
        self.commits()

    def do_nothing(self, *_, **__):
        pass

    do_file = do_marker = do_metrics = do_cli_files = do_nothing


def command(step):
    value = step.get("ctl", "")
    return "fluxctl " + (value if isinstance(value, str) else " ".join(map(str, value)))


def by_id(step):
    """Workloads come in no particular order."""
    body = step.get("body")
    if isinstance(body, list) and all(isinstance(one, dict) and "ID" in one for one in body):
        step = {**step, "body": sorted(body, key=lambda one: one["ID"])}
    return step


# -- comparison ---------------------------------------------------------------------------------------------------

def forms(value, path=""):
    """(path, form): of an object its keys in order, of anything else its type, which == does not always tell."""
    if isinstance(value, dict):
        yield path + "/(keys)", list(value)
        for key, one in value.items():
            yield from forms(one, f"{path}/{key}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from forms(one, f"{path}/{index}")
    else:
        yield path + "/(type)", type(value).__name__


def differences(theirs, ours):
    """As those of gitops.py, and where keys come in another order or a number is a truth."""
    yield from ((title, path, one, two, said) for _, title, path, one, two, said in gitops.differences({"steps": theirs}, {"steps": ours}))
    for left, right in gitops.aligned(theirs, ours):
        one, two, said = dict(forms(left.get("body"))), dict(forms(right.get("body"))), json.dumps(right, ensure_ascii=False)
        for path in one:
            if one[path] != two.get(path, one[path]) and (path.endswith("(type)") or sorted(one[path]) == sorted(two[path])) and left and right:
                yield left["step"], "/body" + path, one[path], two[path], said


def unmeant(name, theirs, ours, accepted):
    """The differences that none of accepted says to be meant. Each is asked: what it says counts as needed."""
    for title, path, one, two, said in differences(theirs, ours):
        if not any([each.has(name, title, path, one, two, said) for each in accepted]):
            yield title, path, one, two


def compare(name, theirs, ours, accepted):
    """Prints what differs and is not meant; how much it was."""
    count = 0
    for count, (title, path, one, two) in enumerate(unmeant(name, theirs, ours, accepted), 1):
        print(f"{name} ({title}): {path}")
        gitops.show_difference(one, two)
    return count


# -- commands -----------------------------------------------------------------------------------------------------

def homes():
    """{scenario: {command: exchanges}}: each recorded command belongs to one scenario."""
    with open(os.path.join(RECORDINGS, "http", "requests.json")) as source:
        recorded = {one["command"]: one["exchanges"] for one in json.load(source)}
    having = {}
    for path in gitops.scenario_files([SCENARIOS]):
        scenario = gitops.load(path)
        for step in scenario["steps"]:
            if isinstance(step, dict) and command(step) in recorded:
                having.setdefault(command(step), set()).add(scenario["name"])
    found = {name: {} for name in BY_HAND}
    for one, exchanges in recorded.items():
        places = having.get(one, set())
        home = RECORDED_IN.get(one) or (min(places) if len(places) == 1 else None)
        if home not in places:
            raise Failed(f"requests.json: {one}: in which scenario of {sorted(places)}?")
        found.setdefault(home, {})[one] = exchanges
    return found


def run(name, recorded, options):
    """Is everything as it was recorded?"""
    options.kubeconfig, options.tools = None, []
    scenario = gitops.load(os.path.join(SCENARIOS, name + ".yaml"))
    meant, ours = Accepted(options.accept), Accepted(options.accept_replay)
    directory = tempfile.mkdtemp(prefix="replay-")
    world = RawWorld(directory, scenario, options)
    replayer = Replayer(world, scenario, meant, ours, recorded)
    try:
        world.up()
        replayer.run()
    finally:
        world.down()
        for number in range(1, world.starts + 1):
            shutil.copy(world.path(f"daemon{number}.log"), os.path.join(options.out, f"{name}.daemon{number}.log"))
        shutil.rmtree(directory, ignore_errors=True)
    steps = [one for one in replayer.steps if one["step"].startswith(("fluxctl ", "http: ", "job: "))]
    with open(os.path.join(RECORDINGS, name + ".json")) as source:
        by_hand = [one for one in json.load(source)["steps"] if one["step"].startswith(("http: ", "job: "))]
    commands = [one for one in steps if one["step"].startswith("fluxctl ")]
    gitops.write(os.path.join(options.out, f"{name}.json"), {"scenario": name, "steps": steps})
    troubles = compare(name, replayer.theirs, commands, [ours])
    troubles += compare(name, by_hand, [one for one in steps if one not in commands], [meant, ours])
    said = [f"never came to: {one}" for one in replayer.recorded] + [f"not as Go writes JSON: {one}" for one in dict.fromkeys(world.malformed)]
    said += [f"{line.place}: accepted without need: {why}" for line, why in ours.unneeded({name}) if line.scenarios]
    for one in said:
        print(f"{name}: {one}")
    print(f"{name}: {len(commands)} requests of {len(recorded)} commands and {len(by_hand)} by hand, {troubles + len(said)} differences", flush=True)
    return not troubles and not said


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenario", nargs="*", help="all that have recorded requests when none is named")
    parser.add_argument("--list", action="store_true", help="name those scenarios")
    parser.add_argument("--daemon", help="command template of the daemon, as for gitops.py")
    parser.add_argument("--cli", help="command template of the client, for steps of which no request was kept")
    parser.add_argument("--out", default=".", help="directory for what was answered and the daemons' logs")
    parser.add_argument("--accept", action="append", default=[], help="differences of gitops.py that are meant: for requests written by hand")
    parser.add_argument("--accept-replay", action="append", default=[], help="differences of answers that are meant, all needed")
    parser.add_argument("--playground", default=os.environ.get("PLAYGROUND", "playground"))
    parser.add_argument("--registry", default=os.environ.get("DOCKER_REGISTRY", "docker-registry"))
    parser.add_argument("--memcached", default=os.environ.get("MEMCACHED", "memcached"))
    options = parser.parse_args()
    try:
        places = homes()
        if options.list:
            print("\n".join("replay/" + name for name in sorted(places)))
            return 0
        failed = 0
        for name in options.scenario or sorted(places):
            try:
                failed += not run(name, places[name], options)
            except (Failed, OSError, ValueError, http.client.HTTPException) as error:
                failed += 1
                traceback.print_exc(file=sys.stdout)
                print(f"{name}: FAILED: {error}", flush=True)
        return 1 if failed else 0
    except (Malformed, Failed) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    sys.exit(main())
