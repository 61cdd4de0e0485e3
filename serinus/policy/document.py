"""What stands in a policy file, and on which line: YAML 1.2 as plain data.

Knows nothing of a policy's keys. Anchors and aliases are refused, because a few lines of them grow to gigabytes.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from serinus.errors import PolicyError, Problem

LARGEST_BYTES = 256 * 1024
DEEPEST = 20
PLAIN = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null"))
"""The tags that are kept; a date is taken as the text that it was written as."""
DATE = "tag:yaml.org,2002:timestamp"


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content.

    Args:
        data: mappings, lists, texts, numbers, booleans and None
        lines: 1-based line of every key and item, by dotted path such as `phases[1].weight`
    """

    data: Mapping[str, Any]
    lines: Mapping[str, int]


def load(path: Path) -> Document:
    """The document in a file.

    Raises:
        PolicyError: with every problem that can be told at once
    """
    return parse(_text(path), str(path))


def parse(text: str, source: str) -> Document:
    """The document in a text; `source` names it in errors.

    Raises:
        PolicyError: not one plain YAML mapping
    """
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        raise PolicyError(source, (_syntax(error),)) from None
    except (YAMLError, ValueError) as error:
        raise PolicyError(source, (Problem("", f"not YAML: {error}", "write a YAML mapping"),)) from None
    except RecursionError:
        raise PolicyError(source, (_too_deep("", None),)) from None
    if root is None:
        raise PolicyError(source, (Problem("", "the file is empty", "write at least service, workload and router"),))
    if not isinstance(root, MappingNode):
        problem = Problem(
            "", "the file is not a mapping", "write `key: value` lines, first `service: <name>`", _line(root)
        )
        raise PolicyError(source, (problem,))
    reading = _Reading()
    data = reading.value(root, "", 0)
    if reading.problems:
        raise PolicyError(source, tuple(reading.problems))
    return Document(data, reading.lines)


def _text(path: Path) -> str:
    """The file's text, looked at before it is read, so that nothing large or endless is."""

    def refuse(found: str, right: str) -> PolicyError:
        return PolicyError(str(path), (Problem("", found, right),))

    try:
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise refuse("this is a directory", "name the policy file in it")
        if not stat.S_ISREG(about.st_mode):
            raise refuse("this is not a regular file", "name a YAML file")
        if about.st_size > LARGEST_BYTES:
            raise refuse(f"{about.st_size:,} bytes are too many", f"a policy is at most {LARGEST_BYTES:,} bytes")
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise refuse("there is no such file", "name a policy file that exists") from None
    except (OSError, ValueError) as error:
        raise refuse(f"cannot be read ({getattr(error, 'strerror', None) or error})", "make it readable") from None
    if b"\0" in content:
        raise refuse("this is a binary file", "write YAML as UTF-8 text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise refuse(f"not UTF-8 at line {line}", "save it as UTF-8 text") from None


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _too_deep(where: str, line: int | None) -> Problem:
    return Problem(where, f"nested more than {DEEPEST} deep", "a policy is nested at most six deep", line)


def _syntax(error: MarkedYAMLError) -> Problem:
    """What a YAML reader says, in one sentence with what would be right."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else None
    what = str(error.problem or error.context or "not YAML")
    if "another document" in what:
        return Problem("", "a second document starts here", "write one policy a file, without a further `---`", line)
    if "alias" in what:
        return Problem("", what, "write the values out; a policy has no anchors and aliases", line)
    if "'\\t'" in what:
        return Problem("", "a tab where YAML wants spaces", "indent with spaces", line)
    return Problem("", f"not YAML: {what}", "mend the syntax there or on the line above", line)


@dataclass
class _Reading:
    """One walk over the nodes of one file."""

    problems: list[Problem] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    constructor: Any = field(default_factory=lambda: YAML(typ="safe", pure=True).constructor)

    def value(self, node: Node, path: str, depth: int) -> Any:
        """The node's plain value; problems are noted and the walk goes on."""
        if id(node) in self.seen:
            return None
        self.seen.add(id(node))
        if node.anchor:
            right = "write the values out; a policy has no anchors and aliases"
            return self._refuse(path, f"`&{node.anchor}` is an anchor", right, node)
        if depth > DEEPEST:
            self.problems.append(_too_deep(path, _line(node)))
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if str(node.tag) not in PLAIN:
            return self._refuse(path, f"the tag `{node.tag}` is not known here", "leave the tag out", node)
        if isinstance(node, MappingNode):
            return dict(self._pairs(node, path, depth))
        return [self._item(item, f"{path}[{index}]", depth) for index, item in enumerate(node.value)]

    def _item(self, node: Node, path: str, depth: int) -> Any:
        self.lines[path] = _line(node)
        return self.value(node, path, depth + 1)

    def _pairs(self, node: MappingNode, path: str, depth: int) -> Iterator[tuple[str, Any]]:
        first: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode) or str(key.tag) != "tag:yaml.org,2002:str":
                written = f"`{key.value}`" if isinstance(key, ScalarNode) else "a list or mapping"
                self._refuse(path, f"the key {written} is not a word", "write a word, in quotes if need be", key)
                continue
            name = str(key.value)
            where = f"{path}.{name}" if path else name
            if name in first:
                self._refuse(where, f"stands here a second time (first on line {first[name]})", "keep one of them", key)
                continue
            first[name] = self.lines[where] = _line(key)
            if key.anchor:
                self._refuse(
                    where, f"`&{key.anchor}` is an anchor", "write the values out; a policy has no anchors", key
                )
            yield name, self.value(value, where, depth + 1)

    def _scalar(self, node: ScalarNode, path: str) -> Any:
        tag = str(node.tag)
        if tag == DATE:
            return str(node.value)
        if tag not in PLAIN:
            return self._refuse(path, f"the tag `{tag}` is not known here", "leave the tag out", node)
        try:
            return self.constructor.construct_object(node)
        except (ConstructorError, ValueError, KeyError) as error:
            return self._refuse(path, f"`{node.value}` cannot be read ({error})", "write it plainly", node)

    def _refuse(self, path: str, found: str, right: str, node: Node) -> None:
        self.problems.append(Problem(path, found, right, _line(node)))
