"""Every REST operation and every socket event, asked by everybody who might: a cell for each, over a real server.

The operations come from the OpenAPI document and the events from the incoming table. One without a row fails here.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import jwt
import pytest
import requests

from chatapp.protocol import incoming
from tests.e2e.proofs import ENVIRONMENT, SECRET, api_key, bearer, token
from tests.e2e.sample_files import picture
from tests.e2e.server import Server, running
from tests.e2e.wire import PATIENCE, Client, Refused

# ---------------------------------------------------------------- the tables
WORDS: dict[str, tuple[int, str] | None] = {
    "ok": None,
    "filial": (403, "other_filial"),
    "member": (403, "not_a_participant"),
    "creator": (403, "not_group_creator"),
    "sender": (403, "not_message_sender"),
    "admin": (403, "admin_only"),
    "self": (403, "identity_mismatch"),
    "scope": (403, "scope_missing"),
    "hidden": (404, "file_not_found"),
    "seat": (403, "not_in_call"),
}
"""What one would have to be, or have."""

UNPROVED = {
    "none": "token_missing",
    "malformed": "token_invalid",
    "expired": "token_expired",
    "revoked": "token_revoked",
    "wrong-key": "token_invalid",
    "bad-apikey": "key_invalid",
}
"""Who proves nothing hears why, and nothing else, whatever is asked."""

PEOPLE = ("cusco", "stranger", "former", "member", "creator", "admin")
"""``cusco`` is of another branch. The group is ``creator``'s and ``member``'s, and was once ``former``'s."""

REST = """
  operation                                          needs    cusco    stranger former   member   creator  admin    key
  GET    /api/users                                  users    ok       ok       ok       ok       ok       ok       ok
  POST   /api/users                                  users    ok       ok       ok       ok       ok       ok       ok
  GET    /api/users/{user_id}                        users    filial   ok       ok       ok       ok       ok       ok
  DELETE /api/users/{user_id}                        admin    admin    admin    admin    admin    admin    ok       ok
  POST   /api/users/{user_id}/avatar                 users    self     self     self     ok       self     ok       ok
  DELETE /api/users/{user_id}/avatar                 users    self     self     self     ok       self     ok       ok
  GET    /api/conversations                          admin    admin    admin    admin    admin    admin    ok       ok
  POST   /api/conversations                          send     filial   ok       ok       ok       ok       ok       ok
  GET    /api/conversations/{conversation_id}        admin    member   member   member   ok       ok       ok       ok
  PATCH  /api/conversations/{conversation_id}        send     member   member   member   ok       ok       ok       ok
  DELETE /api/conversations/{conversation_id}        admin    member   member   member   creator  ok       ok       ok
  GET    /api/conversations/user/{user_id}           admin    self     self     self     ok       self     ok       ok
  GET    /api/conversations/{conversation_id}/changes send member member member ok ok ok ok
  GET    /api/conversations/{conversation_id}/read-marks admin member member member ok ok ok ok
  POST   /api/conversations/{conversation_id}/participants send member member member ok ok ok ok
  DELETE /api/conversations/{conversation_id}/participants/{user_id} send creator creator creator ok ok ok ok
  POST   /api/conversations/{conversation_id}/mark-as-read send member member member ok ok member ok
  GET    /api/messages                               admin    admin    admin    admin    admin    admin    ok       ok
  POST   /api/messages                               send     member   member   member   ok       ok       member   ok
  DELETE /api/messages                               admin    admin    admin    admin    admin    admin    ok       ok
  GET    /api/messages/{id}                          admin    member   member   member   ok       ok       ok       ok
  DELETE /api/messages/{id}                          admin    sender   sender   sender   ok       sender   ok       ok
  GET    /api/messages/{id}/replies                  admin    member   member   member   ok       ok       ok       ok
  GET    /api/messages/{id}/with-replies             admin    member   member   member   ok       ok       ok       ok
  DELETE /api/messages/batch/{batch_size}            admin    admin    admin    admin    admin    admin    ok       ok
  POST   /api/upload                                 send     member   member   member   ok       ok       member   ok
  GET    /api/files/{name}                           admin    hidden   hidden   hidden   ok       ok       ok       ok
  POST   /api/files/links                            admin    ok       ok       ok       ok       ok       ok       ok
  POST   /api/tokens/revoke                          admin    admin    admin    admin    admin    admin    ok       ok
  GET    /api/webhooks                               hooks    admin    admin    admin    admin    admin    ok       ok
  POST   /api/webhooks                               hooks    admin    admin    admin    admin    admin    ok       ok
  GET    /api/webhooks/{webhook_id}                  hooks    admin    admin    admin    admin    admin    ok       ok
  PATCH  /api/webhooks/{webhook_id}                  hooks    admin    admin    admin    admin    admin    ok       ok
  DELETE /api/webhooks/{webhook_id}                  hooks    admin    admin    admin    admin    admin    ok       ok
  POST   /api/webhooks/{webhook_id}/test             hooks    admin    admin    admin    admin    admin    ok       ok
  GET    /api/webhooks/{webhook_id}/deliveries       hooks    admin    admin    admin    admin    admin    ok       ok
  POST   /api/webhooks/{webhook_id}/replay           hooks    admin    admin    admin    admin    admin    ok       ok
  POST   /api/webhooks/{webhook_id}/rotate           hooks    admin    admin    admin    admin    admin    ok       ok
  GET    /api/events                                 hooks    admin    admin    admin    admin    admin    ok       ok
  GET    /healthz                                    nothing  ok       ok       ok       ok       ok       ok       ok
  GET    /readyz                                     nothing  ok       ok       ok       ok       ok       ok       ok
"""

