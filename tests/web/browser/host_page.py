"""Somebody else's page with the widget on it: another origin, with a strict content policy of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html>
<html lang="en" class="tiny">
  <head>
    <meta charset="utf-8">
    <title>Shop</title>
    <meta name="viewport" content="width=device-width">
    <link rel="stylesheet" href="/host.css">
    <script type="module" src="/host.js"></script>
    <script type="module" src="{chat}/client/embed.js"></script>
  </head>
  <body>
    <main>
      <h1>My shop</h1>
      <label>Search <input id="search"></label>
      <chatapp-widget {attributes}></chatapp-widget>
    </main>
  </body>
</html>
"""

STYLE = """
html { font-size: 62.5%; }
body { margin: 0; font: 16px serif; text-transform: uppercase; letter-spacing: 2px; }
button { background: red; border: 5px solid lime; }
chatapp-widget { height: 520px; }
"""
"""What a page may do to everything on it, and nobody wants to see in the chat."""

SCRIPT = """
// What the widget tells last of each kind stands on the body.
const widget = document.querySelector('chatapp-widget');
for (const name of ['ready', 'unread', 'token-needed', 'signed-out', 'refused']) {
  document.addEventListener(`chatapp-${name}`, ({ detail }) => {
    document.body.setAttribute(`data-${name}`, JSON.stringify(detail));
  });
}
if (!location.search.includes('later')) widget.getToken = async () => (await fetch('/token')).text();
"""


@dataclass
class HostPage:
    """``token`` makes what the page's own backend answers at ``/token``."""

    chat: str = ""
    attributes: str = ""
    token: Callable[[], str] = lambda: ""
    tokens_made: int = 0
    url: str = ""

    def policy(self) -> str:
        """As docs/web-client.md asks for: nothing inline, and nothing from elsewhere but the chat."""
        sockets = self.chat.replace("http", "ws", 1)
        return (
            f"default-src 'none'; script-src 'self' {self.chat}; connect-src 'self' {self.chat} {sockets}; "
            f"img-src 'self' {self.chat} blob:; media-src {self.chat} blob:; style-src 'self'; "
            "require-trusted-types-for 'script'; base-uri 'none'; form-action 'none'"
        )

    def answer(self, path: str) -> tuple[str, str]:
        match path.partition("?")[0]:
            case "/":
                return "text/html", PAGE.format(chat=self.chat, attributes=self.attributes)
            case "/host.js":
                return "text/javascript", SCRIPT
            case "/host.css":
                return "text/css", STYLE
            case "/token":
                self.tokens_made += 1
                return "text/plain", self.token()
            case _:
                return "text/plain", ""


@contextmanager
def serving() -> Iterator[HostPage]:
    host = HostPage()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, text = host.answer(self.path)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", host.policy())
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Nobody wants to read it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    host.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
