# SPDX-License-Identifier: MIT
"""Each message type of wspool.v1.json in wspool/json.h names the rules of delivery that it follows:
"Rule D7." or "Rules D7, D8.", which exist in test/model/README.md, or "No rule". Each type that
lib/json sends or takes is there."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap  # noqa: E402

HEADER = Path("include/wspool/json.h").read_text(encoding="utf-8")
MODEL = Path("test/model/README.md").read_text(encoding="utf-8")
RULES = set(re.findall(r"^\| \*\*(D\d+) ", MODEL, re.M))
# The paragraphs of the two lists of messages: " *   subscribe    {...", and lines further to the
# right.
LISTS = re.compile(r"^ \* ------- Messages of .*\n((?: \*(?:   .*)?\n)*)", re.M)
TYPE = re.compile(r"^ \*   (\w+(?: types)?)(?: +\{.*)?\n((?: \*(?:    .*)?\n)*)", re.M)
NAMED = re.compile(r"\bRules? (D\d+(?:, D\d+)*)\.")
SENT = re.compile(r'wsp_json_send(?:_among|_with)?\([^;"]*?"([a-z_]+)"')
TAKEN = re.compile(r'\{"([a-z_]+)", \w+, [01]\},')


def main():
    types = {name: re.sub(r"\n \* *", " ", text)
             for name, text in TYPE.findall("".join(LISTS.findall(HEADER)))}
    code = "".join(path.read_text(encoding="utf-8") for path in sorted(Path("lib/json").glob("*.c")))
    used = set(SENT.findall(code)) | set(TAKEN.findall(code))
    t = Tap()
    t.ok(len(RULES) >= 15 and len(types) >= 14 and len(used) >= 12, "rules_and_types_are_found",
         sorted(RULES), sorted(types), sorted(used))
    t.none(sorted(used - set(types)), "types_that_are_used_are_documented")
    t.none([name for name, text in types.items()
            if not NAMED.search(text) and "No rule" not in text], "each_type_names_its_rules")
    t.none([f"{name}: {rule}" for name, text in types.items() for rules in NAMED.findall(text)
            for rule in rules.split(", ") if rule not in RULES], "rules_that_are_named_exist")
    t.end()


main()
