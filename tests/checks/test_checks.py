"""Each check finds what it is for, and finds nothing in a tree that is fine."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks

GOOD = {
    "src/base/time.h": "/* base/time.h - times. */\n#ifndef SERIN_BASE_TIME_H\n#define SERIN_BASE_TIME_H\n\nint time_zero(void);\n\n#endif\n",
    "src/base/time.c": '#include "base/time.h"\n\nint time_zero(void)\n{\n    return 0;\n}\n',
    "src/base/CMakeLists.txt": "serin_room(base FILES time.c)\n",
    "src/sync/plan.h": "/* sync/plan.h - plans. */\n#ifndef SERIN_SYNC_PLAN_H\n#define SERIN_SYNC_PLAN_H\n\nint plan_size(void);\n\n#endif\n",
    "src/sync/plan.c": '#include "sync/plan.h"\n\n#include "base/time.h"\n\nint plan_size(void)\n{\n    return time_zero();\n}\n',
    "src/sync/CMakeLists.txt": "serin_room(sync_pure FILES plan.c LINK serin_base)\n",
    "scripts/fine.sh": "#!/usr/bin/env bash\necho \"$1\"\n",
}

# What is broken -> (check that must see it, file, its text).
BROKEN = {
    "an include that points up": ("layers", "src/base/time.c", '#include "base/time.h"\n#include "sync/plan.h"\n'),
    "an include that points sideways": ("layers", "src/kube/x.c", '#include "git/mirror.h"\n'),
    "an effect in a pure part": ("layers", "src/sync/plan.c", '#include "sync/plan.h"\n#include "kube/client.h"\n'),
    "a room nobody knows": ("layers", "src/attic/x.c", "int attic_x;\n"),
    "a library outside its room": ("third_party", "src/sync/plan.c", '#include "sync/plan.h"\n#include <uv.h>\n'),
    "another header before its own": ("own_header_first", "src/sync/plan.c", '#include "base/time.h"\n#include "sync/plan.h"\n'),
    "a header without its contract": ("own_header_first", "src/sync/plan.h", "#ifndef SERIN_SYNC_PLAN_H\n#define SERIN_SYNC_PLAN_H\n\n#endif\n"),
    "a wrong include guard": ("own_header_first", "src/sync/plan.h", "/* sync/plan.h - plans. */\n#pragma once\n"),
    "strcpy": ("forbidden", "src/sync/plan.c", "void plan_x(char *a)\n{\n    strcpy(a, a);\n}\n"),
    "the clock below the shell": ("forbidden", "src/git/x.c", "long git_x(void)\n{\n    return time(0);\n}\n"),
    "goto": ("forbidden", "src/sync/plan.c", "void plan_x(void)\n{\n    goto out;\n}\n"),
    "a long file": ("lengths", "src/sync/plan.c", "\n" * 801),
    "a long function": ("lengths", "src/sync/plan.c", "void plan_x(void)\n{\n" + "    ;\n" * 60 + "}\n"),
    "a note to oneself": ("left_open", "src/sync/plan.c", "/* TODO: later */\n"),
    "a path of a machine": ("machine_paths", "docs/x.md", "see /root/notes\n"),
    "a registry's host": ("machine_paths", "docs/x.md", "from pypi.org\n"),
    "a source that is not built": ("registered", "src/sync/lost.c", "int lost_x(void);\n"),
    "a test that is not run": ("registered", "tests/sync/test_lost.c", "int main(void);\n"),
    "a source of a folder that is not built": ("registered", "src/sync/deep/lost.c", "int lost_x(void);\n"),
    "a fuzz target that is not run": ("registered", "tests/fuzz/fuzz_lost.c", "int main(void);\n"),
    "odd formatting": ("formatted", "src/sync/plan.c", "int plan_size( void ) { return 0; }\n"),
    "an unquoted variable": ("scripts", "scripts/bad.sh", "#!/usr/bin/env bash\nrm $1\n"),
    "Python that does not compile": ("python_compiles", "scripts/bad.py", "def x(:\n"),
    "an unused import": ("python_compiles", "scripts/bad.py", "import os\n"),
    "Go as gofmt does not write it": ("go_formatted", "deploy/x.go", "package x\nfunc  y( ) { }\n"),
    "a name without its prefix": ("symbol_prefixes", "src/sync/plan.c", "int other_size(void);\nint other_size(void)\n{\n    return 0;\n}\n"),
    "a mutable global": ("mutable_globals", "src/sync/plan.c", "int plan_x;\nint *plan_size(void);\nint *plan_size(void)\n{\n    return &plan_x;\n}\n"),
    "a mutable static": ("mutable_globals", "src/sync/plan.c", "int plan_size(void);\nint plan_size(void)\n{\n    static int n = 3;\n    return n++;\n}\n"),
    "a system call in a pure part": ("pure_links", "src/sync/plan.c", "long plan_size(void);\nextern long time(long *);\nlong plan_size(void)\n{\n    return time(0);\n}\n"),
    "an object that is missing": ("objects_exist", "src/sync/later.c", "int later_x(void);\n"),
}


class Tree:
    def __init__(self, files):
        self.root = tempfile.mkdtemp(prefix="checks-")
        for name, text in files.items():
            os.makedirs(os.path.join(self.root, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(self.root, name), "w") as out:
                out.write(text)
        here = os.path.dirname(os.path.abspath(__file__))
        shutil.copy(os.path.join(here, "..", "..", ".clang-format"), self.root)
        self.build()

    def build(self):
        """What a release build would leave: one object a source, one library a room."""
        for room, library, files in (("base", "base", ["time"]), ("sync", "sync_pure", ["plan"])):
            folder = os.path.join(self.root, "build/release/src", room)
            objects = os.path.join(folder, f"CMakeFiles/serin_{library}.dir")
            os.makedirs(objects)
            for stem in files:
                subprocess.run(["cc", "-O2", "-w", "-I", os.path.join(self.root, "src"), "-c", os.path.join(self.root, "src", room, stem + ".c"),
                                "-o", os.path.join(objects, stem + ".c.o")], capture_output=True)
            made = [os.path.join(objects, one) for one in os.listdir(objects)]
            subprocess.run(["ar", "rcs", os.path.join(folder, f"libserin_{library}.a"), *made], check=True)

    def findings(self, name):
        house = checks.House(self.root, os.path.join(self.root, "build", "release"))
        found = []
        for group in checks.CHECKS.values():
            for check in group:
                if check.__name__ == name:
                    found += list(check(house))
        return found

    def remove(self):
        shutil.rmtree(self.root)


class Checks(unittest.TestCase):
    def test_a_good_tree_has_no_findings(self):
        tree = Tree(GOOD)
        self.addCleanup(tree.remove)
        for group in checks.CHECKS.values():
            for check in group:
                self.assertEqual(tree.findings(check.__name__), [], check.__name__)

    def test_every_check_has_a_broken_tree(self):
        named = {check.__name__ for group in checks.CHECKS.values() for check in group}
        self.assertEqual(named - {check for check, _, _ in BROKEN.values()}, set())


def broken_test(check, name, text):
    def test(self):
        if check == "formatted" and not checks.can_judge_format():
            self.skipTest("another clang-format than the one that is asked")
        tree = Tree({**GOOD, name: text})
        self.addCleanup(tree.remove)
        self.assertTrue(any(os.path.basename(name).split(".")[0] in one for one in tree.findings(check)), tree.findings(check))
    return test


for what, (check_name, file_name, file_text) in BROKEN.items():
    setattr(Checks, "test_" + what.replace(" ", "_") + "_is_found", broken_test(check_name, file_name, file_text))

if __name__ == "__main__":
    unittest.main()
