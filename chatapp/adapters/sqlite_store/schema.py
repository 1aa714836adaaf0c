"""The tables, as a list of forward steps. ``PRAGMA user_version`` counts the steps a file has taken.

A step that has been released is never changed; a new need is a new step. Times are integer milliseconds since the
epoch, lists are JSON.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from chatapp.domain.errors import StoreUnavailable

STEPS = (
    """
    CREATE TABLE users (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        sort_name TEXT NOT NULL,
        email TEXT NOT NULL,
        roles TEXT NOT NULL,
        filials TEXT NOT NULL,
        avatar TEXT,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        deleted_at INTEGER
    ) STRICT;
    CREATE INDEX users_by_name ON users (sort_name, id) WHERE deleted_at IS NULL;

    CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        type TEXT NOT NULL CHECK (type IN ('private', 'group')),
        name TEXT,
        description TEXT,
        pair TEXT UNIQUE,              -- private only: JSON of the two ids, sorted
        created_by TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        active_at INTEGER NOT NULL,    -- creation or newest message; orders a user's list
        last_seq INTEGER NOT NULL DEFAULT 0,
        last_id TEXT,
        last_sender_id TEXT,
        last_preview TEXT,
        last_at INTEGER
    ) STRICT;

    CREATE TABLE participants (
        number INTEGER PRIMARY KEY AUTOINCREMENT,   -- longest-standing first
        id TEXT NOT NULL,
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        user_id TEXT NOT NULL,
        joined_at INTEGER NOT NULL,
        last_read_seq INTEGER NOT NULL,
        last_read_at INTEGER,
        UNIQUE (conversation_id, user_id)
    ) STRICT;
    CREATE INDEX participants_by_user ON participants (user_id);

    CREATE TABLE messages (
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        id TEXT NOT NULL UNIQUE,
        sender_id TEXT NOT NULL,
        recipient_id TEXT,
        content TEXT NOT NULL,
        message_type TEXT NOT NULL,
        file_url TEXT,
        file_name TEXT,
        file_size INTEGER,
        file_type TEXT,
        thumbnail_url TEXT,
        reply_to TEXT,
        reply_preview TEXT,
        timestamp INTEGER NOT NULL,
        edited_at INTEGER,
        is_deleted INTEGER NOT NULL DEFAULT 0,
        client_message_id TEXT,
        PRIMARY KEY (conversation_id, seq)
    ) STRICT;
    CREATE INDEX messages_by_reply ON messages (reply_to, seq) WHERE reply_to IS NOT NULL;
    CREATE INDEX messages_by_file ON messages (file_url) WHERE file_url IS NOT NULL;

    -- Outlives the message it names: a send is idempotent for ever.
    CREATE TABLE idempotency_keys (
        sender_id TEXT NOT NULL,
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        client_message_id TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        message_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        timestamp INTEGER NOT NULL,
        PRIMARY KEY (sender_id, conversation_id, client_message_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX idempotency_keys_by_conversation ON idempotency_keys (conversation_id);
    """,
    # Durable changes are numbered: a message's and a conversation's rev is computed from what other changes there were,
    # so that no message that is there already needs rewriting.
    """
    ALTER TABLE conversations ADD COLUMN other_changes INTEGER NOT NULL DEFAULT 0;    -- all that are not messages
    ALTER TABLE conversations ADD COLUMN rev INTEGER AS (last_seq + other_changes) VIRTUAL;
    ALTER TABLE conversations ADD COLUMN purged_rev INTEGER NOT NULL DEFAULT 0;       -- of the newest purged message
    ALTER TABLE messages ADD COLUMN other_changes INTEGER NOT NULL DEFAULT 0;         -- those before it
    ALTER TABLE messages ADD COLUMN rev INTEGER AS (seq + other_changes) VIRTUAL;
    ALTER TABLE participants ADD COLUMN read_rev INTEGER NOT NULL DEFAULT 0;          -- when the mark was moved last

    -- What is neither a message nor a read mark.
    CREATE TABLE changes (
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        rev INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('edit', 'delete', 'add', 'remove', 'details', 'purge')),
        seq INTEGER,           -- edit, delete: of the message; purge: of the newest message purged
        user_ids TEXT,         -- add, remove
        new_owner_id TEXT,     -- remove: when it was the owner
        name TEXT,             -- details
        description TEXT,      -- details
        changed_by TEXT,       -- add, remove, details
        changed_at INTEGER,    -- add, remove, details
        PRIMARY KEY (conversation_id, rev)
    ) STRICT, WITHOUT ROWID;

    -- A purge and read marks that were there before revs count as changes after the messages.
    INSERT INTO changes (conversation_id, rev, kind, seq)
        SELECT id, last_seq + 1, 'purge', purged_seq FROM (
            SELECT id, last_seq, coalesce(
                (SELECT min(seq) - 1 FROM messages WHERE conversation_id = conversations.id), last_seq
            ) AS purged_seq FROM conversations
        ) WHERE purged_seq > 0;
    UPDATE conversations SET other_changes = 1, purged_rev = changes.seq
        FROM changes WHERE changes.conversation_id = conversations.id;
    UPDATE participants SET read_rev = moved.rev FROM (
        SELECT p.number, c.rev + row_number() OVER (PARTITION BY c.id ORDER BY p.number) AS rev
        FROM participants p JOIN conversations c ON c.id = p.conversation_id WHERE p.last_read_at IS NOT NULL
    ) AS moved WHERE moved.number = participants.number;
    UPDATE conversations SET other_changes = other_changes + (
        SELECT count(*) FROM participants p WHERE p.conversation_id = conversations.id AND p.read_rev > 0
    );
    """,
    # The conversation first: its deletion finds the keys without an index of their own, which every send had to fill.
    """
    CREATE TABLE keys_by_conversation (
        sender_id TEXT NOT NULL,
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        client_message_id TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        message_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        timestamp INTEGER NOT NULL,
        PRIMARY KEY (conversation_id, sender_id, client_message_id)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO keys_by_conversation SELECT * FROM idempotency_keys
        ORDER BY conversation_id, sender_id, client_message_id;
    DROP TABLE idempotency_keys;
    ALTER TABLE keys_by_conversation RENAME TO idempotency_keys;
    """,
    # Who gets in, and who did what.
    """
    CREATE TABLE api_keys (
        number INTEGER PRIMARY KEY,    -- in the order they were made
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        digest TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        last_used_at INTEGER,
        revoked_at INTEGER
    ) STRICT;

    CREATE TABLE revocations (
        version INTEGER PRIMARY KEY AUTOINCREMENT,    -- a changed row takes a new one
        user_id TEXT NOT NULL UNIQUE,                 -- '' is everybody; no user has that id
        before INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE audit_log (
        seq INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        details TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    ) STRICT;
    -- Against mistakes, ours and an operator's. Against malice there are the hashes.
    CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log
        BEGIN SELECT raise(ABORT, 'the audit log is only added to'); END;
    CREATE TRIGGER audit_log_is_not_shortened BEFORE DELETE ON audit_log
        BEGIN SELECT raise(ABORT, 'the audit log is only added to'); END;

    CREATE TABLE audit_head (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL
    ) STRICT;
    """,
    # Calls: those that are going on, and for a moment those that are over. What became of one its message says.
    """
    CREATE TABLE calls (
        id TEXT PRIMARY KEY,
        conversation_id TEXT UNIQUE,    -- NULL once it is over
        version INTEGER NOT NULL,
        document TEXT NOT NULL
    ) STRICT;
    CREATE TABLE call_participants (
        user_id TEXT PRIMARY KEY,
        call_id TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE
    ) STRICT;
    CREATE INDEX call_participants_by_call ON call_participants (call_id);
    CREATE TABLE call_workers (
        worker TEXT PRIMARY KEY,
        until INTEGER NOT NULL
    ) STRICT;

    ALTER TABLE messages ADD COLUMN call TEXT;    -- JSON, of a message of type call
    """,
    # What the company's backend is told, and how far it has been.
    """
    CREATE TABLE events (
        number INTEGER PRIMARY KEY AUTOINCREMENT,    -- in the order of the commits
        id TEXT NOT NULL UNIQUE,
        type TEXT NOT NULL,
        lane TEXT NOT NULL,
        at INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_lane ON events (lane, number);
    CREATE INDEX events_by_time ON events (at);

    CREATE TABLE replayed_events (
        lane TEXT NOT NULL,
        position INTEGER NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (lane, position)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE webhook_endpoints (
        number INTEGER PRIMARY KEY,    -- in the order they were made
        id TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL,
        last_success_at INTEGER,
        swept TEXT
    ) STRICT;
    CREATE TABLE webhooks_version (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        version INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE webhook_lanes (
        endpoint_id TEXT NOT NULL,
        lane TEXT NOT NULL,
        position INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        due_at INTEGER,
        failing_since INTEGER,
        owner TEXT,
        leased_until INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (endpoint_id, lane)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX webhook_lanes_by_time ON webhook_lanes (endpoint_id, due_at) WHERE due_at IS NOT NULL;

    CREATE TABLE webhook_deliveries (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        endpoint_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, number);
    CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (at);
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Take the steps that this file has not taken yet, each in a transaction of its own."""
    while (taken := _version(connection)) < len(STEPS):
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if _version(connection) == taken:  # no other process took this step while we waited for the lock
                for statement in _statements(STEPS[taken]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={taken + 1}")
    if taken > len(STEPS):
        raise StoreUnavailable(
            engine="sqlite", reason=f"the file has schema version {taken}, this program knows {len(STEPS)}"
        )


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _statements(script: str) -> Iterator[str]:
    """One by one, because ``executescript`` would commit before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
