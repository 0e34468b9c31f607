"""What the package's docstrings say in fewer words than their reader expects, said in full."""

from __future__ import annotations

import re
from typing import Any

import griffe

# A paragraph right under the heading, no line of which is indented.
_UNTYPED = re.compile(r"^((?:Returns|Yields)\n-+\n)((?:\S.*\n?)+)(?=\n|\Z)", re.MULTILINE)
_TOGETHER = re.compile(r"^(\w+(?:, \w+)+)\n((?: +.*\n?|\n(?= ))+)", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Lets a return value do without a type, and names share a description.

    A returned value's type is its annotation's, where otherwise the first line would be taken for
    it; names that are described together each get their own annotation, where otherwise they would
    all get the first one's.
    """

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = _UNTYPED.sub(
                _with_annotation, _TOGETHER.sub(_one_by_one, obj.docstring.value)
            )


def _with_annotation(section: re.Match[str]) -> str:
    # A colon stands for the type of the annotation, and what is indented for its description.
    heading, text = section.groups()
    return f"{heading}:\n{re.sub('^', '    ', text.rstrip(), flags=re.MULTILINE)}\n"


def _one_by_one(entry: re.Match[str]) -> str:
    names, text = entry.groups()
    return "\n".join(f"{name}\n{text.rstrip()}" for name in names.split(", ")) + "\n"
