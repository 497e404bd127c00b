"""Prints, as a JSON list, every GraphQL document that stands in the source of the installed pycti: [file, document] pairs."""
import ast
import json
import re
from pathlib import Path

import pycti

found = []
for path in sorted(Path(pycti.__file__).parent.rglob("*.py")):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"\s*(query|mutation)\b[^{]*\{", node.value):
            found.append([path.name, node.value])
print(json.dumps(found))
