# SPDX-License-Identifier: MIT
"""What a host writes to have a pool on its loop: the lines of examples/loops that stand between
/* glue { */ and /* } glue */, the text being formatted by clang-format and blank lines not counted.
It is 30 lines at most on each loop, and the table of README.md (between <!-- glue --> and
<!-- /glue -->) says how many. No adapter's header has more than 150 lines, no example more than 60.

--write puts the table into README.md."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tree import adapters  # noqa: E402
from tap import Tap, run  # noqa: E402

MOST_GLUE, MOST_EXAMPLE, MOST_ADAPTER = 30, 60, 150
TABLE = re.compile(r"(<!-- glue -->\n)(.*?)(<!-- /glue -->)", re.S)


def formatted(path):
    """Its lines as clang-format puts them; as they are where there is no clang-format."""
    try:
        result = run("clang-format", str(path))
    except OSError:
        return path.read_text().splitlines()
    return result.stdout.splitlines() if result.returncode == 0 else []


def glue(path):
    count, inside = 0, False
    for line in formatted(path):
        inside |= "/* glue {" in line
        count += inside and bool(line.strip())
        inside &= "} glue */" not in line
    return None if inside else count


def table(lines):
    loops = sorted(lines)
    return (f"| {' | '.join(loops)} |\n|{'--:|' * len(loops)}\n"
            f"| {' | '.join(str(lines[loop]) for loop in loops)} |\n")


def main():
    t = Tap()
    examples = sorted(Path("examples/loops").glob("*.c"))
    lines = {path.stem: glue(path) for path in examples}
    readme = Path("README.md")
    if "--write" in sys.argv:
        readme.write_text(TABLE.sub(rf"\g<1>{table(lines)}\g<3>", readme.read_text()))

    t.equal(sorted(lines), sorted(p.stem for p in adapters()), "each_adapter_has_an_example")
    t.none([f"{loop}: {count}" for loop, count in lines.items()
            if not count or count > MOST_GLUE], f"glue_is_{MOST_GLUE}_lines_at_most")
    t.none([f"{p}: {n}" for p, n in ((p, len(formatted(p))) for p in examples)
            if not n or n > MOST_EXAMPLE], f"examples_have_{MOST_EXAMPLE}_lines_at_most")
    t.none([f"{p}: {n}" for p, n in ((p, len(p.read_text().splitlines())) for p in adapters())
            if n > MOST_ADAPTER], f"adapters_have_{MOST_ADAPTER}_lines_at_most")
    found = TABLE.search(readme.read_text())
    t.equal(found and found.group(2), table(lines), "README_says_how_many_lines_of_glue")
    t.end()


main()
