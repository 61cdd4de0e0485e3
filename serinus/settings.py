"""What the environment says: where the state lies, which server is meant. Resolved once at a start and handed on.

Nothing of a release is set here: that is the policy's part.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """`SERINUS_STATE`, `SERINUS_API`: see `docs/local.md`. Empty is unset, as the shell's `NAME=` means it."""

    model_config = SettingsConfigDict(env_prefix="SERINUS_", env_ignore_empty=True)

    state: Path | None = None
    api: str = ""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the local platform keeps everything.

    Args:
        state: stores, sockets, logs
        evidence: `<release>.log`, a file a release
    """

    state: Path
    evidence: Path

    @classmethod
    def at(cls, state: Path) -> Folders:
        """Evidence lies beside a folder named `.serinus` (the project's own), else inside the folder given."""
        state = state.resolve()
        return cls(state, (state.parent if state.name == ".serinus" else state) / "TEST" / "canary")

    @classmethod
    def resolve(cls, settings: Settings | None = None, start: Path | None = None) -> Folders:
        """The folders meant: `SERINUS_STATE`, else `.serinus` beside the nearest `prefect.yaml` above, else here."""
        chosen = (settings or Settings()).state
        if chosen is not None:
            return cls.at(chosen)
        here = (start or Path.cwd()).resolve()
        project = next((folder for folder in (here, *here.parents) if (folder / "prefect.yaml").is_file()), here)
        return cls.at(project / ".serinus")

    def service(self, name: str) -> Path:
        return self.state / "services" / name
