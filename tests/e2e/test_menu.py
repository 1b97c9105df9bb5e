"""The menu of serin release --interactive on a terminal, with the real daemon behind it."""

import os
import pty
import re
import select
import time

from lab import Failed, contains, expect
from releases import Releases

HINT = "hit [Enter] to release selected."


def on_terminal(w, keys, *args):
    """A command on a terminal of its own; each of the keys is typed once the menu was drawn again: (exit status, all that it showed)."""
    env = w.environment({"FLUX_URL": f"http://127.0.0.1:{w.port}/api/flux", "KUBECONFIG": w.path("kubeconfig"), "TERM": "xterm"})
    child, terminal = pty.fork()
    if child == 0:
        os.execve(w.options.serin, ["serin", *args], env)
    shown, keys, end = "", list(keys), time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            piece = os.read(terminal, 65536).decode()
        except OSError:
            break  # the other side is closed
        shown += piece
        if HINT in piece and keys:
            os.write(terminal, keys.pop(0).encode())
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        raise Failed("the command did not end:\n" + shown)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def begin(w):
    r = Releases(w)
    r.registry.add("shop/api", "1.0", "1.1")
    r.registry.add("shop/web", "1.0", "1.1")
    r.begin({"api.yaml": r.manifest("api"), "web.yaml": r.manifest("web")})
    return r


def test_what_is_selected_in_the_menu_is_released_and_nothing_else(w):
    r = begin(w)
    code, shown = on_terminal(w, [" ", "\033[B", "\r"], "release", "--all", "--update-all-images", "--interactive")
    expect(code, 0, "exit status: " + shown)
    contains(shown, f"⇒ ◯ {w.ns}:deployment/api ", "the menu")
    contains(shown, f"⇒ ◉ {w.ns}:deployment/web ", "the menu")
    contains(shown, "Commit applied:", "the end")
    r.one_scalar(r.image("web", "1.0"), r.image("web", "1.1"))


def test_a_menu_that_is_left_releases_nothing(w):
    r = begin(w)
    before = r.head()
    code, shown = on_terminal(w, ["\003"], "release", "--all", "--update-all-images", "--interactive")
    expect(code, 1, "exit status: " + shown)
    expect(re.sub(r"\033\[\S*?[A-Za-z]", "", shown).splitlines()[-1], "Aborted.", "the last line")
    expect(r.head(), before, "the head")
