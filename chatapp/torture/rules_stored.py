"""What the store holds against what was sent: every acknowledged message once, in order, and nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from chatapp.torture.case import Case, Finding
from chatapp.torture.history import Send


def acknowledged_sends(case: Case) -> Iterator[Finding]:
    for send in case.history.sends:
        about = {"conversation": send.conversation, "sender": send.sender, "key": send.key}
        copies = case.copies(send)
        if send.answers and not copies:
            yield Finding("lost", f"{send.key} was acknowledged and is not stored", about)
        if len(copies) > 1:
            seqs = [copy.seq for copy in copies]
            yield Finding("duplicated", f"{send.key} is stored {len(copies)} times", {**about, "seqs": seqs})
        yield from _answers(case, send)


def _answers(case: Case, send: Send) -> Iterator[Finding]:
    about = {"conversation": send.conversation, "sender": send.sender, "key": send.key}
    given = sorted({(answer.message_id, answer.seq) for answer in send.answers})
    if len(given) > 1:
        yield Finding("duplicated", f"{send.key}, repeated, was answered with another message", {**about, "as": given})
    stored = {(copy.message_id, copy.seq) for copy in case.copies(send)}
    if stored and not stored.issuperset(given):
        yield Finding("lost", f"{send.key} was acknowledged as a message that is not stored", {**about, "as": given})


def numbering(case: Case) -> Iterator[Finding]:
    """1, 2, 3 … without gaps, and told so."""
    for conversation, messages in case.truth.messages.items():
        about = {"conversation": conversation}
        seqs = [message.seq for message in messages]
        twice = [seq for seq, count in Counter(seqs).items() if count > 1]
        if twice:
            yield Finding("duplicated", f"numbers are taken twice: {twice[:10]}", {**about, "seqs": twice})
        missing = sorted(set(range(1, max(seqs, default=0) + 1)) - set(seqs))
        if missing:
            yield Finding("lost", f"numbers are missing: {missing[:10]}", {**about, "seqs": missing})
        if seqs != sorted(seqs):
            yield Finding("reordered", "REST tells the messages out of order", {**about, "seqs": seqs})


def nobody_sent(case: Case) -> Iterator[Finding]:
    for conversation, message in case.stored.values():
        send = case.send_of(conversation, message)
        about = {"conversation": conversation, "seq": message.seq, "id": message.message_id, "key": message.key}
        if send is None:
            yield Finding("ghost", f"message {message.seq} is stored and nobody sent it", about)
        elif send.refused:
            yield Finding("ghost", f"{send.key} was refused ({send.refused}) and is stored", about)
        elif send.content != message.content:
            yield Finding("ghost", f"{send.key} is stored with another content", {**about, "content": message.content})


def order_of_sends(case: Case) -> Iterator[Finding]:
    """What was acknowledged before another send began has the lower number."""
    by_conversation: defaultdict[str, list[Send]] = defaultdict(list)
    for send in case.history.sends:
        if send.answers:
            by_conversation[send.conversation].append(send)
    for conversation, sends in by_conversation.items():
        for send in sends:
            before, seq = case.acknowledged_before(conversation, send.began), send.answers[0].seq
            if seq < before:
                about = {"conversation": conversation, "key": send.key, "seq": seq, "before": before}
                yield Finding("reordered", f"{send.key} got {seq}, although {before} had been acknowledged", about)
