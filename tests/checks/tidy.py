#!/usr/bin/env python3
"""Runs clang-tidy (.clang-tidy says what it looks for) over src, as a build compiles it.

    tidy.py --build DIR [--seconds N] [--results FILE] [FILE...]

What was clean and has not changed since, headers and settings included, is not looked at again: a cache outside the checkout
(SERIN_TIDY_CACHE names another folder) remembers it by content. The files changed last come first; those that are not reached in N
seconds (150) are left to the next run, and counted. Exit status 1 when there is a finding.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def read(path):
    with open(path, "rb") as source:
        return source.read()


def with_headers(path, seen):
    """The file and every header of ours it includes, by way of others too."""
    if path in seen or not os.path.isfile(path):
        return seen
    seen[path] = read(path)
    for name in re.findall(rb'^\s*#\s*include\s*"([^"]+)"', seen[path], re.M):
        with_headers(os.path.join(ROOT, "src", name.decode()), seen)
    return seen


def key(entry, common):
    """What the outcome depends on: settings, program, flags, texts. Paths are left out where they are the checkout's."""
    words = entry["command"].replace(entry["directory"], "").replace(ROOT, "")
    digest = hashlib.sha256(common + words.encode())
    for path, text in sorted(with_headers(entry["file"], {}).items()):
        digest.update(os.path.relpath(path, ROOT).encode() + b"\0" + text)
    return digest.hexdigest()


def by_age(entries):
    """Those that were changed last first."""
    done = subprocess.run(["git", "-C", ROOT, "log", "-n", "200", "--name-only", "--format=", "--", "src"], capture_output=True, text=True)
    rank = {}
    for name in done.stdout.split():
        rank.setdefault(os.path.join(ROOT, name), len(rank))
    return sorted(entries, key=lambda one: (rank.get(one["file"], len(rank)), one["file"]))


def look(entry, build, stamp, deadline):
    """None: out of time; else the findings."""
    if time.monotonic() > deadline:
        return None
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, entry["file"]], capture_output=True, text=True)
    if done.returncode == 0:
        with open(stamp, "w"):
            return []
    lines = done.stdout.replace(ROOT + "/", "").splitlines()
    return [one for one in lines if re.search(r": (error|warning): ", one)] or [f"{entry['file']}: {done.stderr.strip()[-500:]}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", required=True, help="build folder with compile_commands.json")
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--results", help="file to which 'pass|fail TAB checks TAB clang_tidy' is added")
    parser.add_argument("files", nargs="*", help="only these")
    options = parser.parse_args()
    began, build = time.monotonic(), os.path.abspath(options.build)
    wanted = {os.path.abspath(one) for one in options.files}
    entries = [one for one in json.loads(read(os.path.join(build, "compile_commands.json"))) if os.path.isfile(one["file"])
               and one["file"].startswith(os.path.join(ROOT, "src") + os.sep) and (not wanted or one["file"] in wanted)]
    cache = os.environ.get("SERIN_TIDY_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "serin-tidy")
    os.makedirs(cache, exist_ok=True)
    common = read(os.path.join(ROOT, ".clang-tidy")) + subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    stamps = {one["file"]: os.path.join(cache, key(one, common)) for one in entries}
    changed = by_age([one for one in entries if not os.path.exists(stamps[one["file"]])])
    findings, left = [], 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda one: look(one, build, stamps[one["file"]], began + options.seconds), changed):
            left += found is None
            findings += found or []
    findings = list(dict.fromkeys(findings))  # one of a header is told by every file that includes it
    print("\n".join(findings[:60]) + "\n" if findings else "", end="")
    print(f"clang-tidy: {len(entries)} files, {len(changed) - left} looked at in {time.monotonic() - began:.0f} s, {len(findings)} findings"
          + (f", {left} left to the next run" if left else ""))
    if options.results:
        with open(options.results, "a") as out:
            out.write(f"{'fail' if findings or not entries else 'pass'}\tchecks\tclang_tidy\n")
    sys.exit(1 if findings or not entries else 0)


if __name__ == "__main__":
    main()
