"""The description and the server agree, and nobody else is asked for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from referencing import Registry, Resource
from schemathesis.specs.openapi import definitions

from chatapp.application import create_app
from chatapp.settings import Settings
from tests.e2e.server import Server, running
from tests.e2e.wire import make_conversation, save_users

EXAMPLES_PER_OPERATION = 40
SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Webhooks that are made up here are not delivered."""
    with running(tmp_path_factory.mktemp("openapi") / "server", WEBHOOK_DELIVERY="apart", EVENT_LOG="on") as started:
        yield started


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    answer = server.get("/api/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    document: dict[str, Any] = answer.json()
    return document


CONFIG = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 406, 413, 415, 422]
"""
"""What is too long is refused with 413: it does not ask for that by itself."""


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                yield path, method, operation


def test_schemathesis_finds_no_500_and_nothing_undocumented(server: Server, tmp_path: Path) -> None:
    save_users(server.url, "user123", "user456")
    make_conversation(server.url, "user123", "user456")
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    done = subprocess.run(
        [
            str(SCHEMATHESIS),
            "--config-file",
            str(config),
            "run",
            server.url + "/api/openapi.json",
            "--continue-on-failure",
            "-n",
            str(EXAMPLES_PER_OPERATION),
            "--seed",
            "1",
            "--no-color",
            "--suppress-health-check",
            "all",
            "--generation-database",
            "none",
            "--exclude-checks",
            "positive_data_acceptance",  # no schema can say that an id is nobody's, or a text only blanks
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "Traceback" not in server.log()


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert list(openapi_validator().iter_errors(document)) == []
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def openapi_validator() -> Validator:
    """The OpenAPI Initiative's own schema, which schemathesis carries."""
    return definitions.OPENAPI_31_VALIDATOR  # type: ignore[attr-defined,no-any-return]


def test_every_route_under_api_is_described(document: dict[str, Any], tmp_path: Path) -> None:
    app = create_app(Settings(), sqlite_path=tmp_path / "chat.db", upload_path=tmp_path / "uploads")
    try:
        rules = {
            (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
            for rule in app.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
            if rule.rule.startswith("/api/") and not rule.rule.startswith("/api/docs")
        }
    finally:
        app.extensions["chatapp"].close()
    described = {(path, method) for path, method, _ in operations(document)}
    assert rules - described == {("/api/openapi.json", "get"), ("/api/asyncapi.json", "get")}
    assert {(path, method) for path, method in described if path.startswith("/api/")} <= rules


def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        assert operation["summary"], (method, path)
        if path.startswith("/api/"):
            assert operation["tags"], (method, path)
            assert {"400", "500", "503"} <= set(operation["responses"]), (method, path)


def test_the_examples_obey_their_schemas(document: dict[str, Any]) -> None:
    registry: Registry[Any] = Registry().with_resource("urn:doc", Resource.opaque(document))
    checked = 0
    for content in contents(document):
        named = [example["value"] for example in content.get("examples", {}).values()]
        for example in [*([content["example"]] if "example" in content else []), *named]:
            schema = absolute(content["schema"])
            errors = list(Draft202012Validator(schema, registry=registry).iter_errors(example))
            assert errors == [], (example, errors)
            checked += 1
    assert checked >= 15


def contents(node: Any) -> Iterator[dict[str, Any]]:
    """Every media type object."""
    if isinstance(node, dict):
        if "schema" in node and ("example" in node or "examples" in node):
            yield node
        for value in node.values():
            yield from contents(value)
    elif isinstance(node, list):
        for value in node:
            yield from contents(value)


def absolute(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: f"urn:doc{value}" if key == "$ref" and isinstance(value, str) else absolute(value)
            for key, value in node.items()
        }
    return [absolute(item) for item in node] if isinstance(node, list) else node


# ---------------------------------------------------------------- the page
LOADS = re.compile(r"""(?:src|href)\s*=\s*["']([^"']+)["']""")
STYLE_LOADS = re.compile(r"""url\(\s*["']?([^"')]+)["']?\s*\)|@import\s+["']([^"']+)["']""")


def test_the_browsable_page_loads_nothing_from_elsewhere(server: Server) -> None:
    page = server.get("/api/docs/")
    assert page.status_code == 200
    loaded = [urljoin("/api/docs/", link) for link in LOADS.findall(page.text)]
    assert any(link.endswith(".js") for link in loaded)
    for link in loaded:
        assert not urlsplit(link).netloc, f"loads {link}"
        answer = server.get(link)
        assert answer.status_code == 200, link
        if link.endswith(".css"):
            for found in STYLE_LOADS.findall(answer.text):
                assert not urlsplit("".join(found)).netloc, f"{link} loads {found}"
    assert re.findall(r"""(?:fetch|import|importScripts)\(\s*["'](?:https?:)?//""", page.text) == []
    assert re.findall(r"""<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=""", page.text) == [], "its policy allows none"


def test_the_page_shows_our_document_and_asks_no_validator(server: Server) -> None:
    script = server.get("/api/docs/start.js").text
    assert "/api/openapi.json" in script
    assert re.search(r"validatorUrl\s*:\s*null", script)
    assert server.get("/api/docs", allow_redirects=False).status_code in (200, 301, 302, 308)


def test_the_documents_may_be_read_from_other_origins(server: Server) -> None:
    answer = server.get("/api/openapi.json", headers={"Origin": "https://app.example.com"})
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://app.example.com")
    assert server.get("/api/asyncapi.json").status_code == 200