SOCKET = """
  event                  cusco   stranger former  member  creator admin
  user_join              ok      ok       ok      ok      ok      ok
  refresh_token          ok      ok       ok      ok      ok      ok
  user_leave             ok      ok       ok      ok      ok      ok
  join_room              member  member   member  ok      ok      member
  leave_room             ok      ok       ok      ok      ok      ok
  send_message           member  member   member  ok      ok      member
  send_reply             member  member   member  ok      ok      member
  edit_message           sender  sender   sender  ok      sender  sender
  delete_message         sender  sender   sender  ok      sender  sender
  typing_start           member  member   member  ok      ok      member
  typing_stop            member  member   member  ok      ok      member
  user_status            ok      ok       ok      ok      ok      ok
  mark_messages_as_read  member  member   member  ok      ok      member
  create_group           filial  ok       ok      ok      ok      ok
  add_user_to_group      member  member   member  ok      ok      ok
  update_group           member  member   member  ok      ok      ok
  leave_group            member  member   member  ok      ok      member
  sync                   ok      ok       ok      ok      ok      ok
  call_start             member  member   member  ok      ok      member
  call_accept            member  member   member  ok      ok      member
  call_decline           member  member   member  ok      ok      member
  call_signal            member  member   member  seat    seat    member
  call_media             member  member   member  seat    seat    member
  call_hangup            member  member   member  seat    seat    member
"""
"""``leave_room`` of a room one is not in does nothing; ``sync`` answers for each conversation, see below. The call
is one of the group's, in which nobody of these is yet."""


SCOPES = {"users": "users:write", "send": "messages:send", "hooks": "webhooks:manage", "admin": "admin", "nothing": ""}


def rest_rows() -> dict[str, tuple[str, dict[str, str]]]:
    """Operation → the API key's scope, and who → outcome."""
    head, *lines = (line.split() for line in REST.strip().splitlines())
    rows = {}
    for method, path, needs, *cells in lines:
        rows[f"{method} {path}"] = (SCOPES[needs], dict(zip(head[2:], cells, strict=True)))
    return rows


