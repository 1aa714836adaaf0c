"""Names of files, as strangers give them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.domain.file_names import FILE_NAME_MAX_BYTES, clean_file_name


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("informe.pdf", "informe.pdf"),
        ("año nuevo €.txt", "año nuevo €.txt"),
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("C:\\Users\\ana\\foto.png", "foto.png"),
        ("a/b\\c.png", "c.png"),
        ("..", ""),
        ("../..", ""),
        ("///", ""),
        ("", ""),
        (".gitignore", ".gitignore"),
        ("a\x00b\r\nc\x7f\x85.txt", "abc.txt"),
        ("factura\u202egpj.exe", "facturagpj.exe"),
        ("a\u2066b\u2069\u200e\u200f\u061c.txt", "ab.txt"),
        ("\ufeffa\u00ad\u2028b.txt", "ab.txt"),
        ("half \ud83d.txt", "half .txt"),
        (
            "family \U0001f468\u200d\U0001f469\u200d\U0001f467.png",
            "family \U0001f468\u200d\U0001f469\u200d\U0001f467.png",
        ),
        ("می\u200cخواهم.pdf", "می\u200cخواهم.pdf"),
        ("  spaces.txt  ", "spaces.txt"),
        ("x" * 255, "x" * 255),
        ("x" * 300, "x" * 255),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ("ñ" * 200 + ".pdf", "ñ" * 125 + ".pdf"),
        ("x" * 300 + "." + "y" * 20, "x" * 255),
        ("." + "y" * 300, "." + "y" * 254),
        ("€" * 100, "€" * 85),
    ],
)
def test_a_name_keeps_what_is_a_name(name: str, kept: str) -> None:
    assert clean_file_name(name) == kept


@given(st.text(st.characters(), max_size=400))
def test_whatever_a_name_is_it_can_be_shown_and_saved(name: str) -> None:
    cleaned = clean_file_name(name)
    assert len(cleaned.encode()) <= FILE_NAME_MAX_BYTES
    assert not {"/", "\\", "\0", "\n", "\u202e"} & set(cleaned)
    assert cleaned not in (".", "..")
    assert all(unicodedata.category(char) != "Cc" for char in cleaned)
    assert clean_file_name(cleaned) == cleaned
