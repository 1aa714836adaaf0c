"""Who works at the demo's company, and what they have said to each other: a table, told by ``filling.py``.

A chain of shops with branches in Spain and Portugal. They write English to each other, and their own languages.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chatapp.domain.models import Status


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: str
    roles: tuple[str, ...]
    filials: tuple[str, ...]
    status: Status | None = None
    """What those show who are here while the demo runs; None for those who are not."""
    seen_hours_ago: float = 0

    @property
    def email(self) -> str:
        return f"{self.id}@example.com"


PEOPLE = (
    Person("ana", "Ana Suárez", ("manager",), ("centro",), seen_hours_ago=1),
    Person("bruno", "Bruno Carvalho", ("user",), ("porto",), Status.ONLINE),
    Person("carmen", "Carmen Ortiz", ("supervisor",), ("sur",), Status.BUSY),
    Person("diego", "Diego Molina", ("user",), ("norte",), Status.ONLINE),
    Person("elena", "Elena Petrova", ("developer",), ("centro",), Status.ONLINE),
    Person("fatima", "Fátima El Amrani", ("user",), ("sur",), seen_hours_ago=20),
    Person("hugo", "Hugo Lemos", ("developer",), ("lisboa",), Status.AWAY),
    Person("ines", "Inês Tavares", ("supervisor",), ("lisboa",), Status.ONLINE),
    Person("javier", "Javier Roca", ("user",), ("norte",), seen_hours_ago=3),
    Person("lucia", "Lucía Fernández", ("designer",), ("centro",), Status.ONLINE),
    Person("marc", "Marc Vidal", ("user",), ("centro", "norte"), seen_hours_ago=50),
    Person("tomas", "Tomás Pereira", ("user",), ("porto",), seen_hours_ago=6),
)

MAIN_PERSON = PEOPLE[0]
"""Who has something in every corner."""


@dataclass(frozen=True, slots=True)
class Line:
    """``key`` names it for ``answers``. ``correction`` is what it says a minute later."""

    who: str
    when: str
    """``3d 09:15`` is three days ago at that time (UTC), ``40m`` forty minutes ago."""
    text: str = ""
    key: str = ""
    answers: str = ""
    correction: str = ""
    taken_back: bool = False
    file: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """Private without a name. The first participant began it. ``unread``: how many of the last lines somebody has not
    read; all others have read all."""

    participants: tuple[str, ...]
    lines: tuple[Line, ...]
    name: str | None = None
    description: str | None = None
    unread: dict[str, int] = field(default_factory=dict)


def _talk(
    participants: str, *lines: Line, name: str = "", about: str = "", unread: dict[str, int] | None = None
) -> Talk:
    return Talk(tuple(participants.split()), lines, name or None, about or None, unread or {})


LAUNCH = _talk(
    "lucia ana elena hugo ines diego",
    Line("lucia", "23d 09:04", "Hi everybody 👋 This is where we plan the new app for the branches.", key="hello"),
    Line("hugo", "23d 09:10", "Olá! Server side is ready for a first version on Friday."),
    Line("ines", "23d 09:31", "Lisboa is in. We can be the first branch to try it."),
    Line(
        "elena",
        "16d 10:02",
        "Sign-in works, and so do the price lists. The code is at https://example.com/app/branches",
    ),
    Line("diego", "16d 10:20", "Works on my old phone too 🎉"),
    Line("lucia", "9d 15:12", "Here are the three colours we talked about.", file="app-sketch.png", key="sketch"),
    Line("ana", "9d 15:30", "The blue one, without a doubt.", answers="sketch"),
    Line("ines", "9d 15:34", "Blue!"),
    Line("hugo", "9d 15:40", "Green has its charm, but I can live with blue 😄"),
    Line("elena", "2d 11:05", "Stock of all branches in one call:", key="stock"),
    Line(
        "elena",
        "2d 11:06",
        "```\nGET /stock?branch=lisboa,porto\n\n"
        '{\n  "lisboa": { "in": 214, "out": 37 },\n  "porto":  { "in": 98,  "out": 12 }\n}\n```',
    ),
    Line("hugo", "2d 11:15", "Use `branch=*` for all of them.", answers="stock"),
    Line("lucia", "1d 16:20", "Who writes the text for the welcome screen?", key="who"),
    Line("ana", "1d 16:24", "I do. You have it on Monday.", correction="I do. You have it tomorrow.", answers="who"),
    Line("ines", "95m", "Our people have tried it the whole morning. They like it, above all the search."),
    Line("diego", "71m", "Norte would like to have it next, if I may say so 🙋"),
    Line("ana", "64m", "Norte is next then. Diego, will you show it to them?"),
    Line("diego", "60m", "With pleasure."),
    Line("elena", "22m", "New build is out. It starts twice as fast as the last one 🚀", key="build"),
    Line("hugo", "17m", "Seen it. Wow.", answers="build"),
    Line("lucia", "12m", "Then I bring cake tomorrow 🎂"),
    name="New app",
    about="From the first sketch to all five branches",
    unread={"ana": 3},
)

EVERYBODY = _talk(
    "carmen ana bruno diego elena fatima hugo ines javier lucia marc tomas",
    Line("carmen", "27d 08:30", "Good morning. News for all branches come in here."),
    Line("tomas", "20d 12:01", "O novo escritório no Porto, ontem à noite:", file="new-office.jpg"),
    Line("bruno", "20d 12:09", "And the heating works. Finally."),
    Line("fatima", "20d 12:15", "Qué bonito 😍"),
    Line(
        "carmen",
        "6d 09:00",
        "The sales of November. Thank you all, this was the best month since we exist.",
        file="sales-november.png",
        key="sales",
    ),
    Line("marc", "6d 09:12", "👏👏👏"),
    Line("javier", "6d 09:20", "Sur will be back on top next month, I am sure.", answers="sales"),
    Line("carmen", "3d 10:00", "The plan for next year, as promised.", file="plan-2027.pdf", key="plan"),
    Line("ines", "3d 10:30", "Two more people in Lisboa! 🎉", answers="plan"),
    Line("marc", "2d 09:40", "Wrong chat, sorry", taken_back=True),
    Line("carmen", "34m", "Reminder: the stocktaking begins on Friday at 7:00. Please tell me who comes."),
    Line("bruno", "28m", "Porto: Tomás and me."),
    name="All branches",
    about="News for everybody",
    unread={"ana": 2},
)

OTHERS = (
    _talk(
        "diego ana",
        Line("diego", "8d 09:12", "Hola Ana, ¿cómo va todo por Centro?"),
        Line("ana", "8d 09:15", "Hola Diego. Mucho trabajo, pero bien. ¿Y tú?"),
        Line("diego", "8d 09:16", "Igual. ¿Vienes a Bilbao en diciembre?"),
        Line("ana", "8d 09:20", "Sí, del 9 al 11. Te aviso."),
        Line("diego", "1d 18:40", "Ayer, desde el monte:", file="atardecer.jpg", key="sunset"),
        Line("ana", "1d 18:52", "¡Qué maravilla! Con esa foto me convences.", answers="sunset"),
        Line("diego", "50m", "Ya tengo las entradas para el día 10 😊"),
    ),
    _talk(
        "ines ana",
        Line("ines", "12d 14:00", "Can you send me the address of the supplier for the shelves?"),
        Line("ana", "12d 14:03", "Of course: https://example.com/suppliers/shelves"),
        Line("ines", "12d 14:04", "Thanks!"),
        Line("ines", "44m", "I am in the car, so I say it instead of writing it.", key="car"),
        Line("ines", "43m", file="voice-note.webm"),
        unread={"ana": 2},
    ),
    _talk(
        "ana carmen",
        Line("ana", "5d 11:00", "Carmen, how many price tags do you need for the new shelves?"),
        Line("carmen", "5d 11:20", "About 400. And two printers, ours is older than I am."),
        Line("ana", "5d 11:22", "Noted 😄"),
        Line("carmen", "4d 16:45", "The tags are here. Perfect, thank you."),
    ),
    _talk(
        "ana tomas",
        Line("ana", "7d 10:10", "Tomás, o contrato está assinado?"),
        Line("tomas", "7d 10:30", "Está. Envio-te a cópia amanhã."),
        Line("ana", "7d 10:31", "Obrigada!"),
    ),
    _talk(
        "lucia elena ana",
        Line("lucia", "3d 13:02", "Lunch at 13:30? The new place on the corner."),
        Line("elena", "3d 13:04", "🍕"),
        Line("ana", "3d 13:05", "I am in."),
        Line("elena", "150m", "Again today?"),
        Line("ana", "148m", "Yes, but I pay this time."),
        name="Lunch",
    ),
    _talk(
        "hugo elena",
        Line("hugo", "2d 15:00", "Do you have ten minutes for the search index?"),
        Line("elena", "2d 15:01", "In half an hour?"),
        Line("hugo", "2d 15:02", "Combinado."),
    ),
    _talk(
        "bruno tomas",
        Line("bruno", "1d 08:05", "Chego dez minutos mais tarde."),
        Line("tomas", "1d 08:06", "Sem problema, abro eu."),
    ),
    _talk(
        "fatima carmen",
        Line("fatima", "1d 12:00", "He cambiado el turno del sábado con Marc, ¿te parece bien?"),
        Line("carmen", "1d 12:30", "Claro, gracias por avisar."),
        Line("fatima", "1d 12:31", "Perfecto, hasta mañana."),
    ),
)

TALKS = (LAUNCH, EVERYBODY, *OTHERS)

ANSWERS = (
    "Nice to hear from you! I am one of the demo's people, and this is the best I can say 🙂",
    "Tell me more. I answer every message, if not always with much sense.",
    "Open a second browser, sign in as somebody else, and you have a real person to talk to.",
    "Have you tried a picture? Drop one here, or paste it.",
    "Point at a message of mine and choose Reply, and I see which one you mean.",
    "👍",
)
"""What those who are here say to a visitor, one after the other."""