def socket_rows() -> dict[str, dict[str, str]]:
    head, *lines = (line.split() for line in SOCKET.strip().splitlines())
    return {name: dict(zip(head[1:], cells, strict=True)) for name, *cells in lines}


REST_ROWS, SOCKET_ROWS = rest_rows(), socket_rows()


# ---------------------------------------------------------------- the scene
@dataclass
class Place:
    """One cell's own group, messages and people; whatever is done to them, the next cell does not see it."""

    group: str
    message: str
    file: str
    victim: str
    newcomer: str
    webhook: str
    call: str = "nowhere"


HOOK = "http://127.0.0.1:9/"
"""Where nobody listens."""

WEBHOOKS = {"WEBHOOK_ALLOW_PRIVATE": "yes", "WEBHOOK_DELIVERY": "apart", "EVENT_LOG": "on"}
"""They are kept, and nobody delivers."""

NOWHERE = Place(*["nowhere"] * 6)


@dataclass
class Scene:
    server: Server
    keys: dict[str, str] = field(default_factory=dict)
    proofs: dict[str, str] = field(default_factory=dict)
    """Who → what stands in the header, without ``Bearer``."""

    def __post_init__(self) -> None:
        self.http = requests.Session()
        self._numbers = itertools.count()
        others = ("users:write", "messages:send", "webhooks:manage")
        for scopes in (*((scope,) for scope in ("admin", *others)), others):
            self.keys[" ".join(scopes)] = api_key(self.server, *scopes)
        for user_id in PEOPLE:
            claims = {"filials": ["cusco" if user_id == "cusco" else "lima"]}
            claims |= {"roles": ["admin"]} if user_id == "admin" else {}
            self.proofs[user_id] = token(user_id, **claims)
            self.save(user_id, *claims["filials"])
        self.proofs["caller"] = token("caller", filials=["lima"])
        self.save("caller", "lima")
        self.proofs |= {
            "none": "",
            "malformed": "a.b.c",
            "expired": token("member", ago=7200),
            "revoked": token("revoked", ago=60),
            "wrong-key": token("member", secret=SECRET[::-1]),
            "bad-apikey": "ck_" + "x" * 43,
        }
        self.save("revoked")
        self.ask("POST", "/api/tokens/revoke", self.keys["admin"], json={"userId": "revoked"})

    def save(self, user_id: str, *filials: str) -> None:
        body = {"id": user_id, "name": user_id, "email": f"{user_id}@example.com", "filials": list(filials)}
        self.ask("POST", "/api/users", self.keys["admin"], json=body)

    def ask(self, method: str, path: str, proof: str, **kwargs: Any) -> Any:
        """As somebody who may."""
        answer = self.send(method, path, proof, **kwargs)
        assert answer.ok, answer.text
        return answer.json()

    def send(self, method: str, path: str, proof: str, **kwargs: Any) -> requests.Response:
        headers = bearer(proof) if proof else {}
        return self.http.request(method, self.server.url + path, headers=headers, timeout=PATIENCE, **kwargs)

    def place(self) -> Place:
        number = next(self._numbers)
        people = victim, newcomer = f"victim-{number}", f"newcomer-{number}"
        for user_id in people:
            self.save(user_id, "lima")
        key = self.keys["admin"]
        body = {
            "type": "group",
            "name": "Equipo",
            "participants": ["member", "former", "caller"],
            "createdBy": "creator",
        }
        group = self.ask("POST", "/api/conversations", key, json=body)["id"]
        said = {"conversationId": group, "senderId": "member", "content": "hola"}
        message = self.ask("POST", "/api/messages", key, json=said)["id"]
        sent = {"conversationId": group, "senderId": "member"}
        file = self.ask("POST", "/api/upload", key, data=sent, files={"file": ("a.png", picture("PNG"), "image/png")})
        self.ask("DELETE", f"/api/conversations/{group}/participants/former?removedBy=creator", key)
        webhook = self.ask("POST", "/api/webhooks", key, json={"url": HOOK})["id"]
        return Place(group, message, file["fileUrl"].rpartition("/")[2], victim, newcomer, webhook)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    env = {**ENVIRONMENT, **WEBHOOKS, "FILIAL_ISOLATION": "on"}
    with running(tmp_path_factory.mktemp("permissions") / "server", **env) as server:
        yield Scene(server)


