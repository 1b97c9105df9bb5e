#!/usr/bin/env python3
"""Turns what test runners write into lines 'pass|fail|skip TAB group TAB name', and counts such lines.

    results.py junit GROUP FILE      ctest's --output-junit; prints the output of what failed
    results.py go GROUP FILE         go test -json; prints the output of what failed
    results.py unittest GROUP PATH   runs the Python tests of a folder
    results.py count FILE            prints what failed and was skipped, then 'N passed, N failed'; exit 1 if any failed

The first three add to the file named by RESULTS.
"""

import json
import os
import sys
import unittest
import xml.etree.ElementTree as tree


def record(lines):
    with open(os.environ["RESULTS"], "a") as out:
        out.writelines("\t".join(one) + "\n" for one in lines)
    return 1 if any(outcome == "fail" for outcome, _, _ in lines) else 0


def junit(group, path):
    lines = []
    for case in tree.parse(path).getroot().iter("testcase"):
        skipped = case.find("skipped")
        outcome = "pass" if case.get("status") == "run" else "fail"
        if skipped is not None:  # a program that was not built is no reason to skip its test
            outcome = "skip" if "SKIP_RETURN_CODE" in (skipped.get("message") or "") else "fail"
        lines.append((outcome, group, case.get("name")))
        if outcome == "fail":
            print(f"--- {case.get('name')} failed:")
            print("\n".join((case.findtext("system-out") or "").splitlines()[-60:]))
    return record(lines)


def go(group, path):
    lines, output = [], {}
    with open(path) as source:
        for line in source:
            try:
                event = json.loads(line)
            except ValueError:
                print(line, end="")
                continue
            name = event.get("Test")
            if event["Action"] in ("output", "build-output"):
                output.setdefault(name, []).append(event["Output"])
            elif event["Action"] in ("pass", "fail", "skip") and name:
                lines.append((event["Action"], group, name))
                if event["Action"] == "fail":
                    print(f"--- {name} failed:\n" + "".join(output.get(name, [])[-60:]))
            elif event["Action"] == "fail":
                lines.append(("fail", group, event.get("Package", "package")))
                print("".join(one for parts in output.values() for one in parts[-60:]))
    if not lines:
        lines.append(("fail", group, "no test ran"))
    return record(lines)


class Recorder(unittest.TextTestResult):
    lines = []

    def note(self, outcome, test):
        self.lines.append((outcome, os.environ["GROUP"], test.id().split(".")[-1]))

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note("pass", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note("fail", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.note("fail", test)


def python(group, folder):
    os.environ["GROUP"] = group
    suite = unittest.defaultTestLoader.discover(folder, top_level_dir=folder)
    unittest.TextTestRunner(verbosity=0, resultclass=Recorder).run(suite)
    return record(Recorder.lines or [("fail", group, "no test ran")])


def count(path):
    with open(path) as source:
        lines = [line.rstrip("\n").split("\t") for line in source if line.strip()]
    for outcome, title in (("skip", "skipped"), ("fail", "failed")):
        for _, group, name in (one for one in lines if one[0] == outcome):
            print(f"{title}: {group}: {name}")
    groups = {}
    for outcome, group, _ in lines:
        groups.setdefault(group, []).append(outcome)
    for group, outcomes in groups.items():
        print(f"{group}: {outcomes.count('pass')} passed, {outcomes.count('fail')} failed"
              + (f", {outcomes.count('skip')} skipped" if "skip" in outcomes else ""))
    passed, failed = (sum(one[0] == outcome for one in lines) for outcome in ("pass", "fail"))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def main():
    verb, *args = sys.argv[1:] or ["help"]
    act = {"junit": junit, "go": go, "unittest": python, "count": count}.get(verb)
    if not act:
        sys.exit(__doc__)
    sys.exit(act(*args))


if __name__ == "__main__":
    main()
