"""docs/reference-canary.md, held against deploy/crds.yaml and the sources: nothing is missing there, and nothing is there that is not. So with
the names of docs/reference-metrics.md."""

import glob
import json
import os
import re
import unittest

import yaml

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TEXT_MATCH = {"exact", "prefix", "regex"}  # the same in many places: documented once, of the uri
WORD_MIN = 8  # letters that a format has to have of its own to be a text


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as source:
        return source.read()


# -- fields ------------------------------------------------------------------------------------------------------------


def type_of(schema):
    if schema.get("x-kubernetes-int-or-string"):
        return "int or string"
    if schema["type"] == "array":
        return f"list of {schema['items']['type']}s"
    if schema["type"] == "object" and "additionalProperties" in schema:
        inner = schema["additionalProperties"]["type"]
        return "map to lists of strings" if inner == "array" else f"map to {inner}s"
    return schema["type"]


def flatten(schema, place=""):
    """(path, (type as the page has it, enumerated words)) of everything below: spec.service.match[].headers.*.exact."""
    for key, inner in schema.get("properties", {}).items():
        path = f"{place}.{key}" if place else key
        required = ", required" if key in schema.get("required", []) else ""
        yield path, (type_of(inner) + required, [word for word in inner.get("enum", []) if word])
        while inner.get("type") == "array" or "additionalProperties" in inner:
            is_list = inner.get("type") == "array"
            path += "[]" if is_list else ".*"
            inner = inner["items" if is_list else "additionalProperties"]
        if set(inner.get("properties", {})) != TEXT_MATCH or path.endswith("uri"):
            yield from flatten(inner, path)


def fields():
    """kind -> {path: (type, words)}; without "spec." before a path, and without the two themselves."""
    found = {}
    for crd in yaml.safe_load_all(read("deploy", "crds.yaml")):
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        found[crd["spec"]["names"]["kind"]] = {path.removeprefix("spec."): rest for path, rest in flatten(schema) if "." in path}
    return found


def section(heading):
    return re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", read("docs", "reference-canary.md"), re.M | re.S).group(1)


def rows(text):
    """Cells of each row of the tables, without their headings."""
    lines = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in re.findall(r"^\|.*\|$", text, re.M)]
    return [[cell.strip() for cell in cells] for cells in lines if set(cells[0].strip()) != {"-"} and "`" in cells[0] + cells[1]]


class Fields(unittest.TestCase):
    def test_every_field_has_its_row_and_every_row_its_field(self):
        for kind, expected in fields().items():
            documented = {row[0].strip("`"): row for row in rows(section(kind))}
            self.assertEqual(sorted(documented), sorted(expected), kind)
            for path, (kind_of_value, words) in expected.items():
                self.assertEqual(documented[path][1], kind_of_value, f"type of {kind} {path}")
                missing = [word for word in words if f"`{word}`" not in documented[path][3] and not path.endswith("phase")]
                self.assertEqual(missing, [], f"words of {kind} {path}")

    def test_every_phase_is_there(self):
        words = fields()["Canary"]["status.phase"][1]
        self.assertEqual([row[0].strip("`") for row in rows(section("Phases"))], words)


# -- texts -------------------------------------------------------------------------------------------------------------


def literals(text):
    """The strings of C, those that follow one another joined."""
    for found in re.finditer(r'(?:"(?:\\.|[^"\\])*"\s*(?:PRId64\s*)?)+', text):
        yield "".join(re.findall(r'"((?:\\.|[^"\\])*)"', found.group(0).replace("PRId64", '"d"'))).replace('\\"', '"')


def pattern(text):
    """An expression for what printf makes of it; None when hardly anything of it is fixed."""
    parts = re.split(r"%(?:\.\*|\.\d+)?(?:ll|z)?[a-z]|%%", text)
    if sum(len(re.findall(r"\w", part)) for part in parts) < WORD_MIN:
        return None
    return ".*".join(re.escape(part) for part in parts) + (".*" if text.endswith(" ") else "")  # what follows is put behind it


def sources(names):
    return "\n".join(read(os.path.relpath(one, ROOT)) for one in sorted(glob.glob(os.path.join(ROOT, "src", "canary", names), recursive=True)))


def shown(cell):
    """A text of the page as it could be said."""
    return re.sub(r"<[\w-]+>", "X", cell.strip("`"))


