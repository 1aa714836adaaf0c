"""What the demo's people send each other beside text: drawn and spoken here, so that nothing has to be shipped."""

from __future__ import annotations

import io
import math
from array import array
from collections.abc import Callable
from fractions import Fraction
from random import Random

import av
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]

FINER = 2
"""Drawn so many times larger and then made smaller: Pillow's shapes have hard edges."""

INK, QUIET, ACCENT, PAPER = (32, 33, 48), (120, 122, 140), (79, 70, 224), (255, 255, 255)


# ---------------------------------------------------------------- pictures
def sunset() -> bytes:
    """Mountains in the evening."""
    size = (1280 * FINER, 960 * FINER)
    picture = _gradient(size, [(38, 28, 80), (190, 74, 120), (252, 150, 96), (255, 214, 150)])
    _glow(picture, (0.64, 0.46), 0.07, (255, 240, 205))
    ridges = [(0.52, 0.10, (150, 72, 118)), (0.60, 0.09, (98, 48, 104)), (0.70, 0.08, (54, 30, 82))]
    for seed, (height, roughness, colour) in enumerate(ridges):
        _ridge(picture, Random(seed), height, roughness, colour)
    return _jpeg(picture)


def office() -> bytes:
    """The street of the new office at night."""
    width, height = 1280 * FINER, 960 * FINER
    picture = _gradient((width, height), [(12, 16, 44), (34, 40, 92), (86, 72, 140), (214, 130, 140)])
    draw, chance = ImageDraw.Draw(picture), Random(7)
    for left in range(0, width, 150 * FINER):
        top = round(height * chance.uniform(0.30, 0.62))
        shade = chance.randint(14, 30)
        draw.rectangle((left, top, left + 138 * FINER, height), fill=(shade, shade + 4, shade + 30))
        _windows(draw, chance, (left, top, left + 138 * FINER, height))
    return _jpeg(picture)


def chart() -> bytes:
    """Sales by branch, as a slide shows them."""
    picture = Image.new("RGB", (1200, 800), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((70, 56), "Sales by branch, November", fill=INK, font=_font(40))
    draw.text((70, 112), "thousand euros, against last year", fill=QUIET, font=_font(24))
    sales = [("Norte", 182, 151), ("Centro", 240, 214), ("Sur", 156, 163), ("Lisboa", 208, 149), ("Porto", 121, 98)]
    for column, (branch, now, before) in enumerate(sales):
        left = 90 + column * 215
        for offset, value, colour in ((0, before, (206, 208, 224)), (78, now, ACCENT)):
            top = 680 - value * 2
            draw.rounded_rectangle((left + offset, top, left + offset + 66, 680), 10, fill=colour)
            draw.text((left + offset + 33, top - 22), str(value), fill=INK, font=_font(20), anchor="mm")
        draw.text((left + 72, 716), branch, fill=INK, font=_font(24), anchor="mm")
    draw.line((70, 680, 1130, 680), fill=QUIET, width=2)
    return _png(picture)


def sketch() -> bytes:
    """The screen of an app, drawn in blocks."""
    picture = Image.new("RGB", (1200, 900), (236, 237, 248))
    draw = ImageDraw.Draw(picture)
    for left, colour in ((120, ACCENT), (470, (29, 154, 91)), (820, (214, 106, 60))):
        draw.rounded_rectangle((left, 90, left + 260, 810), 36, fill=PAPER)
        draw.rounded_rectangle((left, 90, left + 260, 230), 36, fill=colour)
        draw.rectangle((left, 190, left + 260, 230), fill=colour)
        for row in range(5):
            top = 262 + row * 92
            draw.ellipse((left + 22, top, left + 74, top + 52), fill=(214, 216, 232))
            draw.rounded_rectangle((left + 90, top + 6, left + 222, top + 20), 7, fill=(190, 192, 212))
            draw.rounded_rectangle((left + 90, top + 32, left + 186, top + 44), 6, fill=(222, 224, 238))
        draw.rounded_rectangle((left + 40, 736, left + 220, 780), 22, fill=colour)
    return _png(picture)


def plan() -> bytes:
    """Two pages of PDF."""
    pages = [
        _page("Plan 2027", ["Five branches, one way of working", "", *PLAN]),
        _page(
            "What it takes", ["Two more people in Lisboa", "One warehouse for Norte and Centro", "Training in March"]
        ),
    ]
    written = io.BytesIO()
    pages[0].save(written, "PDF", save_all=True, append_images=pages[1:], resolution=100)
    return written.getvalue()


PLAN = [
    "January    Stock of all branches in one list",
    "February   New price tags in Centro and Sur",
    "March      Training, two days in each branch",
    "April      Porto moves to the new premises",
    "June       Half-year review, everybody in Lisboa",
]


def _page(title: str, lines: list[str]) -> Image.Image:
    page = Image.new("RGB", (827, 1169), PAPER)
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 827, 18), fill=ACCENT)
    draw.text((90, 110), title, fill=INK, font=_font(52))
    for row, line in enumerate(lines):
        draw.text((90, 220 + row * 44), line, fill=INK, font=_font(24))
    return page


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _gradient(size: tuple[int, int], colours: list[Colour]) -> Image.Image:
    """From the top downwards."""
    narrow = Image.new("RGB", (1, len(colours)))
    for row, colour in enumerate(colours):
        narrow.putpixel((0, row), colour)
    return narrow.resize(size, Image.Resampling.BICUBIC)