# ---------------------------------------------------------------- what is asked
Request = dict[str, Any]


def _pair(who: str) -> list[str]:
    return [who, "creator" if who == "member" else "member"]


PICTURE = ("a.png", picture("PNG"), "image/png")
BODIES: dict[str, Callable[[Place, str], Request]] = {
    "POST /api/users": lambda _, who: {"json": {"id": who, "name": who, "email": f"{who}@example.com"}},
    "POST /api/users/{user_id}/avatar": lambda *_: {"files": {"avatar": PICTURE}},
    "POST /api/conversations": lambda _, who: {
        "json": {"type": "private", "participants": _pair(who), "createdBy": who}
    },
    "PATCH /api/conversations/{conversation_id}": lambda _, who: {"json": {"name": "Otro", "userId": who}},
    "GET /api/conversations/{conversation_id}/changes": lambda _, who: {"params": {"since": 0, "userId": who}},
    "POST /api/conversations/{conversation_id}/participants": lambda place, who: {
        "json": {"participants": [place.newcomer], "addedBy": who}
    },
    "DELETE /api/conversations/{conversation_id}/participants/{user_id}": lambda _, who: {"params": {"removedBy": who}},
    "POST /api/conversations/{conversation_id}/mark-as-read": lambda _, who: {"json": {"userId": who}},
    "POST /api/messages": lambda place, who: {
        "json": {"conversationId": place.group, "senderId": who, "content": "hola"}
    },
    "POST /api/upload": lambda place, who: {
        "data": {"conversationId": place.group, "senderId": who},
        "files": {"file": PICTURE},
    },
    "POST /api/files/links": lambda place, _: {"json": {"urls": [f"/api/files/{place.file}"]}},
    "POST /api/webhooks": lambda *_: {"json": {"url": HOOK}},
    "PATCH /api/webhooks/{webhook_id}": lambda *_: {"json": {"enabled": False}},
    "POST /api/webhooks/{webhook_id}/replay": lambda *_: {"json": {"ids": ["evt_1"]}},
    "POST /api/tokens/revoke": lambda place, _: {"json": {"userId": place.victim}},
}
NAMES_ITS_ACTOR = {
    "POST /api/conversations": "createdBy",
    "PATCH /api/conversations/{conversation_id}": "userId",
    "GET /api/conversations/{conversation_id}/changes": "userId",
    "POST /api/conversations/{conversation_id}/participants": "addedBy",
    "DELETE /api/conversations/{conversation_id}/participants/{user_id}": "removedBy",
    "POST /api/conversations/{conversation_id}/mark-as-read": "userId",
    "POST /api/messages": "senderId",
    "POST /api/upload": "senderId",
}
"""Where a request says in whose name it is."""


def path_of(operation: str, place: Place) -> str:
    path = operation.partition(" ")[2]
    user_id = place.victim if operation == "DELETE /api/users/{user_id}" else "member"
    message_or_conversation = place.group if operation == "GET /api/messages/{id}" else place.message
    values = {"user_id": user_id, "conversation_id": place.group, "id": message_or_conversation}
    values["webhook_id"] = place.webhook
    return path.format(**values, batch_size=25, name=place.file)


def outcome(answer: requests.Response) -> tuple[int, str] | None:
    return None if answer.ok else (answer.status_code, answer.json()["code"])


def ask(scene: Scene, operation: str, proof: str, who: str) -> tuple[int, str] | None:
    place = scene.place()
    request = BODIES.get(operation, lambda *_: {})(place, who)
    return outcome(scene.send(operation.partition(" ")[0], path_of(operation, place), proof, **request))


