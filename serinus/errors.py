"""What can go wrong, split by what the caller should do about it.

    SerinusError
    +- PolicyError         the file is wrong; nothing touched
    +- PreflightError      the target is unfit; nothing touched
    |  +- Busy             another release of the service is going: wait for its end, or end it
    +- PlatformError
    |  +- Unavailable      timeout, 429, 5xx: the only one that is retried as it is
    |  +- Conflict         somebody wrote in between: read again, decide anew
    |  +- Refused          a right or an object is missing: never retried
    +- Fenced              somebody else holds the release now: stop, touch nothing
    +- Drift               the route is not as it was left
    +- RollbackError       the canary may still serve: page a person, go on trying

A failed gate is not here: it is a value (`analysis.verdict.Verdict`), never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass


class SerinusError(Exception):
    """Anything this project raises on purpose; its text is one sentence for a person."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a policy.

    Args:
        where: dotted path of the key, such as `phases[1].weight`; empty for the file as a whole
        found: what stands there
        right: what would be right
        line: 1-based line in the file, None where the policy did not come from a file
    """

    where: str
    found: str
    right: str
    line: int | None = None

    def __str__(self) -> str:
        at = f"line {self.line}: " if self.line else ""
        key = f"{self.where}: " if self.where else ""
        return f"{at}{key}{self.found}; {self.right}"


class PolicyError(SerinusError):
    """The user's file is wrong. Carries every problem at once; nothing was touched."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


@dataclass(frozen=True)
class Finding:
    """What preflight or doctor found unfit: what, where, how to mend it."""

    what: str
    where: str
    mend: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.mend}"


class PreflightError(SerinusError):
    """The target is unfit for a release; nothing was touched.

    Args:
        findings: every one, also those that hinder nothing
    """

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(findings)
        self.findings = findings

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.hindering)

    @property
    def hindering(self) -> tuple[Finding, ...]:
        """Those that must be mended first."""
        return tuple(finding for finding in self.findings if finding.fatal)


class Busy(PreflightError):
    """Another release of the service is going, or was faster: the only refusal that is gone by waiting."""


class PlatformError(SerinusError):
    """A part that is not ours did not do what was asked.

    Args:
        what: in one sentence
        mend, where: how a person mends it and where it is, where that is known better here than by who asked
    """

    def __init__(self, what: str = "", mend: str = "", where: str = "") -> None:
        super().__init__(f"{what}; {mend}" if mend else what)
        self.what = what
        self.mend = mend
        self.where = where

    def finding(self, where: str, mend: str) -> Finding:
        """What preflight makes of it; place and mend are those given, where the error knows no better."""
        return Finding(self.what, self.where or where, self.mend or mend)


class Unavailable(PlatformError):
    """No answer in time, or one that says 'later': the only error that is retried as it is."""


class Conflict(PlatformError):
    """The object is not as it was read: read again, decide anew."""


class Refused(PlatformError):
    """A right or an object is missing; trying again does not help."""


class Missing(Refused):
    """The object is not there, though its platform knows its kind."""


class Fenced(SerinusError):
    """Somebody else holds the release now: stop and touch nothing."""


class Unrecorded(Fenced):
    """The release's record is gone: nobody holds it any more, and a canary must not keep traffic that nobody owns."""


class Drift(SerinusError):
    """The route is not as it was left."""


class RollbackError(SerinusError):
    """The canary may still serve: a person is needed, and the trying goes on."""
