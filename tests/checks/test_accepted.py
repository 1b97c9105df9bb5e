"""Of differences that are accepted: what a line covers, and that one nobody needs is told."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
from gitops_lab.accepted import ABSENT, Accepted, Malformed  # noqa: E402


def accepted(*lines):
    with tempfile.NamedTemporaryFile("w", suffix=".accepted") as out:
        out.write("# a comment\n\n" + "\n".join(lines) + "\n")
        out.flush()
        return Accepted([out.name])


class Lines(unittest.TestCase):
    def test_all_of_a_step_and_of_a_path_has_to_match(self):
        lines = accepted(r"(one|two): ctl: sync: /(exit|stderr)$ # why")
        self.assertTrue(lines.has("one", "ctl: sync", "/exit", 0, 1))
        self.assertFalse(lines.has("three", "ctl: sync", "/exit", 0, 1))
        self.assertFalse(lines.has("one", "ctl: sync now", "/exit", 0, 1))
        self.assertFalse(lines.has("one", "ctl: sync", "/exit/code", 0, 1))

    def test_a_value_and_a_text_narrow_it(self):
        lines = accepted(r'.*: ctl: lock: /exit # = 1 ~ "stderr": "not here # why')
        self.assertTrue(lines.has("one", "ctl: lock", "/exit", 0, 1, '{"exit": 1, "stderr": "not here"}'))
        self.assertFalse(lines.has("one", "ctl: lock", "/exit", 0, 2, '{"exit": 2, "stderr": "not here"}'))
        self.assertFalse(lines.has("one", "ctl: lock", "/exit", 0, 1, '{"exit": 1, "stderr": "no"}'))

    def test_a_plus_covers_only_what_the_other_has_not(self):
        lines = accepted(r".*: checkpoint: a: /notes/.* # + # why", r".*: checkpoint: a: /refs/.* # = absent # why")
        self.assertTrue(lines.has("one", "checkpoint: a", "/notes/x", ABSENT, "text"))
        self.assertFalse(lines.has("one", "checkpoint: a", "/notes/x", "other", "text"))
        self.assertTrue(lines.has("one", "checkpoint: a", "/refs/x", "c1", ABSENT))
        self.assertFalse(lines.has("one", "checkpoint: a", "/refs/x", "c1", "absent"))

    def test_a_line_without_need_is_told_for_each_scenario_it_names(self):
        lines = accepted(r"(one|two): marker: /set # why", r".*: file: x: /text # why")
        lines.has("one", "marker", "/set", True, False)
        told = [why for _, why in lines.unneeded({"one", "two"})]
        self.assertEqual(told, ["nothing of this in two", "nothing of this anywhere"])
        self.assertEqual([why for _, why in lines.unneeded({"one"})], ["nothing of this anywhere"])

    def test_a_wait_in_vain_is_one_that_is_accepted_to_be_false(self):
        lines = accepted(r"one: wait: .*gone.*: /gone # = false # why", r"one: ready: /ready # why")
        self.assertTrue(lines.expects_in_vain("one", 'wait: {"gone": "x"}'))
        self.assertFalse(lines.expects_in_vain("two", 'wait: {"gone": "x"}'))
        self.assertFalse(lines.expects_in_vain("one", "ready"))

    def test_a_line_needs_three_parts_and_a_reason(self):
        for line in ("one: marker: /set", "one: marker # why", "one: marker: /(set # why", "one: marker: /set # 1 # why", "one: marker: /set # + # + # why"):
            with self.assertRaises(Malformed):
                accepted(line)


if __name__ == "__main__":
    unittest.main()
