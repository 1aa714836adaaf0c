"""What taking the metadata out of a photo costs: python -m benchmarks.photo_cleaning

Prints, for noise of 24 megapixels in each format, its size, the median time of cleaning it, and by how much that raised
the process's memory. Noise is the worst case: nothing of it packs.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from PIL import Image

from chatapp.adapters import pictures

FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
SIZE = (6000, 4000)
RUNS = 9


def main() -> None:
    if len(sys.argv) == 3:
        measure(Path(sys.argv[1]), sys.argv[2])
        return
    for kind in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            photo = Path(folder) / "photo"
            Image.effect_noise(SIZE, 40).convert("RGB").save(photo, kind, **({"quality": 92} if kind == "JPEG" else {}))
            # In a process of its own, whose memory no drawing has raised.
            subprocess.run([sys.executable, "-m", "benchmarks.photo_cleaning", str(photo), kind], check=True)


def measure(photo: Path, kind: str) -> None:
    data, times = photo.read_bytes(), []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(RUNS):
        photo.write_bytes(data)
        start = time.perf_counter()
        assert pictures.clean(photo, FORMATS[kind])
        times.append(time.perf_counter() - start)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{kind}: {len(data) / 1e6:.1f} MB, {median(times) * 1000:.0f} ms, {more} kB more memory")


if __name__ == "__main__":
    main()
