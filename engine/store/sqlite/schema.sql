-- The store on one machine. Instants are microseconds since 1970 UTC, amounts minor units, ids of messages 16 bytes.
-- Version 4: a new store as it is made. upgrades/<version>.sql brings a store of the version before to that one.

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Who may write: one row a lane. `trying` is the offset of a message that is being tried alone after three deaths.
CREATE TABLE lane (
    lane INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    deaths INTEGER NOT NULL DEFAULT 0,
    trying INTEGER
) STRICT;

-- The intake topic: every message that was acknowledged, in the order of its arrival. Personal fields are sealed.
CREATE TABLE intake (
    seq INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    message BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    tenant TEXT NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    act INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    correlation TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    door TEXT NOT NULL,
    scrubbed TEXT NOT NULL,        -- paths of card data that was removed at the edge, a JSON list or empty
    body BLOB NOT NULL,
    UNIQUE (lane, offset)
) STRICT;

-- Identities that were decided, in slices of time that are dropped whole: inbox_<slice> has this shape.
CREATE TABLE inbox_slice (slice INTEGER PRIMARY KEY) STRICT;

-- Aggregates. `id` is the hash of (tenant, kind, key); `body` empty: it has only published so far. Bodies are large: the index is apart.
CREATE TABLE state (
    id BLOB NOT NULL UNIQUE,
    lane INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    shape INTEGER NOT NULL,
    blocked TEXT NOT NULL,
    since INTEGER NOT NULL,        -- its first decision, under which all of its decisions are found
    body BLOB
) STRICT;
CREATE INDEX state_blocked ON state (blocked) WHERE blocked <> '';

