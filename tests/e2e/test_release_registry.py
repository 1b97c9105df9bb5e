"""Registries that are down, slow, full, rude or lie: releases say so, and nothing else suffers."""

import base64
import json
import time

from lab import SANITIZERS, contains, expect, lasts, wait
from registry import Scripted, basic
from releases import Releases

MB = 1 << 20


def begin(w, *flags, images=None, automated=False, **more):
    """A registry that behaves as told, with shop/web at 1.0 and 1.1 unless told otherwise."""
    registry = Scripted(images or {"shop/web": {"1.0": "2024-01-01T00:00:00Z", "1.1": "2024-01-02T00:00:00Z"}}, **more)
    r = Releases(w, registry)
    r.begin({"web.yaml": (r.automated if automated else r.manifest)("web", "1.0")}, *flags)
    return r


def recovers(r):
    """With the registry well again the release works, and so did sync all the time."""
    r.registry.answer = None
    wait(lambda: r.release()[0] == 0, "the release, once the registry is well")
    r.wait_live("1.1")


def test_a_registry_that_is_down(w):
    r = Releases(w)
    r.registry.add("shop/web", "1.0", "1.1")
    r.begin({"web.yaml": r.manifest()})
    r.registry.stop()
    said = r.refused("(?i)refused|connect|reach")
    contains(said, r.registry.address, "which registry it is")
    w.commit({"more.yaml": w.configmap("more")})
    w.wait_data("more", {"key": "one"})
    r.registry.start()
    wait(lambda: r.release()[0] == 0, "the release, once the registry is back")


@lasts(35)
def test_a_registry_that_does_not_answer_holds_up_nothing_else(w):
    r = begin(w)
    quick = Scripted({"shop/api": {"1.0": "2024-01-01T00:00:00Z", "1.1": "2024-01-02T00:00:00Z"}})
    w.processes.append(quick)
    w.commit({"api.yaml": r.manifest("api", image=f"{quick.address}/shop/api:1.0",
                                     annotations={"fluxcd.io/automated": "true", "fluxcd.io/tag.main": "semver:~1"})})
    w.stop()
    w.serin(*w.flags, "--registry-insecure-host=" + quick.address)
    r.registry.answer = r.registry.hang
    r.wait_live("1.1", "api")
    began = time.monotonic()
    r.refused("(?i)time|answer|not known|cannot find|no list|data not available")
    w.note(f"the release gave up after {time.monotonic() - began:.0f} s")
    recovers(r)


def test_a_registry_that_says_429_is_left_alone_so_long(w):
    r = begin(w, automated=True)
    r.wait_live("1.1")
    registry = r.registry
    registry.answer = lambda handler: registry.send(handler, 429, {"errors": [{"code": "TOOMANYREQUESTS"}]}, {"Retry-After": "6"})
    before = len(registry.asked)
    wait(lambda: len(registry.asked) > before, "the answer 429")
    before = len(registry.asked)
    time.sleep(4)
    expect(len(registry.asked) - before, 0, "requests while it was to wait")
    registry.answer = None
    registry.images["shop/web"]["1.2"] = "2024-01-03T00:00:00Z"
    r.wait_live("1.2")


def test_a_link_header_that_loops_ends(w):
    r = begin(w)
    registry = r.registry

    def loop(handler):
        return "/tags/list" in handler.path and registry.send(
            handler, body={"name": "shop/web", "tags": ["1.0", "1.1"]}, headers={"Link": '</v2/shop/web/tags/list?n=2&last=1.1>; rel="next"'})
    registry.answer = loop
    r.refused("(?i)link|page|again|loop")
    expect(registry.count("/tags/list") < 10, True, f"pages asked for: {registry.count('/tags/list')}")
    recovers(r)


@lasts(45)
def test_a_link_header_that_never_ends(w):
    """Each page names another one; what it says is bounded in time or number."""
    r = begin(w)
    registry, page = r.registry, [0]

    def more(handler):
        page[0] += 1
        return "/tags/list" in handler.path and registry.send(
            handler, body={"name": "shop/web", "tags": ["1.0"]}, headers={"Link": f'</v2/shop/web/tags/list?n=2&last=p{page[0]}>; rel="next"'})
    registry.answer = more
    r.refused(".", "--timeout=60s")
    recovers(r)


def test_a_link_header_to_elsewhere_is_not_followed(w):
    r = begin(w)
    other = Scripted({"shop/web": {}})
    w.processes.append(other)
    r.registry.answer = lambda handler: "/tags/list" in handler.path and r.registry.send(
        handler, body={"name": "shop/web", "tags": ["1.0"]}, headers={"Link": f'<http://{other.address}/v2/shop/web/tags/list?n=2>; rel="next"'})
    r.refused("(?i)another host|elsewhere|leads")
    expect(other.asked, [], "what was asked elsewhere")
    recovers(r)