# ---------------------------------------------------------------- REST
def test_every_operation_has_a_row(scene: Scene) -> None:
    paths = scene.server.get("/api/openapi.json").json()["paths"]
    methods = ("get", "post", "put", "patch", "delete")
    documented = {f"{m.upper()} {path}" for path, item in paths.items() for m in methods if m in item}
    assert set(REST_ROWS) == documented


@pytest.mark.parametrize("who", UNPROVED)
@pytest.mark.parametrize("operation", REST_ROWS)
def test_who_proves_nothing_gets_nothing(scene: Scene, operation: str, who: str) -> None:
    ruled = None if not REST_ROWS[operation][0] else (401, UNPROVED[who])
    assert ask(scene, operation, scene.proofs[who], "member") == ruled


def test_who_proves_nothing_is_told_how_to(scene: Scene) -> None:
    answer = scene.send("GET", "/api/users", "")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("operation", REST_ROWS)
def test_who_may_what_over_rest(scene: Scene, operation: str, who: str) -> None:
    assert ask(scene, operation, scene.proofs[who], who) == WORDS[REST_ROWS[operation][1][who]]


@pytest.mark.parametrize("operation", REST_ROWS)
def test_a_key_may_what_its_scope_says(scene: Scene, operation: str) -> None:
    needs, cells = REST_ROWS[operation]
    named = "creator" if "participants/{user_id}" in operation else "member"
    less = {
        "users:write": "messages:send",
        "messages:send": "users:write",
        "webhooks:manage": "messages:send",
        "admin": "users:write messages:send webhooks:manage",
    }
    if needs:
        assert ask(scene, operation, scene.keys[less[needs]], named) == WORDS["scope"]
        assert ask(scene, operation, scene.keys[needs], named) == WORDS[cells["key"]]
    assert ask(scene, operation, scene.keys["admin"], named) == WORDS[cells["key"]]


@pytest.mark.parametrize("operation", NAMES_ITS_ACTOR)
def test_a_body_that_names_somebody_else_is_refused(scene: Scene, operation: str) -> None:
    for who in ("creator", "admin"):
        assert ask(scene, operation, scene.proofs[who], "member") == WORDS["self"]


@pytest.mark.parametrize("operation", sorted(set(REST_ROWS) - set(NAMES_ITS_ACTOR)))
def test_no_other_operation_says_in_whose_name_it_is(scene: Scene, operation: str) -> None:
    """The list above is whole: nothing else in a request's schema is called like that."""
    method, _, path = operation.partition(" ")
    item = scene.server.get("/api/openapi.json").json()["paths"][path][method.lower()]
    queries = {each["name"] for each in item.get("parameters", []) if each.get("in") == "query"}
    assert not queries & {"userId", "removedBy", "senderId", "addedBy", "createdBy"}
    if operation not in ("POST /api/tokens/revoke", "POST /api/users"):  # whose tokens; whose profile
        body = str(item.get("requestBody", {}).get("content", {}).get("multipart/form-data", ""))
        assert "senderId" not in body


