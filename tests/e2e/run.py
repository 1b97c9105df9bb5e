#!/usr/bin/env python3
"""Runs the end-to-end tests: serin against a real control plane, through a proxy that fails on demand.

    run.py --playground PROGRAM --serin PROGRAM [--jobs N] [--only REGEX] [--kubeconfig FILE] [--results FILE] [--again] [--keep] [--list]

One cluster is started for all of them unless --kubeconfig names one; each test has namespaces, a repository, a proxy and a serin of
its own. With --again what failed is run once more when nothing else runs, and is named as unsteady if it passes then.
A test is a function test_* of a module test_*.py beside this file. With wants_own_cluster it has a cluster of its own; with
shares_cluster (a name) it is in one with the others of that name, whose kinds nobody else sees.
"""

import argparse
import concurrent.futures
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402


def tests():
    here = os.path.dirname(os.path.abspath(__file__))
    for name in sorted(os.listdir(here)):
        if re.match(r"test_\w+\.py$", name):
            module = importlib.import_module(name[:-3])
            for key, value in vars(module).items():
                if key.startswith("test_") and callable(value):
                    yield key[len("test_"):].replace("_", " "), value


def start_cluster(options, directory):
    log = os.path.join(directory, "cluster.log")
    process = lab.Process([options.playground, "up", "--dir", os.path.join(directory, "cluster")], log)
    options.kubeconfig = os.path.join(directory, "cluster", "kubeconfig")
    try:
        lab.wait(lambda: not process.running or options.kubeconfig in process.text(), "the cluster", 120)
        if not process.running:
            raise lab.Failed("the cluster did not start: " + process.text())
    except lab.Failed:
        process.stop()
        raise
    return process


class Clusters:
    """Those that have a name: each is started when the first test wants it."""

    def __init__(self, directory):
        self.directory, self.lock, self.started = directory, threading.Lock(), {}

    def options_for(self, options, name):
        mine = argparse.Namespace(**vars(options))
        with self.lock:
            if name not in self.started:
                directory = os.path.join(self.directory, name)
                os.makedirs(directory)
                self.started[name] = (start_cluster(mine, directory), mine.kubeconfig)
            mine.kubeconfig = self.started[name][1]
        return mine

    def stop(self):
        for process, _ in self.started.values():
            process.stop()


def run(options, number, name, test):
    """(did it pass, text to show)."""
    directory, began, world, own, text, passed = tempfile.mkdtemp(prefix="e2e-"), time.monotonic(), None, None, "", False
    seen = ""
    try:
        if getattr(test, "wants_own_cluster", False):
            options = argparse.Namespace(**vars(options))
            own = start_cluster(options, directory)
        elif options.clusters and hasattr(test, "shares_cluster"):
            options = options.clusters.options_for(options, test.shares_cluster)
        world = lab.World(options, name, directory, number)
        test(world)
        world.stop()
        passed = True
    except lab.Failed as error:
        text = str(error)
    except Exception:  # a bug of the test is a failure of the test
        text = traceback.format_exc()
    finally:
        if world:
            seen = "" if passed else world.seen_by_the_proxy()
            try:
                world.stop(expected=None)
            except lab.Failed as error:
                passed, text = False, text + "\n" + str(error)
            if not passed:
                text += "\nserin said at last:\n    " + "\n    ".join(world.last_words()) + "\n" + seen
            world.down()
        if own:
            own.stop()
    notes = f" ({'; '.join(world.notes)})" if world and world.notes else ""
    if options.keep:
        text += f"\nkept {directory}"
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return passed, f"{'pass' if passed else 'FAIL'} [{time.monotonic() - began:4.0f} s] {name}{notes}" + ("\n" + text if text else "")


def main():
    # What a shell runs in the background ignores SIGINT, and so would all that is started here: a script that Ctrl-C ends, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--playground", required="--list" not in sys.argv)
    parser.add_argument("--serin", required="--list" not in sys.argv)
    parser.add_argument("--jobs", type=int, default=4)  # they mostly wait
    parser.add_argument("--only", default="")
    parser.add_argument("--kubeconfig")
    parser.add_argument("--results")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    chosen = [(name, test) for name, test in tests() if re.search(options.only, name)]
    chosen.sort(key=lambda one: -getattr(one[1], "seconds", 0))  # the long ones first, or the last one keeps all waiting
    if options.list:
        print("\n".join(name for name, _ in chosen))
        return 0
    options.serin, options.playground = os.path.abspath(options.serin), os.path.abspath(options.playground)

    def record(outcome, name):
        if options.results:
            with open(options.results, "a") as out:
                out.write(f"{outcome}\tend to end\t{name}\n")
    if not os.access(options.serin, os.X_OK):
        print(f"{options.serin}: no such program")
        record("fail", "no serin to run")
        return 1
    for name, test in [one for one in chosen if not shutil.which(getattr(one[1], "needs", "sh"))]:
        print(f"skip {name}: there is no {test.needs}")
        record("skip", name)
        chosen.remove((name, test))
    directory, cluster, failed, unsteady = tempfile.mkdtemp(prefix="e2e-cluster-"), None, 0, []
    options.clusters = None if options.kubeconfig else Clusters(directory)
    try:
        if not options.kubeconfig:
            cluster = start_cluster(options, directory)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            running = {pool.submit(run, options, number, name, test): name for number, (name, test) in enumerate(chosen, 1)}
            try:
                for done in concurrent.futures.as_completed(running):
                    passed, text = done.result()
                    print(text, flush=True)
                    if not passed and options.again:
                        unsteady.append(running[done])
                        continue
                    failed += not passed
                    record("pass" if passed else "fail", running[done])
            except KeyboardInterrupt:  # those that have begun come to their end
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        for number, name in enumerate(unsteady, len(chosen) + 1):
            passed, text = run(options, number, name, dict(chosen)[name])
            failed += not passed
            record("pass" if passed else "fail", name)
            print(f"{'UNSTEADY: it passed the second time' if passed else 'failed again'}: {text}", flush=True)
    except lab.Failed as error:
        failed += 1
        record("fail", "the cluster")
        print(error)
    finally:
        if cluster:
            cluster.stop()
        if options.clusters:
            options.clusters.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"end-to-end: {len(chosen)} tests, {failed} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
