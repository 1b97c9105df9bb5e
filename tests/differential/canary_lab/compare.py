"""Point-by-point comparison of two recordings."""
import difflib
import json
import re

SECTIONS = ["timeline", "status", "reported", "events", "webhooks", "alerts", "queries", "routes", "scalers", "workloads",
            "checkpoints", "metrics"]


def without_times(value):
    """The value without `times`, and with repeated neighbours, or repeated groups of up to four, taken once: how many rounds
    an operator spends waiting depends on when the harness did something, what it says in them does not."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k != "times"}
    if not isinstance(value, list):
        return value
    out = [without_times(item) for item in value]
    for size in (1, 2, 3, 4):
        at = 0
        while at + 2 * size <= len(out):
            if out[at:at + size] == out[at + size:at + 2 * size]:
                del out[at + size:at + 2 * size]
            else:
                at += 1
    return out


def leaves(value, path=""):
    """One line per leaf of a nested value; an empty container is a leaf."""
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from leaves(value[key], f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield f"{path} = {json.dumps(value, ensure_ascii=False)}"


def lines(section, value, loose, strict):
    if section in ("timeline", "status", "reported", "events", "webhooks", "alerts", "queries"):
        items = value if strict or section in ("timeline", "status", "queries") else without_times(value)
        if section == "queries" and not strict:
            items = [{k: v for k, v in item.items() if k != "times"} for item in items]
        if isinstance(loose, dict):
            items = [item for item in items if not re.search(loose["optional"], json.dumps(item, ensure_ascii=False))]
            items = without_times(items)
        out = [item if isinstance(item, str) else json.dumps(item, sort_keys=True, ensure_ascii=False) for item in items]
        return sorted(set(out)) if loose == "set" else out
    return list(leaves(value))


def allowed(line, scenario, section, rules):
    """Whether a rule names the line; which rules were of use is noted in them."""
    found = [rule for rule in rules if re.search(rule.get("scenario", ""), scenario) and rule.get("section", section) == section
             and re.search(rule["line"], line)]
    for rule in found:
        rule["used"] = True
    return bool(found)


def compare(one, other, strict=False, ignore=(), rules=()):
    """[(section, [diff lines])] of the sections that differ in more than the rules allow."""
    found = []
    loose = {**one.get("loose", {}), **other.get("loose", {})}
    for section in SECTIONS:
        if section in ignore or loose.get(section) == "ignore":
            continue
        left = lines(section, one.get(section) or [], loose.get(section), strict)
        right = lines(section, other.get(section) or [], loose.get(section), strict)
        if left != right:
            out = [line for line in difflib.unified_diff(left, right, lineterm="", n=2)][2:]
            if not all([allowed(line, one["scenario"], section, rules) for line in out if line[0] in "+-"]):
                found.append((section, out))
    return found


def requests(one, other):
    """Lines on how many API requests each side needed; information, not a difference."""
    for side, recording in (("A", one), ("B", other)):
        counts = recording.get("requests") or {}
        if counts:
            writes = sum(n for what, n in counts.items() if what.split(" ")[0] in ("create", "update", "patch", "delete"))
            yield f"{side} ({recording.get('operator')}): {sum(counts.values())} requests, {writes} of them writes"