# ---------------------------------------------------------------- sockets
EVENTS: dict[str, Callable[[Place, str], Any]] = {
    "user_join": lambda _, who: {"userId": who, "name": who, "email": f"{who}@example.com"},
    "refresh_token": lambda *_: None,  # with their own
    "user_leave": lambda _, who: {"userId": who},
    "join_room": lambda place, who: {"conversationId": place.group, "userId": who},
    "leave_room": lambda place, who: {"conversationId": place.group, "userId": who},
    "send_message": lambda place, who: {"conversationId": place.group, "senderId": who, "content": "hola"},
    "send_reply": lambda place, who: {
        "conversationId": place.group,
        "senderId": who,
        "content": "hola",
        "replyTo": place.message,
    },
    "edit_message": lambda place, who: {"messageId": place.message, "newContent": "nuevo", "userId": who},
    "delete_message": lambda place, who: {"messageId": place.message, "userId": who},
    "typing_start": lambda place, who: {"conversationId": place.group, "userId": who, "userName": who},
    "typing_stop": lambda place, who: {"conversationId": place.group, "userId": who},
    "user_status": lambda _, who: {"userId": who, "status": "away"},
    "mark_messages_as_read": lambda place, who: {"conversationId": place.group, "userId": who},
    "create_group": lambda _, who: {"name": "Nuevo", "participants": ["member"], "createdBy": who},
    "add_user_to_group": lambda place, who: {
        "conversationId": place.group,
        "participants": [place.newcomer],
        "addedBy": who,
    },
    "update_group": lambda place, who: {"conversationId": place.group, "name": "Otro", "userId": who},
    "leave_group": lambda place, who: {"conversationId": place.group, "userId": who},
    "sync": lambda place, who: {"conversations": [{"conversationId": place.group, "rev": 0}], "userId": who},
    "call_start": lambda place, who: {
        "conversationId": place.group,
        "clientCallId": uuid.uuid4().hex,
        "media": "audio",
        "userId": who,
    },
    "call_accept": lambda place, who: {"callId": place.call, "userId": who},
    "call_decline": lambda place, who: {"callId": place.call, "userId": who},
    "call_signal": lambda place, who: {"callId": place.call, "to": "p1", "candidate": None, "userId": who},
    "call_media": lambda place, who: {"callId": place.call, "audio": True, "video": True, "userId": who},
    "call_hangup": lambda place, who: {"callId": place.call, "userId": who},
}
HAS_NO_NAME = {"refresh_token"}


@contextmanager
def calling(scene: Scene, event: str, place: Place) -> Iterator[Place]:
    """For an event of a call, one that rings in the place's group; at the end nobody is in it any more."""
    if not event.startswith("call_") or event == "call_start":
        yield place
        return
    caller = Client(scene.server.url, auth={"token": scene.proofs["caller"]})
    try:
        caller.ok("user_join", EVENTS["user_join"](place, "caller"))
        call_id = caller.ok("call_start", EVENTS["call_start"](place, "caller"))["callId"]
        yield replace(place, call=call_id)
        caller.ok("call_hangup", {"callId": call_id})
    finally:
        caller.close()


def tell(scene: Scene, event: str, proof: str, who: str, place: Place) -> Any:
    """The acknowledgement, on a connection of its own."""
    with calling(scene, event, place) as place:
        return tell_in(scene, event, proof, who, place)


def tell_in(scene: Scene, event: str, proof: str, who: str, place: Place) -> Any:
    client = Client(scene.server.url, auth={"token": proof})
    try:
        if event not in ("user_join", "refresh_token"):
            joining = EVENTS["user_join"](place, jwt.decode(proof, options={"verify_signature": False})["sub"])
            client.ok("user_join", joining)
        payload = {"token": proof} if event == "refresh_token" else EVENTS[event](place, who)
        answer = client.call(event, payload)
        if event == "call_start" and answer["ok"]:  # one is in one call at a time
            client.ok("call_hangup", {"callId": answer["data"]["callId"]})
        return answer
    finally:
        client.close()


def code_of(answer: Any) -> tuple[int, str] | None:
    return None if answer["ok"] else (403, answer["error"]["code"])


def test_every_event_has_a_row() -> None:
    declared = {row.name for row in incoming.ROWS}
    assert set(SOCKET_ROWS) == set(EVENTS) == declared
    named = {row.name for row in incoming.ROWS if "actor_id" in row.schema.fields or "added_by" in row.schema.fields}
    assert declared - named == HAS_NO_NAME


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("event", SOCKET_ROWS)
def test_who_may_what_over_a_socket(scene: Scene, event: str, who: str) -> None:
    answer = tell(scene, event, scene.proofs[who], who, scene.place())
    assert code_of(answer) == WORDS[SOCKET_ROWS[event][who]]