-- One row for everything that was decided, in the order in which it was; `verify` replays the roots (parent 0) in this order.
CREATE TABLE decision (
    seq INTEGER PRIMARY KEY,
    parent INTEGER NOT NULL,
    since INTEGER NOT NULL,        -- the first decision of its key
    origin TEXT NOT NULL,          -- intake | internal | timer | inline
    lane INTEGER NOT NULL,
    place INTEGER NOT NULL,        -- intake: offset in the lane; internal: its seq; timer: due; inline: number under its parent
    message BLOB NOT NULL,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    result TEXT NOT NULL,          -- decided | refused | parked | stale | duplicate | conflict | queued | defect
    act INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    decided_at INTEGER NOT NULL,
    configuration INTEGER NOT NULL,
    correlation TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE INDEX decision_place ON decision (lane, origin, place) WHERE parent = 0;
CREATE INDEX decision_parent ON decision (parent) WHERE parent > 0;
CREATE INDEX decision_since ON decision (since);
-- What was decided for a tenant, by instant: the journal of a day.
CREATE INDEX decision_day ON decision (tenant, decided_at);

-- The ledger. `seq` is the decision's, times 2^20, plus a number: what a decision booked lies side by side. `transfer` shows it whole.
CREATE TABLE transfer_row (
    seq INTEGER PRIMARY KEY,
    entry TEXT NOT NULL,
    subject TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    minor INTEGER NOT NULL CHECK (minor > 0),
    currency TEXT NOT NULL,
    CHECK (debit <> credit)
) STRICT;
CREATE TRIGGER transfer_is_immutable BEFORE UPDATE ON transfer_row
BEGIN SELECT raise(ABORT, 'transfers are never changed, only reversed'); END;
CREATE TRIGGER transfer_stays BEFORE DELETE ON transfer_row
BEGIN SELECT raise(ABORT, 'transfers are never deleted, only reversed'); END;
-- What stands on accounts that the journal opens and closes: vouchers, and receipts without a home.
CREATE INDEX transfer_held ON transfer_row (seq) WHERE substr(debit, 1, 9) IN ('vouchers:', 'suspense:') OR substr(credit, 1, 9) IN ('vouchers:', 'suspense:');
CREATE VIEW transfer AS
SELECT transfer_row.seq, decision.seq AS decision, tenant, CASE kind WHEN 'folio' THEN key ELSE '' END AS folio, entry, subject,
    debit, credit, minor, currency
FROM transfer_row JOIN decision ON decision.seq = transfer_row.seq >> 20;

-- Refunded never above captured, held by the database itself.
CREATE TABLE payment_total (
    tenant TEXT NOT NULL,
    folio TEXT NOT NULL,
    payment TEXT NOT NULL,
    currency TEXT NOT NULL,
    captured INTEGER NOT NULL,
    given_back INTEGER NOT NULL CHECK (given_back BETWEEN 0 AND captured),
    PRIMARY KEY (tenant, folio, payment)
) STRICT, WITHOUT ROWID;

-- One row for one business refund.
CREATE TABLE refund_part (
    tenant TEXT NOT NULL,
    folio TEXT NOT NULL,
    payment TEXT NOT NULL,
    number INTEGER NOT NULL,
    refund TEXT NOT NULL,
    minor INTEGER NOT NULL CHECK (minor > 0),
    PRIMARY KEY (tenant, folio, payment, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX refund_part_once ON refund_part (tenant, folio, refund, payment);

CREATE TABLE timer (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    lane INTEGER NOT NULL,
    due INTEGER NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, key, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX timer_due ON timer (due, tenant, kind, key, name);

-- Messages from inside for a lane: replies of effects, released parked messages, conversations. Done when `decision` is set.
CREATE TABLE internal (
    seq INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    message BLOB NOT NULL,
    tenant TEXT NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    act INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    correlation TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    cause INTEGER NOT NULL,        -- the decision that led to it; 0: an effect's reply or an operator
    body BLOB NOT NULL,
    decision INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX internal_waiting ON internal (lane, seq) WHERE decision = 0;
CREATE INDEX internal_unheard ON internal (tenant, kind, key) WHERE decision = 0;

-- Early messages by what they wait for, and messages behind a defect. The message itself is in intake or internal.
CREATE TABLE parked (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    waits_for TEXT NOT NULL,
    since INTEGER NOT NULL,
    decision INTEGER NOT NULL,
    message BLOB NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    act INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    correlation TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX parked_key ON parked (tenant, kind, key, seq);

CREATE TABLE blocked (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    dead_letter TEXT NOT NULL,
    message BLOB NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    act INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    correlation TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX blocked_key ON blocked (tenant, kind, key, seq);

-- What the hub cannot use. `bytes` are scrubbed of cards and sealed with a tenant key that expires.
CREATE TABLE dead_letter (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,            -- of the aggregate it blocks; empty: none
    key TEXT NOT NULL,
    why TEXT NOT NULL,             -- undecodable | conflict | defect
    code TEXT NOT NULL,
    field TEXT NOT NULL,
    value TEXT NOT NULL,
    reason TEXT NOT NULL,
    door TEXT NOT NULL,
    attributes TEXT NOT NULL,
    bytes BLOB NOT NULL,
    message BLOB,
    name TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    status TEXT NOT NULL           -- open | replayed | discarded
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letter_open ON dead_letter (at) WHERE status = 'open';

-- Outgoing messages, in order: the topics themselves when embedded. `seq` is numbered as in the ledger, `sequence` is the key's own,
-- `published` 0: a broker has yet to confirm it. What a message wears beside its body is its decision's: `outbox` shows it whole.
CREATE TABLE outbox_row (
    seq INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    body BLOB NOT NULL,
    published INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_waiting ON outbox_row (seq) WHERE published = 0;
CREATE VIEW outbox AS
SELECT outbox_row.seq, decision.seq AS decision, decision.tenant, decision.kind, decision.key, outbox_row.name, outbox_row.sequence,
    decision.message AS cause, decision.correlation, decision.traceparent, decision.decided_at AS at, outbox_row.body,
    outbox_row.published
FROM outbox_row JOIN decision ON decision.seq = outbox_row.seq >> 20;

-- Requests to the outside. While somebody has one, `next_at` is when the lease is over.
CREATE TABLE effect (
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    folio TEXT NOT NULL,
    lane INTEGER NOT NULL,
    business_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    provider TEXT NOT NULL,
    merchant TEXT NOT NULL,
    payment TEXT NOT NULL,
    reference TEXT NOT NULL,
    order_ref TEXT NOT NULL,
    minor INTEGER NOT NULL CHECK (minor > 0),
    currency TEXT NOT NULL,
    refund TEXT NOT NULL,
    property TEXT NOT NULL,
    last INTEGER NOT NULL,
    needs_approval INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    decision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    correlation TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    next_at INTEGER NOT NULL,      -- when it may be sent or asked about
    attempts INTEGER NOT NULL DEFAULT 0,
    queries INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER NOT NULL DEFAULT 0,
    key_until INTEGER NOT NULL DEFAULT 0,
    record TEXT NOT NULL DEFAULT '',
    request TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT '',
    UNIQUE (tenant, folio, business_key)
) STRICT;
CREATE INDEX effect_open ON effect (next_at, id) WHERE state IN ('planned', 'sending', 'accepted', 'unknown');
CREATE INDEX effect_person ON effect (created_at, id) WHERE state = 'needs_person';
CREATE INDEX effect_sent ON effect (tenant, sent_at) WHERE sent_at > 0;
CREATE INDEX effect_payment ON effect (merchant, reference);

-- Everything that was asked and answered, in order, scrubbed.
CREATE TABLE evidence (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    effect TEXT NOT NULL,
    merchant TEXT NOT NULL,
    reference TEXT NOT NULL,
    act TEXT NOT NULL,             -- send | query | late
    result TEXT NOT NULL,
    code TEXT NOT NULL,
    request TEXT NOT NULL,
    answer TEXT NOT NULL
) STRICT;
CREATE INDEX evidence_payment ON evidence (merchant, reference);

-- A provider's own records of a payment: each belongs to one effect of ours, to the payment itself, or is foreign.
CREATE TABLE provider_record (
    merchant TEXT NOT NULL,
    reference TEXT NOT NULL,
    level TEXT NOT NULL,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL,
    result TEXT NOT NULL,
    status TEXT NOT NULL,
    minor INTEGER,
    currency TEXT NOT NULL,
    owner TEXT NOT NULL,           -- effect:<id> | payment | foreign
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (merchant, reference, level)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX provider_record_effect ON provider_record (owner) WHERE owner LIKE 'effect:%';

-- Payments whose history is to be asked for, caused by a callback.
CREATE TABLE payment_query (
    merchant TEXT NOT NULL,
    reference TEXT NOT NULL,
    provider TEXT NOT NULL,
    order_ref TEXT NOT NULL,
    tenant TEXT NOT NULL,
    folio TEXT NOT NULL,
    lane INTEGER NOT NULL,
    payment TEXT NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    PRIMARY KEY (merchant, reference)
) STRICT, WITHOUT ROWID;
CREATE INDEX payment_query_due ON payment_query (due);

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
CREATE INDEX notice_bounced ON notice (created_at, id) WHERE state = 'bounced';

-- How the guest of a booking is reached, where notices are wanted: the last that was told, sealed as it came.
CREATE TABLE contact (
    tenant TEXT NOT NULL, folio TEXT NOT NULL, subject TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (tenant, folio)
) STRICT, WITHOUT ROWID;

-- What people have lists of, one row for each balance request and each voucher, stored with the state that it is taken from. `folio` empty:
-- a voucher that is on no booking. `queue` is its status, `marks` are words between blanks, `rank` is its place in its list.
CREATE TABLE listed (
    tenant TEXT NOT NULL,
    folio TEXT NOT NULL,
    kind TEXT NOT NULL,            -- balance | voucher
    item TEXT NOT NULL,
    property TEXT NOT NULL,
    queue TEXT NOT NULL,
    marks TEXT NOT NULL,           -- overdue | suspended | flagged
    rank TEXT NOT NULL,
    PRIMARY KEY (tenant, folio, kind, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX listed_queue ON listed (tenant, kind, queue, marks, rank, folio, item);
CREATE INDEX listed_property ON listed (tenant, kind, property, queue, marks, rank, folio, item);
CREATE INDEX listed_item ON listed (tenant, kind, item);

-- Switches that a person sets, read before each send.
CREATE TABLE payout_switch (tenant TEXT PRIMARY KEY, stopped INTEGER NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE policy (
    version TEXT NOT NULL, kind TEXT NOT NULL, hash TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE configuration (id INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, body BLOB NOT NULL) STRICT;

-- Keys of people (wrapped), of a tenant's dead letters, and of doors (hashed).
CREATE TABLE subject_key (tenant TEXT NOT NULL, subject TEXT NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (tenant, subject)) STRICT, WITHOUT ROWID;
CREATE TABLE door_key (id TEXT PRIMARY KEY, hash BLOB NOT NULL, salt BLOB NOT NULL, tenant TEXT NOT NULL, scope TEXT NOT NULL, label TEXT NOT NULL, at INTEGER NOT NULL, revoked_at INTEGER) STRICT, WITHOUT ROWID;
