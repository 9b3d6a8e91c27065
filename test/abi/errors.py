# SPDX-License-Identifier: MIT
"""The comment of each public call lists the errors that the call can return: what the code says, by
its text, and nothing else.

In a header: lines " *   NAME  when it occurs. What to do", and "As wspool_x" or "errors are those
of wspool_x". Declarations below one comment share it; there an error may name its call in brackets.

In the code a call can return an error that it names in a return or an assignment to `error` or
`result`, and one of a function whose result it returns or assigns so, or that gets `&error`. A
comparison with an error does not count. INVAL may be missing in a comment: that a NULL pointer is
INVAL is said once."""
import os
import re
import sys
from pathlib import Path

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from tap import Tap  # noqa: E402

HEADERS = [Path("include/wspool", f"{name}.h")
           for name in ("wspool", "channels", "publish", "history", "handlers", "stats", "json",
                        "jwt", "deflate", "client", "json_client")]
NAMES = set(re.findall(r"^    X\((\w+), -\d+", Path("include/wspool/error.h").read_text(), re.M))
COMMENT = re.compile(r"/\*.*?\*/", re.S)
# A comment, then everything up to the next comment or inline body.
DECLARED = re.compile(r"^(?:(?:const )?(?:int|enum \w+)) (wspool_\w+)\(", re.M)
LISTED = re.compile(r"^ \*   ([A-Z_]+)  +(?:\((wspool_\w+)\))?", re.M)
INHERITED = re.compile(r"(?:those\s+(?:\*\s+)?of|\bAs) (wspool_\w+)")
FUNCTION = re.compile(r"^(?:static )?(?:inline )?(?:WSP_NOINLINE )?"
                      r"(?:int|uint32_t|struct \w+ \*|void \*) ?\*?(\w+)\(([^;{]*?)\)\n\{\n"
                      r"(.*?)^\}", re.M | re.S)
# What a function returns, or keeps to return it.
RESULT = re.compile(r"\b(?:return|\*?error =|result =|judged =)([^;]*);|"
                    r"(\w+\([^;{]*&(?:error|result)\b[^;{]*)")
# Errors that the script finds and that cannot happen.
IMPOSSIBLE = {
    ("wspool_broadcast", "STATE"),  # of a contract: there is none here
    ("wspool_upgrade", "STATE"),  # of wspool_free: only its hooks could, and they get REENTRANT
}


def functions():
    """Returns {name: text of its results} of all of lib."""
    found = {}
    for path in sorted(Path("lib").rglob("*.[ch]")):
        text = COMMENT.sub("", path.read_text())
        for name, arguments, body in FUNCTION.findall(text):
            results = [a or b for a, b in RESULT.findall(body)]
            if re.search(r"\berror\b", arguments):  # it stores its error for the caller
                results += re.findall(r"\b\w+\([^;{]*\berror\)", body)
            if re.search(r"\bwsp_call(?:_on)?\(", body):
                results += re.findall(r"\bwsp_call(?:_on)?\([^;]*;", body)
            found.setdefault((path.parts[1], name), []).append("\n".join(results))
    return found


def errors_of(name, folder, found, seen):
    """The errors that a function can return."""
    if name in seen:
        return set()
    seen = seen | {name}
    texts = found.get((folder, name)) or [
        text for (_, other), all_texts in found.items() if other == name for text in all_texts]
    errors = set()
    for text in texts:
        errors |= set(re.findall(r"(?<![=!]= )WSPOOL_ERR_(\w+)", text))
        errors |= {"INVAL"} if "wsp_call" in text else set()
        errors |= {"STALE"} if "wsp_call_on(" in text else set()
        errors |= {"REENTRANT"} if re.search("WSP_OUTSIDE|WSP_CHANNELS", text) else set()
        for called in set(re.findall(r"\b(\w+)\(", text)) - {"wsp_call", "wsp_call_on"}:
            errors |= errors_of(called, folder, found, seen)
    return errors & NAMES


def documented():
    """Returns {call: (errors that its comment lists, calls whose errors it has, too)}."""
    calls = {}
    for header in HEADERS:
        text = header.read_text()
        text = text[text.index('extern "C"'):]
        comment = ""
        for part in re.split(r"(^/\*.*?\*/\n)", text, flags=re.M | re.S):
            if part.startswith("/*"):
                comment = part
            else:
                for name in DECLARED.findall(part):
                    own = {error for error, call in LISTED.findall(comment) if call in ("", name)}
                    calls[name] = own & NAMES, set(INHERITED.findall(comment))
    return calls


def listed(name, calls, seen=()):
    if name not in calls or name in seen:
        return set()
    own, others = calls[name]
    return own.union(*(listed(other, calls, (*seen, name)) for other in others))


def main():
    t = Tap()
    found, calls = functions(), documented()
    defined = {name for _, name in found}
    missing, surplus = [], []
    for name in sorted(calls):
        if name not in defined:
            continue
        folder = next(f for f, other in found if other == name)
        can, says = errors_of(name, folder, found, set()), listed(name, calls)
        missing += [f"{name}: {e}" for e in sorted(can - says - {"INVAL"})
                    if (name, e) not in IMPOSSIBLE]
        surplus += [f"{name}: {e}" for e in sorted(says - can)]
    t.ok(len(calls) > 40, "calls_are_found", len(calls))
    t.none(missing, "each_error_of_a_call_is_in_its_comment")
    t.none(surplus, "each_error_in_a_comment_can_be_returned")
    t.end()


main()