def said(function):
    """Formats of all calls of a function in the step."""
    for call in re.finditer(rf"\b{function}\((.*?)\)(?=\s*(?:&&|\|\||;|\?|:|\)))", sources("step*.c"), re.S):
        yield from (text for text in literals(call.group(1)) if pattern(text))


class Texts(unittest.TestCase):
    def check(self, documented, functions):
        known = [re.compile(one) for one in map(pattern, literals(sources("**/*.c"))) if one]
        for text in documented:
            self.assertTrue(any(one.fullmatch(text) for one in known), f"nothing in src/canary says: {text}")
        for function in functions:
            formats = list(said(function))
            self.assertTrue(formats, function)
            for text in formats:
                self.assertTrue(any(re.fullmatch(pattern(text), one) for one in documented), f"docs/reference-canary.md has no event: {text}")

    def test_every_event_is_said_and_every_one_that_is_said_is_there(self):
        self.check([shown(row[1]) for row in rows(section("Events"))], ("step_say", "step_say_as"))

    def test_every_alert_is_sent_and_every_one_that_is_sent_is_there(self):
        self.check([shown(row[1]) for row in rows(section("Alerts"))], ("step_alert", "step_alert_fields"))


# -- lists -------------------------------------------------------------------------------------------------------------


class Lists(unittest.TestCase):
    def test_the_providers_are_those_of_the_program(self):
        table = re.search(r"providers\[\] = \{(.*?)\n\};", sources("router/router.c"), re.S).group(1)
        documented = re.findall(r"^\| (`[^|]*) \|", section("Providers"), re.M)
        self.assertEqual(sorted(word for cell in documented for word in re.findall(r"`(.*?)`", cell)), sorted(re.findall(r'\{ "(.*?)"', table)))

    def test_the_metric_providers_are_those_of_the_program(self):
        documented = {row[0].strip("`"): row for row in rows(section("Metrics").split("### Metric providers")[1])}
        self.assertEqual(sorted(documented), sorted(fields()["MetricTemplate"]["provider.type"][1]))
        for name, row in documented.items():
            self.assertIn(f'.type = "{name}"', sources(f"metric/{name}.c"))
            for key in re.findall(r"`(\w+)`", row[2]):
                self.assertIn(f'"{key}"', sources(f"metric/{name}.c"), f"key of {name}")

    def test_the_webhooks_are_those_of_the_definition(self):
        self.assertEqual(sorted(row[0].strip("`") for row in rows(section("Webhooks"))), sorted(fields()["Canary"]["analysis.webhooks[].type"][1]))


class Metrics(unittest.TestCase):
    def test_every_metric_is_on_the_page_and_every_one_of_the_page_is_declared(self):
        texts = [read(os.path.relpath(one, ROOT)) for one in glob.glob(os.path.join(ROOT, "src", "**", "*.c"), recursive=True)]
        declared = {name for text in texts for name in re.findall(r'"((?:flux|flagger|serin|process)_[a-z_]+)"', text)}
        self.assertGreater(len(declared), 40)
        self.assertEqual(set(re.findall(r"`((?:flux|flagger|serin|process)_[a-z_]+)`", read("docs", "reference-metrics.md"))), declared)


# -- dashboards and alert rules ----------------------------------------------------------------------------------------


def expressions():
    """(where, PromQL) of all panels, variables and rules."""
    for path in glob.glob(os.path.join(ROOT, "deploy", "grafana", "*.json")):
        board = json.loads(read(os.path.relpath(path, ROOT)))
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{board['title']}: {panel['title']}", target["expr"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{board['title']}: {variable['name']}", variable["query"]["query"]
    for group in yaml.safe_load(read("deploy", "prometheus-rules.yaml"))["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


class Expressions(unittest.TestCase):
    def test_dashboards_and_rules_ask_for_what_is_there(self):
        known = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in
                 re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*) ?\|", read("docs", "reference-metrics.md"), re.M)}
        asked = list(expressions())
        self.assertGreater(len(asked), 20)
        for where, text in asked:
            for name, _, selector in re.findall(r"\b((?:flagger|flux|serin|process)_\w+)(\{(.*?)\})?", text):
                family = name if name in known else re.sub(r"_(bucket|sum|count)$", "", name)
                self.assertIn(family, known, where)
                self.assertEqual(family != name, known[family][0] == "histogram", f"{where}: {name}")
                labels = set(re.findall(r"(\w+)\s*[=!]~?", selector))
                self.assertEqual(labels - known[family][1], set(), f"{where}: labels of {name}")


if __name__ == "__main__":
    unittest.main()
