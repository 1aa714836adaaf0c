"""Who may hear what, and what is unread for whom."""

from __future__ import annotations

from collections.abc import Iterator

from chatapp.torture.case import Case, Finding
from chatapp.torture.history import Asked, Cut, Entered, Heard, Left, Membership, Noticed, Unread


# ---------------------------------------------------------------- outsiders
def outsiders(case: Case) -> Iterator[Finding]:
    """Nothing that began after somebody's membership had ended reaches them, nor anybody who never had one."""
    for user, seen in case.history.seen.items():
        rooms: set[str] = set()
        for entry in seen:
            match entry:
                case Asked(conversation=conversation):
                    rooms.add(conversation)
                case Left(conversation=conversation):
                    rooms.discard(conversation)
                case Cut():
                    rooms.clear()
                case Entered():
                    yield from _forbidden(case, user, entry, began=entry.asked, did="could join the room")
                case Noticed():
                    began = case.sent_at(entry.message_id, entry.at)
                    yield from _forbidden(case, user, entry, began=began, did="was told of an unread message")
                case Heard():
                    began = case.sent_at(entry.message_id, entry.at)
                    yield from _forbidden(case, user, entry, began=began, did=f"heard message {entry.seq}")
                    if entry.conversation not in rooms:
                        about = {"conversation": entry.conversation, "user": user, "seq": entry.seq}
                        yield Finding("outsider", f"{user} heard message {entry.seq} outside the room", about)


def _forbidden(case: Case, user: str, entry: Entered | Heard | Noticed, *, began: float, did: str) -> Iterator[Finding]:
    if not case.may_know(user, entry.conversation, began=began, at=entry.at):
        ended = [one.ended for one in case.memberships(user, entry.conversation)]
        about = {"conversation": entry.conversation, "user": user, "began": began, "at": entry.at, "ended": ended}
        yield Finding("outsider", f"{user} {did} without being a member", about)


def outsiders_who_write(case: Case) -> Iterator[Finding]:
    for send in case.history.sends:
        for answer in send.answers:
            if not case.may_know(send.sender, send.conversation, began=send.began, at=answer.at):
                about = {"conversation": send.conversation, "user": send.sender, "key": send.key, "seq": answer.seq}
                yield Finding("outsider", f"{send.sender} could write {send.key} without being a member", about)


# ---------------------------------------------------------------- unread counts
def inboxes(case: Case) -> Iterator[Finding]:
    lasting = {(member.user, member.conversation): member for member in case.lasting()}
    for (user, conversation), membership in lasting.items():
        line = case.truth.inboxes.get(user, {}).get(conversation)
        if line is None:
            about = {"conversation": conversation, "user": user}
            yield Finding("unread", f"{user} is a member and does not see the conversation", about)
        else:
            yield from _line(case, membership, line)
    for user, lines in case.truth.inboxes.items():
        for conversation in lines:
            if all(member.ended is not None for member in case.memberships(user, conversation)):
                about = {"conversation": conversation, "user": user}
                yield Finding("outsider", f"{user} sees a conversation without being a member", about)


def _line(case: Case, member: Membership, line: Unread) -> Iterator[Finding]:
    user, conversation, last_seq = member.user, member.conversation, case.last_seq(member.conversation)
    about = {
        "conversation": conversation,
        "user": user,
        "lastSeq": line.last_seq,
        "lastReadSeq": line.last_read_seq,
        "unreadCount": line.unread_count,
    }
    if line.last_seq != last_seq:
        found = {**about, "stored": last_seq}
        yield Finding("unread", f"{user} sees lastSeq {line.last_seq} where {last_seq} are stored", found)
    if line.unread_count != line.last_seq - line.last_read_seq:
        yield Finding("unread", f"{user} sees {line.unread_count} unread, which is not lastSeq − lastReadSeq", about)
    marks = case.marks(user, conversation)
    settled = [mark.seq for mark in marks if mark.seq is not None]
    least = max([member.read_from, *settled, *(message.seq for message in case.own(user, conversation))])
    most = last_seq if len(settled) < len(marks) else max(least, member.read_to)
    if not least <= line.last_read_seq <= most:
        found = {**about, "least": least, "most": most}
        yield Finding("unread", f"{user} has read up to {line.last_read_seq}, not {least} to {most}", found)


def marks(case: Case) -> Iterator[Finding]:
    """To read everything is to read what had been acknowledged, and no more than there is."""
    for mark in case.history.marks:
        least, most = case.acknowledged_before(mark.conversation, mark.began), case.last_seq(mark.conversation)
        if mark.seq is not None and not least <= mark.seq <= most:
            about = {"conversation": mark.conversation, "user": mark.user, "seq": mark.seq, "least": least}
            yield Finding("unread", f"{mark.user} marked all as read: {mark.seq}, not {least} to {most}", about)


def told_counts(case: Case) -> Iterator[Finding]:
    for user, seen in case.history.seen.items():
        for entry in seen:
            if isinstance(entry, Entered) and entry.unread_count != entry.last_seq - entry.last_read_seq:
                about = {"conversation": entry.conversation, "user": user, "unreadCount": entry.unread_count}
                yield Finding("unread", f"{user} came in with {entry.unread_count} unread, which is wrong", about)
            elif isinstance(entry, Noticed):
                yield from _notice(case, user, entry)


def _notice(case: Case, user: str, notice: Noticed) -> Iterator[Finding]:
    """The notice of message ``seq`` says how many up to it are unread: ``seq`` minus the read mark of that moment."""
    about = {"conversation": notice.conversation, "user": user, "id": notice.message_id, "count": notice.unread_count}
    _, message = case.stored.get(notice.message_id, ("", None))
    if message is None:
        yield Finding("ghost", f"{user} was told of an unread message that is not stored", about)
        return
    if message.sender == user:
        yield Finding("unread", f"{user} was told that its own message {message.seq} is unread", about)
        return
    least, most = _read_when(case, user, notice, message.seq)
    if not least <= message.seq - notice.unread_count <= most:
        found = {**about, "seq": message.seq, "least": message.seq - most, "most": message.seq - least}
        yield Finding("unread", f"{user} was told {notice.unread_count} unread at {message.seq}, which is wrong", found)


def _read_when(case: Case, user: str, notice: Noticed, seq: int) -> tuple[int, int]:
    """Between which two values the user's read mark was when message ``seq`` was told."""
    least, most = [0], [0]
    for member in case.memberships(user, notice.conversation):
        if member.began <= notice.at:
            least += [member.read_from] if member.read_from < seq else []
            most.append(member.read_to)
    for mark in case.marks(user, notice.conversation):
        if mark.acknowledged is not None and mark.acknowledged < notice.at:
            least.append(mark.seq or 0)
        if mark.began <= notice.at:
            most.append(mark.seq if mark.seq is not None else seq)
    for own in case.own(user, notice.conversation):
        send = case.send_of(notice.conversation, own)
        if send and own.seq < seq and send.began <= notice.at:
            most.append(own.seq)
            if send.acknowledged is not None and send.acknowledged < notice.at:
                least.append(own.seq)
    return max(least), max(most)
