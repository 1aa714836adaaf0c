"""Where nothing looks for malware: the default."""

from __future__ import annotations

from pathlib import Path


class NoScanner:
    def scan(self, path: Path) -> str | None:
        return None
