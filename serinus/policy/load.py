"""From a file, a name or plain data to a sound `Policy`, or to every problem at once.

read(by_name("shop"))        the file of that service beside the deployment
parse(data, "POST")          a policy that was sent whole
to_plan(policy, "v2")        what it comes to for one release
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from serinus.errors import PolicyError, Problem
from serinus.policy import consistency, document, plain, preset, structure
from serinus.policy.model import Policy
from serinus.policy.settle import to_plan
from serinus.policy.unit import shown
from serinus.policy.value import SERVICE

__all__ = ["Policy", "by_name", "deployed", "parse", "read", "to_plan"]


def read(path: Path | str) -> Policy:
    """The policy in a YAML file.

    Raises:
        PolicyError: every problem, each with its line
    """
    content = document.load(Path(path))
    return _sound(content.data, str(path), content.lines)


def parse(data: Mapping[str, Any], source: str = "policy") -> Policy:
    """A policy as plain data, as JSON brings it; `source` names it in errors.

    Raises:
        PolicyError: every problem, each with its path
    """
    if not isinstance(data, Mapping):
        problem = Problem("", f"{shown(data)} is not a mapping", "send the policy's keys and values")
        raise PolicyError(source, (problem,))
    return _sound(data, source, {})


def by_name(service: str) -> Path:
    """The policy file of a service among the deployed ones.

    Raises:
        PolicyError: no service name, or none that is known
    """
    if not re.fullmatch(SERVICE, service):
        right = "write small letters, digits and dashes, such as api-gateway"
        raise PolicyError("policy", (Problem("service", f"{shown(service)} is no service name", right),))
    known = {file.stem: file for file in deployed()}
    if service not in known:
        listed = ", ".join(sorted(known)) or "none at all"
        right = f"known are {listed}; the file of any other is given with --policy (over the API: `policy`)"
        problem = Problem("service", f"there is no policy for {shown(service)}", right)
        raise PolicyError("deployments/policies", (problem,))
    return known[service]


def deployed() -> tuple[Path, ...]:
    """Every policy file beside the deployment."""
    from importlib.resources import files  # 20 ms, which reading a file by its path need not pay

    try:
        inside = (files("deployments") / "policies").iterdir()
        return tuple(sorted(file for file in inside if isinstance(file, Path) and file.suffix == ".yaml"))
    except (ModuleNotFoundError, FileNotFoundError):
        return ()


def _sound(data: Mapping[str, Any], source: str, lines: Mapping[str, int]) -> Policy:
    if never := tuple(plain.unfit(data)):
        raise PolicyError(source, tuple(_placed(problem, lines) for problem in never))
    content, problems, bad = structure.examined(preset.applied(data))
    problems = (*problems, *consistency.problems(content, bad))
    if problems:
        raise PolicyError(source, tuple(sorted((_placed(problem, lines) for problem in problems), key=_order)))
    warnings = tuple(sorted((_placed(warning, lines) for warning in consistency.warnings(content)), key=_order))
    return Policy(source, content, data, warnings)


def _order(problem: Problem) -> tuple[int, str]:
    return problem.line or 0, problem.where


def _placed(problem: Problem, lines: Mapping[str, int]) -> Problem:
    """The problem with the line of its key, or of the nearest key around it that stands in the file."""
    where = problem.where
    while where and where not in lines:
        where = where[: max(where.rfind("."), where.rfind("["), 0)]
    return replace(problem, line=lines.get(where)) if lines else problem