def test_a_body_of_a_gigabyte_is_not_read(w):
    r = begin(w)
    registry = r.registry
    before = w.serin_process.rss_kib()
    registry.answer = lambda handler: "/tags/list" in handler.path and registry.flood(handler)
    r.refused("(?i)large|long|limit|more than|bytes|exceed")
    expect(registry.sent < 64 * MB, True, f"bytes that were taken: {registry.sent}")
    registry.answer = lambda handler: "/manifests/" in handler.path and registry.flood(handler)
    lists, registry.sent = registry.sent, 0
    wait(lambda: (r.release(), registry.sent)[1], "the body of a manifest to be taken")
    expect(registry.sent < 64 * MB, True, f"bytes of a manifest that were taken: {registry.sent}")
    most = w.serin_process.rss_kib("VmHWM")
    w.note(f"{lists >> 20} MiB of a list and {registry.sent >> 20} MiB of a manifest were taken; {before >> 10} MiB of memory before, {most >> 10} MiB at most")
    recovers(r)


def test_a_realm_elsewhere_gets_no_credentials(w):
    thief = Scripted(host="127.0.0.2")
    w.processes.append(thief)
    config = w.path("docker.json")
    registry = Scripted({"shop/web": {"1.0": "2024-01-01T00:00:00Z", "1.1": "2024-01-02T00:00:00Z"}})
    with open(config, "w") as out:
        json.dump({"auths": {registry.address: {"auth": base64.b64encode(b"shop:secret-word").decode()}}}, out)
    r = Releases(w, registry)
    r.begin({"web.yaml": r.manifest()}, "--docker-config=" + config)
    registry.answer = lambda handler: registry.send(handler, 401, {"errors": [{"code": "UNAUTHORIZED"}]}, {
        "WWW-Authenticate": f'Bearer realm="http://{thief.address}/token",service="x",scope="repository:shop/web:pull"'})
    said = r.refused("(?i)realm|token")
    expect([one for one in thief.asked if "Authorization" in one[1]], [], "credentials that went elsewhere")
    expect("secret-word" in said + w.log(), False, "the password in a text")
    registry.answer = lambda handler: handler.headers.get("Authorization") != basic("shop", "secret-word") and registry.send(
        handler, 401, {}, {"WWW-Authenticate": 'Basic realm="shop"'})
    wait(lambda: r.release()[0] == 0, "the release with a password")


def test_a_token_from_the_registry_s_own_realm(w):
    registry = Scripted({"shop/web": {"1.0": "2024-01-01T00:00:00Z", "1.1": "2024-01-02T00:00:00Z"}})

    def guard(handler):
        if handler.path.startswith("/token"):
            return registry.send(handler, body={"token": "t0ken", "expires_in": 300})
        return handler.headers.get("Authorization") != "Bearer t0ken" and registry.send(handler, 401, {}, {
            "WWW-Authenticate": f'Bearer realm="http://{registry.address}/token",service="x",scope="repository:shop/web:pull"'})
    registry.answer = guard
    r = Releases(w, registry)
    r.begin({"web.yaml": r.manifest()})
    r.released()
    expect(registry.count("^/token") <= 3, True, f"tokens that were asked for: {registry.count('^/token')}")