def _glow(picture: Image.Image, at: tuple[float, float], radius: float, colour: Colour) -> None:
    width, height = picture.size
    x, y, around = at[0] * width, at[1] * height, radius * height
    light = Image.new("L", picture.size)
    ImageDraw.Draw(light).ellipse((x - around, y - around, x + around, y + around), fill=255)
    for blur in (around / 2, 6):
        picture.paste(colour, mask=light.filter(ImageFilter.GaussianBlur(blur)))


def _ridge(picture: Image.Image, chance: Random, height: float, roughness: float, colour: Colour) -> None:
    width, tall = picture.size
    waves = [(chance.uniform(1, 3) * 2**octave, chance.uniform(0, 9), 1 / 2**octave) for octave in range(6)]
    outline = [
        (
            x,
            tall
            * (height + roughness * sum(math.sin(x / width * often + shift) * much for often, shift, much in waves)),
        )
        for x in range(0, width + 8, 8)
    ]
    ImageDraw.Draw(picture).polygon([*outline, (width, tall), (0, tall)], fill=colour)


def _windows(draw: ImageDraw.ImageDraw, chance: Random, wall: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = wall
    for x in range(left + 12 * FINER, right - 14 * FINER, 22 * FINER):
        for y in range(top + 16 * FINER, bottom, 30 * FINER):
            if chance.random() < 0.35:
                light = chance.choice([(255, 214, 140), (255, 236, 190), (190, 214, 255)])
                draw.rectangle((x, y, x + 11 * FINER, y + 17 * FINER), fill=light)


def _jpeg(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.reduce(FINER).save(written, "JPEG", quality=85)
    return written.getvalue()


def _png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG", optimize=True)
    return written.getvalue()


# ---------------------------------------------------------------- a voice note
RATE = 48_000
FRAME = 960
"""Opus takes 20 ms at a time."""

SPOKEN_SECONDS = 7.0


def voice_note() -> bytes:
    """Something that hums in sentences, as WebM with Opus: what a browser's recorder makes."""
    sound = _hum(SPOKEN_SECONDS)
    written = io.BytesIO()
    with av.open(written, "w", format="webm") as output:
        stream = output.add_stream("libopus", rate=RATE, layout="mono")
        for at in range(0, len(sound) - FRAME, FRAME):
            frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
            frame.planes[0].update(sound[at : at + FRAME].tobytes())
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return written.getvalue()


def _hum(seconds: float) -> array[int]:
    chance = Random(3)
    syllables = [(chance.uniform(105, 165), chance.uniform(0.35, 1), chance.random() < 0.14) for _ in range(64)]
    samples, phase = array("h"), 0.0
    for n in range(round(seconds * RATE)):
        at = n / RATE * 5.2  # syllables in a second
        hertz, loudness, is_pause = syllables[int(at) % len(syllables)]
        phase += hertz / RATE * math.tau
        swell = 0.0 if is_pause else loudness * math.sin(math.pi * (at % 1)) ** 2
        samples.append(round(9000 * swell * (math.sin(phase) + math.sin(2 * phase) / 2 + math.sin(5 * phase) / 5)))
    return samples


FILES: dict[str, Callable[[], bytes]] = {
    "atardecer.jpg": sunset,
    "new-office.jpg": office,
    "sales-november.png": chart,
    "app-sketch.png": sketch,
    "plan-2027.pdf": plan,
    "voice-note.webm": voice_note,
}
"""By the names that they are sent under."""
