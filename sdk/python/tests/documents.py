"""Code from documents that describe these calls, run as it stands there.

They are no part of the package: `TUTELA_DOCUMENTS` names their folder, or `TUTELA_SHARED` the one around it,
which else lies beside the repository. Where they are not, the tests of them do not exist.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

BESIDE = Path(__file__).resolve().parents[3].parent / "shared"
FOLDER = Path(
    os.environ.get("TUTELA_DOCUMENTS") or Path(os.environ.get("TUTELA_SHARED") or BESIDE, "mission")
)
DOCUMENTS = FOLDER if FOLDER.is_dir() else None


def described(*words: str, known: dict[str, Any], without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run the one block of Python in the documents that holds all `words`; what it defined.

    The names in `known`, which the documents take for granted, are there before. Statements that use one
    of the names in `without` are left out: the block is about more than the test.
    """
    texts = (path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt"))
    blocks = [block for text in texts for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
    [code] = [block for block in blocks if all(word in block for word in words)]
    module = ast.parse(re.sub(r"\bfrom nexios\.", "from tutela.", code))
    module.body = [statement for statement in module.body if not names(statement) & set(without)]
    found = dict(known)
    exec(compile(module, "the documents", "exec"), found)  # noqa: S102
    return found


def names(statement: ast.stmt) -> set[str]:
    """The names that a statement imports or uses."""
    used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    return used | {node.name for node in ast.walk(statement) if isinstance(node, ast.alias)}