def test_pull_secrets_of_the_workload_are_used(w):
    registry = Scripted({"shop/web": {"1.0": "2024-01-01T00:00:00Z", "1.1": "2024-01-02T00:00:00Z"}})
    registry.answer = lambda handler: handler.headers.get("Authorization") != basic("shop", "secret-word") and registry.send(
        handler, 401, {}, {"WWW-Authenticate": 'Basic realm="shop"'})
    r = Releases(w, registry)
    text = json.dumps({"auths": {"http://" + registry.address: {"auth": base64.b64encode(b"shop:secret-word").decode()}}})
    w.cluster.create("Secret", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull"}, "type": "kubernetes.io/dockerconfigjson",
                                "data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()}}, w.ns)
    r.begin({"web.yaml": r.manifest().replace("    spec:\n", "    spec:\n      imagePullSecrets: [{name: pull}]\n")})
    r.released()
    expect("secret-word" in w.log(), False, "the password in the log")


def test_a_wrong_password_is_said_without_it(w):
    r = begin(w)
    r.registry.answer = lambda handler: r.registry.send(handler, 401, {}, {"WWW-Authenticate": 'Basic realm="shop"'})
    r.refused("(?i)401|denied|credentials|login")
    recovers(r)


def test_an_image_without_our_platform_is_not_released(w):
    r = Releases(w)
    r.registry.add("shop/web", "1.0")
    r.registry.add("shop/web", "1.1", platforms=["windows/amd64"], index=True)
    r.begin({"web.yaml": r.manifest()})
    r.refused("(?i)platform|windows|suitable")
    w.commit({"web.yaml": r.automated("web", "1.0", "glob:1.*")})
    w.synced()
    head = r.head()
    r.wait_scans()
    expect(r.head(), head, "the head while the newest image is for others")


@lasts(30)
def test_ten_thousand_tags(w):
    """Only the images that the filter is about are looked at."""
    registry = Scripted({"shop/web": {f"1.{n}.0": "2024-01-01T00:00:00Z" for n in range(10000)}})
    r = Releases(w, registry)
    r.env = {"ASAN_OPTIONS": SANITIZERS["ASAN_OPTIONS"] + ":quarantine_size_mb=1"}  # what was freed is not what is used
    r.begin({"web.yaml": r.manifest("web", "1.5.0")})
    before = w.serin_process.rss_kib()
    w.commit({"web.yaml": r.automated("web", "1.5.0", "semver:>=1.9990")})
    r.wait_live("1.9999.0")
    asked = registry.count("/manifests/")
    expect(asked <= 20, True, f"images that were looked at: {asked}")
    r.released("--force", tag="1.77.0")
    began = time.monotonic()
    code, out, err = w.cli("list-images", "--workload=" + r.id(), "--limit=5")
    expect(code, 0, f"exit of list-images: {err}")
    after, most = w.serin_process.rss_kib(), w.serin_process.rss_kib("VmHWM")
    w.note(f"{before >> 10} MiB of memory before, {after >> 10} MiB after, {most >> 10} MiB at most; {asked} images looked at")


def test_nonsense_from_a_registry(w):
    r = begin(w)
    registry = r.registry
    for body in (b"", b"<html>", b"[]", b'{"tags":7}', b'{"tags":[' + b"[" * 100000,
                 b'{"name":"shop/web","tags":["\xff\xfe", "../../x", "' + b"a" * 500 + b'"]}'):
        registry.answer = lambda handler, body=body: "/tags/list" in handler.path and registry.send(handler, body=body)
        code, out, err = r.release()
        expect(code, 1, f"exit of release with {body[:30]}: {out}{err}")
    recovers(r)


def test_a_job_has_its_deadline(w):
    """A job that waits for a registry is given up after --sync-timeout, and the next one has its turn."""
    r = begin(w, "--sync-timeout=3s")
    r.registry.answer = r.registry.hang
    r.refused("--sync-timeout")
    code, out, err = w.cli("lock", "--workload=" + r.id())
    expect(code, 0, f"exit of lock: {out}{err}")
    expect("fluxcd.io/locked" in r.text(), True, "the lock")


def test_redirects_in_circles_and_to_elsewhere(w):
    other = Scripted(host="127.0.0.2")
    w.processes.append(other)
    config = w.path("docker.json")
    r = Releases(w, Scripted({"shop/web": {"1.0": "2024-01-01T00:00:00Z", "1.1": "2024-01-02T00:00:00Z"}}))
    registry = r.registry
    with open(config, "w") as out:
        json.dump({"auths": {registry.address: {"auth": base64.b64encode(b"shop:secret-word").decode()}}}, out)
    r.begin({"web.yaml": r.manifest()}, "--docker-config=" + config)
    guarded = {"WWW-Authenticate": 'Basic realm="shop"'}

    def circle(handler):
        if not handler.headers.get("Authorization"):
            return registry.send(handler, 401, {}, guarded)
        return registry.send(handler, 307, {}, {"Location": handler.path})
    registry.answer = circle
    r.refused("(?i)redirect")
    expect(len(registry.asked) < 60, True, f"requests: {len(registry.asked)}")
    registry.answer = lambda handler: registry.send(handler, 307, {}, {"Location": f"http://{other.address}{handler.path}"}) \
        if handler.headers.get("Authorization") else registry.send(handler, 401, {}, guarded)
    time.sleep(10)  # a failure is not repeated at once
    r.refused(".")
    expect([headers for _, headers in other.asked if "Authorization" in headers], [], "credentials that went elsewhere")


def test_a_registry_that_wants_to_be_left_alone_for_a_day(w):
    """A release does not wait for that, and says what the matter is; other registries are asked as ever."""
    r = begin(w)
    registry = r.registry
    registry.answer = lambda handler: registry.send(handler, 429, {"errors": [{"code": "TOOMANYREQUESTS"}]}, {"Retry-After": "86400"})
    r.refused("429|TOOMANYREQUESTS")
    began, before = time.monotonic(), len(registry.asked)
    said = r.refused("429 TOOMANYREQUESTS|has asked not to be asked")
    w.note(f"the second answer after {time.monotonic() - began:.1f} s: {said.strip().splitlines()[-1][:140]}")
    expect(time.monotonic() - began < 15, True, "the second answer comes soon")
    expect(len(registry.asked), before, "requests in the meantime")


def test_scanning_that_is_switched_off_is_said(w):
    """Neither images that are excluded nor any, without scanning, are called missing."""
    r = begin(w, "--registry-exclude-image=127.0.0.1*/shop/web")
    r.refused("excluded by --registry-exclude-image")
    w.stop()
    r.start("--registry-disable-scanning")
    r.refused("image scanning is disabled")
    expect(r.registry.asked, [], "requests to the registry")
