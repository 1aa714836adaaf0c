"""Amazon's own DynamoDB Local, where ``DYNAMODB_LOCAL_DIR`` names the folder it was unpacked to.

Its licence asks for an AWS account, so nothing here downloads it. It needs Java, and listens on every interface.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

DIR = os.environ.get("DYNAMODB_LOCAL_DIR")
START_SECONDS = 30.0


class DynamoLocal:
    def __init__(self) -> None:
        assert DIR is not None, "DYNAMODB_LOCAL_DIR is not set"
        folder = Path(DIR).resolve()
        assert (folder / "DynamoDBLocal.jar").is_file(), f"DYNAMODB_LOCAL_DIR: no DynamoDBLocal.jar in {folder}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        library = f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}"
        self._process = subprocess.Popen(
            ["java", library, "-jar", "DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-port", str(port)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.endpoint = f"http://127.0.0.1:{port}"
        self._prefixes = 0
        self._wait_until_it_listens(port)

    def _wait_until_it_listens(self, port: int) -> None:
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, "DynamoDB Local did not start"
                assert time.monotonic() < give_up_at, "DynamoDB Local does not listen"
                time.sleep(0.05)

    def new_prefix(self) -> str:
        self._prefixes += 1
        return f"t{self._prefixes}-"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
