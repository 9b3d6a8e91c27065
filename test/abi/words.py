# SPDX-License-Identifier: MIT
"""Old words do not come back. test/abi/old_words.txt says which, where, and with what exceptions;
its head explains the format. `words.py --all` reads the part after "later", too."""
import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap  # noqa: E402

LIST = Path("test/abi/old_words.txt")
ROOTS = ("include/", "lib/", "examples/", "test/", "pkgconfig/", ".github/")
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
MINE = {str(LIST), "test/abi/words.py", "lib/CHANGES.md"}


def listed(everything):
    """[(kind, word, globs, exceptions)], and the lines that can't be read"""
    rules, wrong = [], []
    for line in LIST.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line == "later":
            if not everything:
                break
            continue
        if not line:
            continue
        match = re.fullmatch(r"(part|name|phrase) (.+?)(?: in (\S+))?(?: except (\S+))?", line)
        if not match:
            wrong.append(line)
            continue
        kind, word, where, but = match.groups()
        rules.append((kind, word, (where or "*").split(";"), but.split(";") if but else []))
    return rules, wrong


def paths():
    """What there is to read: in a copy of the tree, which git doesn't know, every file."""
    result = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True,
                            text=True, check=False)
    found = result.stdout.splitlines() or [str(p) for p in Path(".").rglob("*") if p.is_file()]
    for path in found:
        if (path.startswith(ROOTS) or "/" not in path) and path not in MINE and \
                not path.startswith("test/mutants/words-") and \
                not re.search(r"(^|/)(corpus|seeds)/|\.(webp|svg|png|gz)$", path) and \
                os.path.isfile(path):
            yield path


def split(path, text):
    """The code of a file, and its words: comments, strings, documents."""
    if not path.endswith((".c", ".h")):
        return "", text
    return TOKEN.sub(" ", text), "\n".join(TOKEN.findall(text))


def matches(path, word, globs):
    """GLOB or GLOB:WORD"""
    for item in globs:
        glob, _, only = item.partition(":")
        if fnmatch.fnmatch(path, glob) and (not only or fnmatch.fnmatchcase(word, only)):
            return True
    return False


def main():
    t = Tap()
    rules, wrong = listed("--all" in sys.argv)
    t.none(wrong, "the_list_of_old_words_is_understood")
    parts = {w: (g, e) for k, w, g, e in rules if k == "part"}
    names = {w: (g, e) for k, w, g, e in rules if k == "name"}
    phrases = [(w, re.compile(w, re.I), g, e) for k, w, g, e in rules if k == "phrase"]
    found = {"part": [], "name": [], "file": [], "phrase": []}

    def banned(part, path, word):
        if part not in parts:
            return False
        where, but = parts[part]
        return matches(path, word, where) and not matches(path, word, but)

    for path in sorted(paths()):
        for part in set(re.split(r"[^a-z0-9]+", path.lower())):
            if banned(part, path, os.path.basename(path)):
                found["file"].append(f"{path}: {part}")
        try:
            text = Path(path).read_text()
        except UnicodeDecodeError:
            continue
        code, words = split(path, text)
        for word in sorted(set(re.findall(r"[A-Za-z_]\w*", code))):
            for part in set(word.lower().split("_")):
                if banned(part, path, word):
                    found["part"].append(f"{path}: {word}")
        for word in sorted(set(re.findall(r"\w+", text)) & names.keys()):
            where, but = names[word]
            if matches(path, word, where) and not matches(path, word, but):
                found["name"].append(f"{path}: {word}")
        for phrase, pattern, where, but in phrases:
            if matches(path, phrase, where) and not matches(path, phrase, but):
                for match in pattern.finditer(words):
                    found["phrase"].append(f"{path}: {' '.join(match.group().split())}")
    t.none(found["part"], "no_old_word_is_part_of_an_identifier")
    t.none(found["name"], "no_old_name_is_back")
    t.none(found["file"], "no_old_word_is_part_of_the_name_of_a_file")
    t.none(found["phrase"], "no_old_word_is_in_a_comment_or_a_document")
    t.end()


if __name__ == "__main__":
    main()
