"""Takes secrets out of whatever text is about to be logged.

Nothing here logs tokens, passwords or queries knowingly. But an engine's error may quote its URL, and a client may put
a token where a name belongs; so the last step before a line leaves looks for what is known to be secret, and for what
has the shape of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

REDACTED = "[redacted]"

KNOWN_MIN_CHARS = 4
"""Shorter ones would be found in every other word."""

SHAPES = re.compile(
    r"""
      \beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?                           # a JSON Web Token
    | \bck_[\w-]{16,}                                            # an API key
    | \bwhs(?:ec|k)_[\w+/=-]{16,}                               # what signs a webhook
    | (?<=://)[^\s/@:"']*:[^\s/@"']+(?=@)                        # user and password in a URL
    | (?<=\bBearer\ )[^\s"',;\\]{8,} | (?<=\bBasic\ )[^\s"',;\\]{8,}  # credentials of Authorization
    | (?<=\bCredential=)[^\s"',;&\\]+ | (?<=\bSignature=)[^\s"',;&\\]+
    | (?<=[?&]sig=)[^\s"'&\\]+                                   # what signs a URL
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


class Redactor:
    """``known`` are secrets by their value, as they may be written in texts and URLs."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        written = {form for secret in known for form in _forms(secret) if len(form) >= KNOWN_MIN_CHARS}
        longest_first = sorted(written, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if written else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return SHAPES.sub(REDACTED, text)


def _forms(secret: str) -> set[str]:
    plain = {secret, unquote(secret), quote(secret, safe=""), quote(secret)}
    return plain | {json.dumps(form, ensure_ascii=False)[1:-1] for form in plain} | {repr(form)[1:-1] for form in plain}
