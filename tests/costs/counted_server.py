"""gunicorn, counted from its first line: python -m tests.costs.counted_server -c gunicorn.conf.py module:app"""

from __future__ import annotations

from tests.costs import counting

if __name__ == "__main__":
    counting.install()

    from gunicorn.app.wsgiapp import run

    run()
