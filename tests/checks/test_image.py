"""Of deploy/Dockerfile: it names what is there, and installs what scripts/ installs to build. (Whether it builds takes an engine.)"""

import fnmatch
import os
import re
import unittest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
NOT_TO_COMPILE = {"openssh-client", "python3", "python3-venv", "python3-yaml"}  # what scripts/ want beside a build
COMPILERS = {"build-essential", "gcc", "g++", "cmake", "make", "ninja-build", "golang"}


def read(*path):
    with open(os.path.join(TOP, *path)) as source:
        return source.read()


def stages():
    """name: (what it is made from, its instructions), in order; a line that goes on is one instruction."""
    found, name = {}, None
    text = "\n".join(line for line in read("deploy", "Dockerfile").splitlines() if not line.lstrip().startswith("#"))
    for line in filter(None, re.sub(r"\\\n\s*", "", text).splitlines()):
        word, rest = line.split(None, 1)
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()
            found[name] = (base, [])
        else:
            found[name][1].append((word, rest))
    return found


def packages(stage):
    return {name for word, rest in stages()[stage][1] if word == "RUN"
            for part in re.findall(r"apt-get install ([^&]*)", rest) for name in part.split() if not name.startswith("-")}


class Image(unittest.TestCase):
    def test_the_build_installs_what_scripts_do(self):
        wanted = set(re.search(r"^BUILD_PACKAGES=\(([^)]*)\)", read("scripts", "lib", "common.sh"), re.M)[1].split())
        self.assertTrue(NOT_TO_COMPILE < wanted)
        self.assertEqual(packages("build"), wanted - NOT_TO_COMPILE)

    def test_what_is_copied_is_there(self):
        earlier, ignored = [], read(".dockerignore").split()
        for name, (base, lines) in stages().items():
            self.assertTrue(base in earlier or ":" in base, f"{name} is made from {base}")
            for rest in (rest for word, rest in lines if word == "COPY"):
                *options, source, _ = rest.split()
                if options:
                    self.assertIn(options[0].removeprefix("--from="), earlier, f"{name}: {rest}")
                    continue
                self.assertTrue(os.path.exists(os.path.join(TOP, source)), f"{name}: {rest}")
                self.assertFalse([one for one in ignored if fnmatch.fnmatch("/" + source, one)], f"{name}: {rest}")
            earlier.append(name)

    def test_nothing_compiles_in_what_is_shipped(self):
        for name in ("base", "serin", "loadtester", "flagger"):
            self.assertEqual(packages(name) & COMPILERS, set(), name)
            self.assertIn(stages()[name][0], ("base", "debian:bookworm-slim"), name)

    def test_the_last_one_is_serin(self):
        self.assertEqual(list(stages())[-1], "serin")

    def test_its_user_is_that_of_the_manifests(self):
        for name in stages():
            users = [rest for word, rest in stages()[name][1] if word == "USER"]
            self.assertIn(users[-1] if users else None, ("65532:65532",) if name in ("base", "loadtester", "flagger") else (None,), name)
        for manifest in ("sync", "canary", "loadtester"):
            self.assertEqual(set(re.findall(r"runAs(?:User|Group): (\d+)", read("deploy", manifest + ".yaml"))), {"65532"}, manifest)


if __name__ == "__main__":
    unittest.main()
