# SPDX-License-Identifier: MIT
"""The documents name only what exists: files, headings, calls and identifiers. The five usual
questions are answered in lib/README.md, each with the files to change."""
import os
import re
import sys
from pathlib import Path

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from tap import Tap  # noqa: E402

DOCUMENTS = ["README.md", "lib/README.md", "lib/CHANGES.md", "test/README.md",
             "test/bench/README.md", "test/model/README.md", "examples/README.md", "examples/cards/README.md",
             ".github/CONTRIBUTING.md", ".github/SECURITY.md"]
QUESTIONS = ["Refuse a path with two slashes", "Count pongs by round-trip time",
             "A new slow policy", "A new refusal reason", "A new loop adapter"]
# A path in a document is from one of these, or from the document's own folder.
ROOTS = ["", "lib", "include", "include/wspool", "test"]
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```\n", re.M | re.S)
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*|\w+\.(?:c|h|py|mk|md)")
# Products, the system's, placeholders; and two headers that only Changes names.
NOT_OURS = re.compile(r"^\d|^build/|^usr/|NAME|NN|^adapters/(?:uring|sockets)\.h$")


def anchors(text):
    """The names of a document's headings in links."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(document, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = Path(document).parent / path if path else Path(document)
        if not file.exists():
            yield f"{document}: {target}"
        elif anchor and anchor not in anchors(file.read_text()):
            yield f"{document}: {target}: no such heading"


def exists(document, path, names):
    if "/" not in path and path in names:
        return True
    return any(Path(root, path + suffix).exists() for root in [Path(document).parent, *ROOTS]
               for suffix in ("", ".c", ".mutant"))


def missing_paths(document, text, names):
    for code in CODE.findall(FENCE.sub("", text)):
        code = code.rstrip("*").rstrip("-") if code.endswith("*") else code
        if PATH.fullmatch(code) and not NOT_OURS.search(code) and not exists(document, code, names):
            yield f"{document}: {code}"


def identifiers(text, pattern):
    return sorted(set(re.findall(pattern, text)))


def sources(*folders):
    files = [p for folder in folders for p in sorted(Path(folder).rglob("*.[ch]"))]
    return "\n".join(p.read_text() for p in files)


def unknown(document, text, pattern, known):
    words = set(re.findall(r"\w+", known))
    return [f"{document}: {name}" for name in identifiers(text, pattern) if name not in words]


def sections(text):
    parts = re.split(r"^### (.*)$", text.partition("## Adding a module")[2], flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def main():
    t = Tap()
    texts = {d: Path(d).read_text() for d in DOCUMENTS if Path(d).exists()}
    names = {p.name for folder in ("lib", "include", "test", "examples")
             for p in Path(folder).rglob("*")}
    public, private = sources("include"), sources("lib", "include")

    t.none([p for d, text in texts.items() for p in dead_links(d, text)], "links_lead_somewhere")
    t.none([p for d, text in texts.items() for p in missing_paths(d, text, names)],
           "files_that_are_named_exist")
    new = texts["lib/CHANGES.md"].partition("### Breaking")[0]
    called = r"\bwspool_[a-z]\w*(?=`|\(|[,;.)])(?!\.h)"
    places = {"README.md": texts["README.md"], "lib/README.md": texts["lib/README.md"],
              "lib/CHANGES.md": new}
    t.none([p for d, text in places.items()
            for p in unknown(d, text, called, public + " wspool_sockets")],
           "calls_that_are_named_are_public")
    answers = sections(texts["lib/README.md"])
    t.equal(list(answers), QUESTIONS, "the_five_questions_are_there")
    t.none([q for q, answer in answers.items() if not any(
        PATH.fullmatch(code) and exists("lib/README.md", code, names)
        for code in CODE.findall(answer))], "each_answer_names_files")
    known = set(re.findall(r"\w+", private))
    t.none([f"{q}: {name}" for q, answer in answers.items() for name in CODE.findall(answer)
            if re.fullmatch(r"[A-Za-z]+_\w+", name) and name not in known],
           "each_answer_names_identifiers_that_exist")
    t.end()


main()
