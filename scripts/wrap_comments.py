"""Wraps comment lines of Swift files that are longer than 120 characters; `swift format` leaves comments alone.

The rest of a long line moves to the front of the next line of the same paragraph. Code blocks, tables and lists keep their shape.
"""
import re
import sys

MOST = 120
COMMENT = re.compile(r"^(\s*)(///|//) ?(.*)$")
STARTS = re.compile(r"\s*([-*|#]|\d+\. |```| {4})")


def wrap(lines):
    out, at, is_code = [], 0, False
    while at < len(lines):
        line = lines[at]
        at += 1
        found = COMMENT.match(line)
        if found and found[3].lstrip().startswith("```"):
            is_code = not is_code
        if len(line) <= MOST or not found or is_code or found[3].startswith(("    ", "|")):
            out.append(line)
            continue
        indent, slashes, text = found.groups()
        head = f"{indent}{slashes} "
        marker = re.match(r"\s*[-*] |\s+", text)
        hanging = " " * len(marker[0]) if marker else ""
        cut = line.rfind(" ", len(head) + len(hanging) + 1, MOST + 1)
        if cut < 0:
            out.append(line)
            continue
        out.append(line[:cut].rstrip())
        rest = line[cut + 1:]
        following = COMMENT.match(lines[at]) if at < len(lines) else None
        same = (following and (following[1], following[2]) == (indent, slashes) and following[3].strip()
                and not STARTS.match(following[3]) and following[3].startswith(hanging))
        if same:
            lines[at] = f"{head}{hanging}{rest} {following[3].strip()}"
        else:
            lines.insert(at, f"{head}{hanging}{rest}")
    return out


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        before = file.read()
    after = "\n".join(wrap(before.split("\n")))
    if after != before:
        with open(path, "w", encoding="utf-8") as file:
            file.write(after)
