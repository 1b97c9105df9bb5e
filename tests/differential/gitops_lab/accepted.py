"""The differences that are meant: one a line of accepted-gitops, as narrow as can be, and none that nothing needs."""

import json
import re

ABSENT = object()
NARROWER = re.compile(r"(?P<more> \+)?( = (?P<value>.+?))?( ~ (?P<text>.+))?")
WAITS = ("arrived", "cloned", "gone", "logged", "marker at head", "ready", "scanned", "there")


class Malformed(Exception):
    """A line that cannot be read, with its place."""


class Difference:
    """SCENARIOS: STEP: PATH # [[+] [= VALUE] [~ TEXT] #] REASON, as accepted-gitops explains it."""

    def __init__(self, line, place):
        expression, *narrower = line.strip().split(" # ")
        reason = narrower.pop() if narrower else ""
        scenarios, _, rest = expression.partition(": ")
        step, _, path = rest.rpartition(": ")
        narrow = NARROWER.fullmatch("".join(" " + one for one in narrower))
        if not reason or len(narrower) > 1 or not (scenarios and step and path and narrow):
            raise Malformed(f"{place}: not SCENARIOS: STEP: PATH # [[+] [= VALUE] [~ TEXT] #] REASON: {line}")
        self.place, self.reason = place, reason
        self.scenarios = None if scenarios == ".*" else set(scenarios.strip("()").split("|"))
        self.is_more = bool(narrow["more"])
        try:
            self.step, self.path, self.value, self.text = (re.compile(one, re.S) for one in (
                step, path, narrow["value"] or ".*", narrow["text"] or ""))
        except re.error as error:
            raise Malformed(f"{place}: {error}: {line}") from None
        self.needed_by = set()  # scenarios in which it was met

    def is_met(self, scenario, step, path, theirs, ours, said):
        """Is it this difference? said is serin's side of the step as JSON."""
        value = "absent" if ours is ABSENT else json.dumps(ours, ensure_ascii=False)
        met = ((self.scenarios is None or scenario in self.scenarios) and self.step.fullmatch(step) and self.path.fullmatch(path)
               and self.value.fullmatch(value) and (theirs is ABSENT or not self.is_more) and self.text.search(said))
        if met:
            self.needed_by.add(scenario)
        return bool(met)


class Accepted:
    def __init__(self, paths=()):
        self.all = []
        for path in paths:
            with open(path) as source:
                self.all += [Difference(line, f"{path}:{number}") for number, line in enumerate(source, 1)
                             if line.strip() and not line.startswith("#")]

    def has(self, scenario, step, path, theirs, ours, said=""):
        """Is the difference meant? Every line that says so counts as needed."""
        return any([one.is_met(scenario, step, path, theirs, ours, said) for one in self.all])

    def expects_in_vain(self, scenario, step):
        """Does a wait end without what it waits for, and is that meant?"""
        return any(one.scenarios and scenario in one.scenarios and one.value.pattern == "false" and one.step.fullmatch(step)
                   and any(one.path.fullmatch("/" + name) for name in WAITS) for one in self.all)

    def unneeded(self, compared):
        """(line, what is wrong with it) of those that a scenario they name has not, once these scenarios were compared."""
        for one in self.all:
            missing = sorted((one.scenarios or set()) & compared - one.needed_by)
            if missing:
                yield one, "nothing of this in " + ", ".join(missing)
            elif one.scenarios is None and not one.needed_by:
                yield one, "nothing of this anywhere"
