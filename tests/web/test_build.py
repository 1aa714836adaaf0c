"""The web client as it is built: current types, a small first load, nothing inline, a lock that names no registry."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest

from chatapp.cli import main

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
BUILT = ROOT / "chatapp" / "static" / "client"

FIRST_LOAD_MAX_BYTES = 100_000
"""Of JavaScript, packed: what a phone waits for before it shows anything."""


@pytest.fixture(scope="module")
def page() -> str:
    """Of the build that ``scripts/web-build`` makes, which ``scripts/test`` has run."""
    return (BUILT / "index.html").read_text()


def test_the_wire_s_types_are_those_of_the_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for document in ("openapi", "asyncapi"):
        assert main([document]) == 0
        (tmp_path / f"{document}.json").write_text(capsys.readouterr().out)
    command = ["node", WEB / "scripts" / "make-types.mjs", tmp_path / "openapi.json", tmp_path / "asyncapi.json"]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kept = (WEB / "src" / "protocol" / "types.gen.ts").read_text()
    assert made == kept, "stale: run scripts/web-types"


def test_the_first_load_is_small(page: str) -> None:
    scripts = re.findall(r'<script[^>]+src="/client/([^"]+)"', page) + re.findall(
        r'<link rel="modulepreload"[^>]+href="/client/([^"]+)"', page
    )
    assert scripts
    packed = {name: len(gzip.compress((BUILT / name).read_bytes())) for name in scripts}
    assert sum(packed.values()) <= FIRST_LOAD_MAX_BYTES, packed


def test_voice_notes_are_loaded_when_somebody_wants_them(page: str) -> None:
    for part in ("VoiceNote", "Sound"):
        assert part not in page
        assert list((BUILT / "assets").glob(f"{part}-*.js"))


def test_the_widget_has_a_fixed_name_and_finds_its_parts_on_its_own_server() -> None:
    for script in (BUILT / "embed.js", *(BUILT / "assets").glob("*.js")):
        named = re.findall(r"""["'`](/client/(?!config\.json)[^"'`]*)["'`]""", script.read_text())
        assert named == [], "on another's page that is another's server"


def test_the_page_has_nothing_inline(page: str) -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert "<style" not in page
    assert not re.search(r"\s(style|on\w+)=", page)


def test_each_text_lies_there_packed_as_well() -> None:
    texts = [path for path in BUILT.rglob("*") if path.suffix in (".js", ".css", ".html")]
    assert texts
    for path in texts:
        assert gzip.decompress(Path(f"{path}.gz").read_bytes()) == path.read_bytes()


@pytest.mark.parametrize("folder", ["web", "tests/e2e/clients", "tests/web/livekit"])
def test_the_lock_names_no_registry(folder: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text())
    assert lock["packages"]
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
