-- From version 1 to 2: outcomes and transfers lie side by side with their decision's number and keep only what is their own; rows that
-- are never deleted need no AUTOINCREMENT; aggregates are a table of their own with an index, since their bodies are large; the
-- decisions of a key are found under its first one.

ALTER TABLE intake RENAME TO intake_1;
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
INSERT INTO intake (seq, lane, offset, message, fingerprint, tenant, source, id, name, kind, key, act, received_at, correlation, traceparent, door, scrubbed, body)
SELECT seq, lane, offset, message, fingerprint, tenant, source, id, name, kind, key, act, received_at, correlation, traceparent, door, scrubbed, body FROM intake_1;
DROP TABLE intake_1;

ALTER TABLE internal RENAME TO internal_1;
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
INSERT INTO internal (seq, lane, message, tenant, source, id, name, kind, key, act, received_at, correlation, traceparent, cause, body, decision)
SELECT seq, lane, message, tenant, source, id, name, kind, key, act, received_at, correlation, traceparent, cause, body, decision FROM internal_1;
DROP TABLE internal_1;
CREATE INDEX internal_waiting ON internal (lane, seq) WHERE decision = 0;
CREATE INDEX internal_unheard ON internal (tenant, kind, key) WHERE decision = 0;

ALTER TABLE evidence RENAME TO evidence_1;
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
INSERT INTO evidence (seq, at, effect, merchant, reference, act, result, code, request, answer)
SELECT seq, at, effect, merchant, reference, act, result, code, request, answer FROM evidence_1;
DROP TABLE evidence_1;
CREATE INDEX evidence_payment ON evidence (merchant, reference);

ALTER TABLE state RENAME TO state_1;
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
INSERT INTO state
SELECT id, lane, tenant, kind, key, version, sequence, shape, blocked,
    coalesce((SELECT min(seq) FROM decision WHERE (decision.tenant, decision.kind, decision.key) = (state_1.tenant, state_1.kind, state_1.key)), 0),
    body
FROM state_1;
DROP TABLE state_1;
CREATE INDEX state_blocked ON state (blocked) WHERE blocked <> '';

ALTER TABLE decision RENAME TO decision_1;
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
INSERT INTO decision
SELECT seq, parent,
    (SELECT min(seq) FROM decision_1 AS other
        WHERE (other.tenant, other.kind, other.key) = (decision_1.tenant, decision_1.kind, decision_1.key)),
    origin, lane, place, message, tenant, kind, key, name, result, act, received_at, decided_at, configuration,
    coalesce((SELECT correlation FROM outbox WHERE outbox.decision = decision_1.seq LIMIT 1), ''),
    coalesce((SELECT traceparent FROM outbox WHERE outbox.decision = decision_1.seq LIMIT 1), ''), record
FROM decision_1
ORDER BY seq;
DROP TABLE decision_1;
CREATE INDEX decision_place ON decision (lane, origin, place) WHERE parent = 0;
CREATE INDEX decision_parent ON decision (parent) WHERE parent > 0;
CREATE INDEX decision_since ON decision (since);

ALTER TABLE transfer RENAME TO transfer_1;
DROP TRIGGER transfer_is_immutable;
DROP TRIGGER transfer_stays;
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
INSERT INTO transfer_row
SELECT (decision << 20) + row_number() OVER (PARTITION BY decision ORDER BY seq) - 1, entry, subject, debit, credit, minor, currency
FROM transfer_1;
DROP TABLE transfer_1;
CREATE TRIGGER transfer_is_immutable BEFORE UPDATE ON transfer_row
BEGIN SELECT raise(ABORT, 'transfers are never changed, only reversed'); END;
CREATE TRIGGER transfer_stays BEFORE DELETE ON transfer_row
BEGIN SELECT raise(ABORT, 'transfers are never deleted, only reversed'); END;
CREATE VIEW transfer AS
SELECT transfer_row.seq, decision.seq AS decision, tenant, CASE kind WHEN 'folio' THEN key ELSE '' END AS folio, entry, subject,
    debit, credit, minor, currency
FROM transfer_row JOIN decision ON decision.seq = transfer_row.seq >> 20;

ALTER TABLE outbox RENAME TO outbox_1;
DROP INDEX outbox_waiting;
CREATE TABLE outbox_row (
    seq INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    body BLOB NOT NULL,
    published INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_row
SELECT (decision << 20) + row_number() OVER (PARTITION BY decision ORDER BY seq) - 1, name, json_extract(body, '$.sequence'), body,
    published
FROM outbox_1;
DROP TABLE outbox_1;
CREATE INDEX outbox_waiting ON outbox_row (seq) WHERE published = 0;
CREATE VIEW outbox AS
SELECT outbox_row.seq, decision.seq AS decision, decision.tenant, decision.kind, decision.key, outbox_row.name, outbox_row.sequence,
    decision.message AS cause, decision.correlation, decision.traceparent, decision.decided_at AS at, outbox_row.body,
    outbox_row.published
FROM outbox_row JOIN decision ON decision.seq = outbox_row.seq >> 20;

-- Requests lie in the order of their decisions, since those of an hour move together. What somebody has is due when the lease is over.
ALTER TABLE effect RENAME TO effect_1;
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
INSERT INTO effect SELECT * FROM effect_1 ORDER BY decision, id;
DROP TABLE effect_1;
UPDATE effect SET next_at = max(next_at, lease_until) WHERE state IN ('planned', 'sending', 'accepted', 'unknown');
CREATE INDEX effect_open ON effect (next_at, id) WHERE state IN ('planned', 'sending', 'accepted', 'unknown');
CREATE INDEX effect_person ON effect (created_at, id) WHERE state = 'needs_person';
CREATE INDEX effect_sent ON effect (tenant, sent_at) WHERE sent_at > 0;
CREATE INDEX effect_payment ON effect (merchant, reference);
