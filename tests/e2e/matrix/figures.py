"""What a cell comes to: what each client had on its screen and when, and the verdict. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf

from chatapp.torture.case import Finding
from chatapp.torture.history import Asked, CaughtUp, Cut, Heard, History, Left, Seen, Truth
from chatapp.torture.judge import judge

Shown = list[tuple[int, float]]
"""A conversation on a screen, from top to bottom: ``seq``, and when it was shown."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``over`` is when the engine is started or woken, the network is back, the client is woken; both are monotonic
    seconds. ``hurt`` are the users that it happened to."""

    began: float
    over: float
    hurt: frozenset[str]


@dataclass(frozen=True, slots=True)
class Figures:
    """Times are seconds. With as few clients as there are the p99 is the slowest of them."""

    acknowledged: int
    clients: int
    lost: int
    duplicated: int
    reordered: int
    catch_up_p50: float
    catch_up_p99: float
    longest: float
    """From an acknowledgement to the last client's screen, the fault included."""
    slowest_answer: float
    """From the first try of a send to its acknowledgement, the fault included."""
    findings: tuple[str, ...]


def figures(history: History, truth: Truth, fault: Fault) -> Figures:
    findings = (*judge(history, truth), *screens(history))
    kinds = Counter(finding.kind for finding in findings)
    times = list(catch_up(history, fault.over, fault.hurt).values())
    return Figures(
        acknowledged=sum(bool(send.answers) for send in history.sends),
        clients=len({member.user for member in history.memberships}),
        lost=kinds["lost"],
        duplicated=kinds["duplicated"],
        reordered=kinds["reordered"],
        catch_up_p50=percentile(times, 50),
        catch_up_p99=percentile(times, 99),
        longest=max(catch_up(history, -inf).values(), default=0.0),
        slowest_answer=max((send.answers[0].at - send.began for send in history.sends if send.answers), default=0.0),
        findings=tuple(f"{finding.kind}: {finding.what}" for finding in findings),
    )


# ---------------------------------------------------------------- screens
def shown(seen: Iterable[Seen]) -> dict[str, Shown]:
    """Each conversation as a front end shows it: what comes while it catches up waits for that, and it drops what it
    has. It sorts nothing: that is the server's promise."""
    screens: defaultdict[str, Shown] = defaultdict(list)
    known: defaultdict[str, set[int]] = defaultdict(set)
    held: dict[str, list[int]] = {}

    def show(conversation: str, seqs: Iterable[int], at: float) -> None:
        for seq in seqs:
            if seq not in known[conversation]:
                known[conversation].add(seq)
                screens[conversation].append((seq, at))

    for entry in seen:
        match entry:
            case Asked(conversation=conversation):
                held[conversation] = []
            case CaughtUp(at=at, conversation=conversation, after=after, seqs=seqs):
                waiting = held.pop(conversation, [])
                had = [seq for seq in waiting if seq <= after]  # it had them when it asked, and did not ask for them
                show(conversation, (*had, *seqs, *waiting), at)
            case Heard(at=at, conversation=conversation, seq=seq):
                if conversation in held:
                    held[conversation].append(seq)
                else:
                    show(conversation, [seq], at)
            case Left(conversation=conversation):
                held.pop(conversation, None)
            case Cut():
                held.clear()
    return screens


def screens(history: History) -> Iterator[Finding]:
    """Each conversation on each screen is 1, 2, 3 … up to the last that was acknowledged."""
    acknowledged: defaultdict[str, set[int]] = defaultdict(set)
    for send in history.sends:
        acknowledged[send.conversation] |= {answer.seq for answer in send.answers}
    for member in history.memberships:
        seqs = [seq for seq, _ in shown(history.seen.get(member.user, ()))[member.conversation]]
        about = {"conversation": member.conversation, "user": member.user, "seqs": seqs}
        if missing := sorted(acknowledged[member.conversation] - set(seqs)):
            yield Finding("lost", f"{member.user} was never shown {missing[:10]}", about)
        if late := [f"{seq} after {before}" for before, seq in pairwise(seqs) if seq < before]:
            yield Finding("reordered", f"{member.user} was shown {late[:5]}", about)


# ---------------------------------------------------------------- times
def catch_up(history: History, over: float, users: Collection[str] | None = None) -> dict[str, float]:
    """How long after ``over`` each user (of these, when some are named) had what was acknowledged before, and how
    long after its acknowledgement what came later: the longest of them all. Infinite when one never came."""
    acknowledged: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for send in history.sends:
        for answer in send.answers[:1]:
            acknowledged[send.conversation][answer.seq] = answer.at
    longest: dict[str, float] = {}
    for member in history.memberships:
        if users is not None and member.user not in users:
            continue
        at = dict(shown(history.seen.get(member.user, ()))[member.conversation])
        for seq, answered in acknowledged[member.conversation].items():
            waited = at.get(seq, inf) - max(over, answered)
            longest[member.user] = max(longest.get(member.user, 0.0), waited)
    return longest


def percentile(times: Collection[float], share: float) -> float:
    """By nearest rank: always a time that was measured."""
    return sorted(times)[ceil(len(times) * share / 100) - 1] if times else 0.0
