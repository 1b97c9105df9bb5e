#!/usr/bin/env python3
"""The walls of the house: each check prints nothing when all is well, else one line a finding.

    checks.py [--root DIR] [--objects DIR] [--results FILE] [NAME...]

Without names all checks run. Those of group "objects" read what a release build left below --objects.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys

ROOMS_BELOW = {
    "base": [], "doc": ["base"], "io": ["base", "doc"],
    "kube": ["base", "doc", "io"], "git": ["base", "doc", "io"],
    **{room: ["base", "doc", "io", "kube", "git"] for room in ("sync", "canary", "image", "release", "helm")},
    **{room: ["base", "doc", "io", "kube", "git", "sync", "canary", "image", "release", "helm"] for room in ("api", "loadtester")},
    "cmd": ["base", "doc", "io", "kube", "git", "sync", "canary", "image", "release", "helm", "api", "loadtester"],
}
PURE_BELOW = ["base", "doc"]
# A release chooses among the images of what sync has read: docs/decisions. In its pure part: their pure parts.
BESIDE = {"release": ["image", "sync"]}

# Header (as it begins) -> the files that may include it.
THIRD_PARTY = [
    (r"uv\.h", r"src/io/"), (r"curl/", r"src/io/"), (r"microhttpd\.h", r"src/io/"),
    (r"git2(\.h|/)", r"src/git/"), (r"yaml\.h", r"src/doc/"), (r"jansson\.h", r"src/doc/"),
    (r"openssl/", r"src/base/hash\.c$"), (r"pcre2\.h", r"src/base/"), (r"cmocka\.h", r"tests/"),
]

FORBIDDEN = ["strcpy", "strcat", "strncpy", "strncat", "sprintf", "vsprintf", "strtok", "atoi", "atol", "atof", "gets", "rand",
             "srand", "system", "popen", "alloca", "setjmp", "longjmp"]
FORBIDDEN_OUTSIDE_SHELL = ["time", "getenv", "secure_getenv", "clock_gettime", "gettimeofday"]  # allowed in cmd/ and io/
IMPURE = re.compile(r"^(time|clock|clock_gettime|gettimeofday|getrandom|getentropy|random|rand|getenv|secure_getenv|open(at)?(64)?|"
                    r"creat(64)?|fopen(64)?|freopen(64)?|read|write|pread(64)?|pwrite(64)?|socket|connect|bind|accept4?|send(to|msg)?|"
                    r"recv(from|msg)?|fork|execv.*|posix_spawn.*|pthread_create|printf|puts|putchar|fprintf|fwrite|"
                    r"(uv|curl|git|MHD|json|yaml)_.*)$")

MAX_FILE_LINES, MAX_FUNCTION_LINES = 800, 60


class House:
    """The tracked files of a checkout (or, without git, all files but those of build folders)."""

    def __init__(self, root, objects):
        self.root, self.objects = root, objects
        self._texts = {}
        done = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True)
        if done.returncode == 0 and done.stdout:
            self.files = [one for one in done.stdout.decode().split("\0") if one and os.path.isfile(os.path.join(root, one))]
        else:
            self.files = [os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root)
                          for name in names if "/.git/" not in folder + "/" and "/build" not in folder]
        self.files.sort()

    def path(self, name):
        return os.path.join(self.root, name)

    def text(self, name):
        if name not in self._texts:
            with open(self.path(name), encoding="utf-8", errors="replace") as source:
                self._texts[name] = source.read()
        return self._texts[name]

    def sources(self, *folders):
        """Our C files below the folders, as (path, room)."""
        for name in self.files:
            parts = name.split("/")
            if parts[0] in folders and name.endswith((".c", ".h")) and len(parts) > 2:
                yield name, parts[1]

    def includes(self, name):
        """(line number, header, is it in quotes) of each #include."""
        for number, line in enumerate(self.text(name).splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
            if found:
                yield number, found.group(2), found.group(1) == '"'

    def pure_files(self):
        """Files of the pure libraries of each room: {library: files} of what serin_room(NAME_pure FILES ...) lists."""
        found = {}
        for name in self.files:
            listed = re.match(r"src/(\w+)/CMakeLists\.txt$", name)
            for block in re.finditer(r"serin_room\(\s*(\w+)_pure\b(.*?)\)", self.text(name), re.S) if listed else ():
                words = re.split(r"\s+", re.search(r"FILES\s(.*?)(\bLINK\b|$)", block.group(2), re.S).group(1).strip())
                found[block.group(1)] = [f"src/{listed.group(1)}/{word}" for word in words]
        return found


def code_only(text):
    """The text with comments, strings and character constants blanked, line by line as it was."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


# -- includes -----------------------------------------------------------------------------------------------------

def layers(house):
    """An include points down, never up or sideways; a pure part knows values and base only."""
    pure = {one for files in house.pure_files().values() for one in files}
    for name, room in house.sources("src"):
        if room not in ROOMS_BELOW:
            yield f"{name}: room {room} is not in the table of layers"
            continue
        allowed = (PURE_BELOW if name in pure else ROOMS_BELOW[room]) + [room] + BESIDE.get(room, [])
        for number, header, quoted in house.includes(name):
            if not quoted:
                continue
            target = header.split("/")[0]
            if "/" not in header:
                yield f'{name}:{number}: "{header}" is not named by its room'
            elif target not in allowed:
                yield f"{name}:{number}: {room}{' (pure)' if name in pure else ''} may not include {header}"


def third_party(house):
    """A library is included in its room only."""
    for name, _ in house.sources("src", "tests"):
        for number, header, quoted in house.includes(name):
            for pattern, place in THIRD_PARTY:
                if not quoted and re.match(pattern, header) and not re.match(place, name) and not (
                        name.startswith("tests/") and place.startswith("src/")):
                    yield f"{name}:{number}: <{header}> belongs to {place.rstrip('$')}"


def own_header_first(house):
    """x.c includes x.h first; a header says what it is and guards itself by its path."""
    for name, room in house.sources("src"):
        own = name[len("src/"):-2] + ".h"
        if name.endswith(".h"):
            guard = "SERIN_" + re.sub(r"\W", "_", own).upper()
            if f"#ifndef {guard}\n#define {guard}\n" not in house.text(name):
                yield f"{name}: include guard is not {guard}"
            if not house.text(name).startswith(f"/* {own} - "):
                yield f"{name}:1: header does not open with its contract (/* {own} - ...)"
        elif f"src/{own}" in house.files:
            first = next(iter(house.includes(name)), (0, "nothing", True))
            if first[1] != own:
                yield f"{name}:{first[0]}: first include is {first[1]}, not {own}"


# -- text ---------------------------------------------------------------------------------------------------------

def forbidden(house):
    """Functions that have a safer sibling, effects outside their room, goto."""
    always = re.compile(r"(?<![\w.>])(" + "|".join(FORBIDDEN) + r")\s*\(")
    outside = re.compile(r"(?<![\w.>])(" + "|".join(FORBIDDEN_OUTSIDE_SHELL) + r")\s*\(")
    for name, room in house.sources("src"):
        for number, line in enumerate(code_only(house.text(name)).splitlines(), 1):
            for pattern in [always] + ([] if room in ("cmd", "io") else [outside]):
                for found in pattern.finditer(line):
                    yield f"{name}:{number}: {found.group(1)}() is not used here"
            if re.search(r"\bgoto\b", line):
                yield f"{name}:{number}: goto"


def lengths(house):
    """A file fits in the head, a function on the screen."""
    for name, _ in house.sources("src", "tests"):
        text = house.text(name)
        lines = text.splitlines()
        if len(lines) > MAX_FILE_LINES:
            yield f"{name}: {len(lines)} lines (most: {MAX_FILE_LINES})"
        start = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                start = number
            elif line.startswith("}") and start:
                if number - start > MAX_FUNCTION_LINES:
                    yield f"{name}:{start}: function of {number - start} lines (most: {MAX_FUNCTION_LINES})"
                start = None


def left_open(house):
    """No TODO without an issue number, no stand-ins."""
    for name, _ in house.sources("src"):
        for number, line in enumerate(house.text(name).splitlines(), 1):
            if re.search(r"\b(FIXME|XXX|HACK)\b|\bTODO\b(?! #\d)", line):
                yield f"{name}:{number}: {line.strip()[:80]}"


def machine_paths(house):
    """Nothing tracked names a machine's folders or a package registry's host."""
    paths = re.compile(r"(?<![\w.}/-])(/work/|/root/(?!\.(ssh|kube|kubectl|gitconfig|gnupg)\b|gpg-import)|/home/[a-z]|/tmp/[a-z])")
    hosts = re.compile(r"\b(pypi\.org|pythonhosted\.org|proxy\.golang\.org|sum\.golang\.org|registry\.npmjs\.org|"
                       r"static\.crates\.io|index\.crates\.io|deb\.debian\.org|repo1?\.maven)")
    for name in house.files:
        if name.startswith(("tests/checks/", "tests/differential/recordings/")) or name.endswith((".sum", ".pack", ".gpg")):
            continue
        for number, line in enumerate(house.text(name).splitlines(), 1):
            found = paths.search(line) or hosts.search(line)
            if found:
                yield f"{name}:{number}: names {found.group(0)}"


def registered(house):
    """Every source is built and every test runs: each is named in the CMakeLists.txt of its room or folder."""
    for name, room in house.sources("src", "tests"):
        top = name.split("/")[0] + "/" + room
        is_test = re.match(r"tests/(\w+/)+test_\w+\.c$", name)
        is_fuzz = re.match(r"tests/fuzz/fuzz_(\w+)\.c$", name)
        if is_fuzz:
            pattern = r"serin_fuzz\(\s*" + is_fuzz.group(1) + r"\b"
            if not any(re.search(pattern, house.text(one)) for one in house.files
                       if one.startswith("tests/") and one.endswith("CMakeLists.txt")):
                yield f"{name}: no serin_fuzz({is_fuzz.group(1)} ...) in any CMakeLists.txt"
        elif is_test or (name.startswith("src/") and name.endswith(".c")):
            folders = [name[:at.start()] for at in re.finditer("/", name) if at.start() >= len(top)]
            if not any(re.search(r"(?<![\w/])" + re.escape(name[len(folder) + 1:]) + r"\b", house.text(folder + "/CMakeLists.txt"))
                       for folder in folders if folder + "/CMakeLists.txt" in house.files):
                yield f"{name}: not named in {top}/CMakeLists.txt"


FORMATTED_BY = 14  # of Debian 12; others break the same lines differently, so only this one is asked


def can_judge_format():
    said = subprocess.run(["clang-format", "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"version (\d+)\.", said)
    return version is not None and int(version[1]) == FORMATTED_BY


def formatted(house):
    """clang-format has nothing to change."""
    if not can_judge_format():
        print(f"not checked: the format, for this clang-format is not version {FORMATTED_BY}")
        return
    names = [house.path(name) for name, _ in house.sources("src", "tests")]
    if names:
        done = subprocess.run(["clang-format", "--dry-run", "--ferror-limit=1", *names], capture_output=True, text=True)
        for line in done.stderr.splitlines():
            if "warning: code should be clang-formatted" in line or "error:" in line:
                yield line.replace(house.root + "/", "").split(" [-W")[0]


def scripts(house):
    """shellcheck has nothing to say about the scripts."""
    shell = [name for name in house.files if name.endswith(".sh") or re.match(r"#!.*\b(ba|da)?sh\b", house.text(name)[:40])]
    if shell:
        done = subprocess.run(["shellcheck", "-x", "-f", "gcc", *shell], capture_output=True, text=True, cwd=house.root)
        yield from done.stdout.splitlines() + done.stderr.splitlines()


def python_compiles(house):
    """Python files are valid and have no unused import."""
    for name in house.files:
        if not (name.endswith(".py") or re.match(r"#!.*\bpython3?\b", house.text(name)[:40])):
            continue
        try:
            compile(house.text(name), name, "exec")
        except SyntaxError as error:
            yield f"{name}:{error.lineno}: {error.msg}"
            continue
        body = re.sub(r"^(import|from)\s.*$", "", house.text(name), flags=re.M)
        for found in re.finditer(r"^(?:import|from\s+\S+\s+import)\s+(\(.*?\)|.+)$", house.text(name), re.M):
            for one in found.group(1).strip("() ").split(","):
                alias = one.split(" as ")[-1].strip().split(".")[0]
                if alias.isidentifier() and not re.search(rf"\b{alias}\b", body):
                    yield f"{name}: {alias} is imported and not used"


def go_formatted(house):
    """gofmt has nothing to change."""
    names = [name for name in house.files if name.endswith(".go")]
    gofmt = shutil.which("gofmt")
    if names and gofmt:
        done = subprocess.run([gofmt, "-l", *names], capture_output=True, text=True, cwd=house.root)
        for line in done.stdout.splitlines() + done.stderr.splitlines():
            yield f"{line}: not as gofmt writes it"


# -- objects of a release build -------------------------------------------------------------------------------------

def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def object_files(house):
    """(object, room, path within it) of every compiled source of ours."""
    found = []
    for folder, _, names in os.walk(os.path.join(house.objects, "src")):
        for name in names:
            where = re.search(r"/src/(\w+)/CMakeFiles/\w+\.dir/(.*)\.c\.o$", os.path.join(folder, name))
            if where and f"src/{where.group(1)}/{where.group(2)}.c" in house.files:
                found.append((os.path.join(folder, name), where.group(1), where.group(2)))
    return sorted(found)


def prefixes(room, stem):
    """room_, that of a folder in it, stem_, a leading run of the stem's words, and these without or with a final s."""
    *folders, words = [part.split("_") for part in stem.split("/")]
    names = {room} | {"_".join(folder) for folder in folders} | {"_".join(words[:n]) for n in range(1, len(words) + 1)}
    plurals = {one[:-1] + "ies" if one.endswith("y") else one + "es" if one.endswith("s") else one + "s" for one in names}
    return names | plurals | {one.rstrip("s") for one in names}


def symbol_prefixes(house):
    """A name that leaves its file carries the file's prefix."""
    for path, room, stem in object_files(house):
        allowed = prefixes(room, stem)
        for line in run("nm", "-g", "--defined-only", path).splitlines():
            symbol = line.split()[-1]
            if symbol != "main" and not any(symbol == one or symbol.startswith(one + "_") for one in allowed):
                yield f"{room}/{stem}.c: {symbol} does not begin with {room}_ or {os.path.basename(stem)}_"


def mutable_globals(house):
    """No object of ours has writable data."""
    for path, room, stem in object_files(house):
        for line in run("objdump", "-t", path).splitlines():
            found = re.match(r"\S+ \S+\s+O \.(data|bss|tdata|tbss)(\.(?!rel\.ro)\S*)?\s+\S+\s+(\S+)", line)
            if found:
                yield f"{room}/{stem}.c: {found.group(3)} is a mutable object"


def libraries(house):
    found = {}
    for folder, _, names in os.walk(os.path.join(house.objects, "src")):
        for name in names:
            if name.startswith("libserin_") and name.endswith(".a"):
                found[name[len("libserin_"):-2]] = os.path.join(folder, name)
    return found


def defined(path):
    return {line.split()[-1] for line in run("nm", "-g", "--defined-only", path).splitlines() if len(line.split()) == 3}


def pure_links(house):
    """A pure part needs doc, base and the harmless part of libc only."""
    built = libraries(house)
    harmless = set().union(*(defined(built[one]) for one in PURE_BELOW if one in built))
    ours = {symbol: room for room, path in built.items() if room not in PURE_BELOW for symbol in defined(path)}
    pure = {library: os.path.dirname(files[0]).split("/")[1] for library, files in house.pure_files().items()}
    for library, room in pure.items():
        path = built.get(library + "_pure")
        if not path:
            yield f"libserin_{library}_pure.a was not built"
            continue
        near = [room, *BESIDE.get(room, [])]
        siblings = [built[one + "_pure"] for one in pure if pure[one] in near and one + "_pure" in built]
        own = set().union(*map(defined, siblings))
        member = ""
        for line in run("nm", "-u", path).splitlines():
            if line.endswith(".o:"):
                member = line[:-len(".o:")]
            symbol = line.split()[-1] if line.startswith(" ") else ""
            if symbol and symbol not in own | harmless and (symbol in ours or IMPURE.match(symbol)):
                yield f"{room}/{member} (pure): needs {symbol}" + (f" of {ours[symbol]}" if symbol in ours else "")


def objects_exist(house):
    """Every tracked source was compiled, or the other checks of objects say nothing."""
    seen = {f"src/{room}/{stem}.c" for _, room, stem in object_files(house)}
    for name, _ in house.sources("src"):
        if name.endswith(".c") and name not in seen:
            yield f"{name}: no object below {os.path.relpath(house.objects, house.root)}/src"


CHECKS = {"text": [layers, third_party, own_header_first, forbidden, lengths, left_open, machine_paths, registered, formatted,
                   scripts, python_compiles, go_formatted],
          "objects": [objects_exist, symbol_prefixes, mutable_globals, pure_links]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))
    parser.add_argument("--objects", help="build folder of the release preset (default: ROOT/build/release)")
    parser.add_argument("--results", help="file to which 'pass|fail TAB checks TAB name' is added for each check")
    parser.add_argument("names", nargs="*", help="checks to run; text and objects are groups")
    options = parser.parse_args()
    house = House(os.path.abspath(options.root), os.path.abspath(options.objects or os.path.join(options.root, "build", "release")))
    wanted = set(options.names)
    failed = False
    for group, checks in CHECKS.items():
        for check in checks:
            if wanted and not wanted & {group, check.__name__}:
                continue
            findings = list(check(house))
            failed = failed or bool(findings)
            if findings:
                print(f"check {check.__name__}: {check.__doc__}")
                for line in findings[:40]:
                    print("  " + line)
                if len(findings) > 40:
                    print(f"  and {len(findings) - 40} more")
            if options.results:
                with open(options.results, "a") as out:
                    out.write(f"{'fail' if findings else 'pass'}\tchecks\t{check.__name__}\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
