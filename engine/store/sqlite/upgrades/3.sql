-- From version 2 to 3: notices, and how guests are reached who are written to.

-- Notices to guests and merchants, one mail each. `body` is what a text may say, JSON; nothing about a person is in it. While somebody
-- has one, `next_at` is when the lease is over.
CREATE TABLE notice (
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    folio TEXT NOT NULL,
    lane INTEGER NOT NULL,
    kind TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    audience TEXT NOT NULL,        -- guest | merchant
    language TEXT NOT NULL,
    property TEXT NOT NULL,
    body BLOB NOT NULL,
    decision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    correlation TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    next_at INTEGER NOT NULL,      -- when it may be sent
    state TEXT NOT NULL DEFAULT 'planned',
    code TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,
    doubts INTEGER NOT NULL DEFAULT 0, -- silences after which the server may have had it
    fence INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, folio, kind, attempt)
) STRICT;
CREATE INDEX notice_open ON notice (next_at, decision, id) WHERE state IN ('planned', 'sending');

-- How the guest of a booking is reached, where notices are wanted: the last that was told, sealed as it came.
CREATE TABLE contact (
    tenant TEXT NOT NULL, folio TEXT NOT NULL, subject TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (tenant, folio)
) STRICT, WITHOUT ROWID;