@pytest.mark.parametrize("event", sorted(set(SOCKET_ROWS) - HAS_NO_NAME))
def test_an_event_that_names_somebody_else_is_refused(scene: Scene, event: str) -> None:
    place = scene.place()
    for who in ("creator", "admin"):
        assert code_of(tell(scene, event, scene.proofs[who], "member", place)) == WORDS["self"]


@pytest.mark.parametrize("who", [*UNPROVED, "apikey"])
def test_who_proves_nothing_does_not_connect(scene: Scene, who: str) -> None:
    """So no event of theirs is ever heard. API keys are for requests: a connection is somebody's."""
    proof = scene.keys["admin"] if who == "apikey" else scene.proofs[who]
    ruled = "token_invalid" if who in ("apikey", "bad-apikey") else UNPROVED[who]
    with pytest.raises(Refused) as refused:
        Client(scene.server.url, auth={"token": proof} if proof else None)
    assert refused.value.data["data"]["code"] == ruled


@pytest.mark.parametrize("who", UNPROVED)
@pytest.mark.parametrize("event", SOCKET_ROWS)
def test_who_has_not_connected_is_not_heard(scene: Scene, event: str, who: str) -> None:
    """The event comes between two refusals, on the same transport: answered, it would be answered in between."""
    proof = scene.proofs[who]
    auth = json.dumps({"token": proof}) if proof else ""
    client = Client(scene.server.url, connect=False)
    try:
        for _ in range(2):
            client.send("40" + auth)
            with pytest.raises(Refused):
                client.connected()
            payload = (
                {"token": scene.proofs["member"]} if event == "refresh_token" else EVENTS[event](NOWHERE, "member")
            )
            client.begin(event, payload)
        assert [packet[:2] for packet in client.packets] == ["0{", "44", "44"]
    finally:
        client.close()


@pytest.mark.parametrize("who", PEOPLE)
def test_sync_tells_changes_to_participants_alone(scene: Scene, who: str) -> None:
    (answer,) = tell(scene, "sync", scene.proofs[who], who, scene.place())["data"]["conversations"]
    if who in ("member", "creator"):
        assert answer["error"] is None
        assert answer["changes"]
    else:
        assert answer["error"]["code"] == "not_a_participant"
        assert answer["changes"] == []


# ---------------------------------------------------------------- what a refusal leaves
def test_what_was_refused_has_left_nothing(scene: Scene) -> None:
    place = scene.place()
    key = scene.keys["admin"]

    def everything() -> list[Any]:
        paths = (f"/api/conversations/{place.group}", f"/api/messages/{place.group}", f"/api/users/{place.victim}")
        return [scene.ask("GET", path, key) for path in paths]

    before = everything()
    for operation, (needs, cells) in REST_ROWS.items():
        for who in PEOPLE:
            if needs and cells[who] != "ok":
                request = BODIES.get(operation, lambda *_: {})(place, who)
                answer = scene.send(
                    operation.partition(" ")[0], path_of(operation, place), scene.proofs[who], **request
                )
                assert answer.status_code in (403, 404), operation
    assert everything() == before


def test_a_token_of_another_branch_ends_what_is_heard_of_the_old_one(scene: Scene) -> None:
    connections: list[Client] = []

    def come(user_id: str, filial: str) -> Client:
        connections.append(client := Client(scene.server.url, auth={"token": token(user_id, filials=[filial])}))
        client.ok("user_join", {"userId": user_id, "name": user_id, "email": f"{user_id}@example.com"})
        return client

    try:
        mover = come("mover", "lima")
        come("mover-of-lima", "lima")
        assert mover.expect("user_connected")["userId"] == "mover-of-lima"
        mover.ok("refresh_token", {"token": token("mover", filials=["cusco"])})
        come("late-of-lima", "lima")
        come("late-of-cusco", "cusco")
        assert mover.expect("user_connected")["userId"] == "late-of-cusco"
    finally:
        for client in connections:
            client.close()
