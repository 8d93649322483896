-- The store for many processes. Instants are microseconds since 1970 UTC, amounts minor units, ids of messages 16 bytes.
-- Version 3: a new store as it is made. upgrades/<version>.sql brings a store of the version before to that one.
-- Tables and columns are those of the store on one machine, so that whoever reads has one text for both. Text is ordered by its bytes.

CREATE DOMAIN word AS text COLLATE "C";

CREATE TABLE meta (name word PRIMARY KEY, value word NOT NULL);

-- Who may write: one row a lane. `trying` is the offset of a message that is being tried alone after three deaths. `ends` is where the
-- next message of the lane goes when the log is this store.
CREATE TABLE lane (
    lane integer PRIMARY KEY,
    epoch bigint NOT NULL,
    next_offset bigint NOT NULL,
    deaths bigint NOT NULL DEFAULT 0,
    trying bigint
) WITH (fillfactor = 50);
CREATE TABLE lane_end (lane integer PRIMARY KEY, ends bigint NOT NULL) WITH (fillfactor = 50);

-- Who has what for a while: lanes, and jobs that only one process does.
CREATE TABLE lease (name word PRIMARY KEY, owner word NOT NULL, until timestamptz NOT NULL);

-- Decisions are numbered before they are stored: what a decision knows of has a smaller number, and there are gaps. Transactions take
-- their turn when everything that they change is theirs: in this order they are as if one had waited for the other.
CREATE SEQUENCE decision_number;
CREATE SEQUENCE turn;

-- The intake topic: every message that was acknowledged, in the order of its arrival. Personal fields are sealed.
CREATE TABLE intake (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane bigint NOT NULL,
    "offset" bigint NOT NULL,
    message bytea NOT NULL,
    fingerprint bytea NOT NULL,
    tenant word NOT NULL,
    source word NOT NULL,
    id word NOT NULL,
    name word NOT NULL,
    kind word NOT NULL,
    key word NOT NULL,
    act bigint NOT NULL,
    received_at bigint NOT NULL,
    correlation word NOT NULL,
    traceparent word NOT NULL,
    door word NOT NULL,
    scrubbed word NOT NULL,        -- paths of card data that was removed at the edge, a JSON list or empty
    body bytea NOT NULL,
    UNIQUE (lane, "offset")
);

-- Identities that were decided, in slices of time that are dropped whole: inbox_<slice> is a part of the inbox.
CREATE TABLE inbox_slice (slice bigint PRIMARY KEY);
CREATE TABLE inbox (
    slice bigint NOT NULL,
    message bytea NOT NULL,
    fingerprint bytea NOT NULL,
    lane integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (message, slice)
) PARTITION BY LIST (slice);

-- Aggregates. `id` is the hash of (tenant, kind, key); `body` empty: it has only published so far. `version` counts what was stored of it:
-- whoever stores the next one must have read the last.
CREATE TABLE state (
    id bytea PRIMARY KEY,
    lane integer NOT NULL,
    tenant word NOT NULL,
    kind word NOT NULL,
    key word NOT NULL,
    version bigint NOT NULL,
    sequence bigint NOT NULL,
    shape bigint NOT NULL,
    blocked word NOT NULL,
    since bigint NOT NULL,        -- its first decision, under which all of its decisions are found
    body bytea
) WITH (fillfactor = 80);
CREATE INDEX state_blocked ON state (blocked) WHERE blocked <> '';

-- One row for everything that was decided; `verify` replays the roots (parent 0) in the order of their turns.
CREATE TABLE decision (
    seq bigint PRIMARY KEY,
    parent bigint NOT NULL,
    since bigint NOT NULL,        -- the first decision of its key
    origin word NOT NULL,          -- intake | internal | timer | inline
    lane bigint NOT NULL,
    place bigint NOT NULL,        -- intake: offset in the lane; internal: its seq; timer: due; inline: number under its parent
    message bytea NOT NULL,
    tenant word NOT NULL,
    kind word NOT NULL,
    key word NOT NULL,
    name word NOT NULL,
    result word NOT NULL,          -- decided | refused | parked | stale | duplicate | conflict | queued | defect
    act bigint NOT NULL,
    received_at bigint NOT NULL,
    decided_at bigint NOT NULL,
    configuration bigint NOT NULL,
    correlation word NOT NULL,
    traceparent word NOT NULL,
    record bytea NOT NULL,
    turn bigint NOT NULL
);
CREATE INDEX decision_place ON decision (lane, origin, place) WHERE parent = 0;
CREATE INDEX decision_parent ON decision (parent) WHERE parent > 0;
CREATE INDEX decision_since ON decision (since);
-- What was decided for a tenant, by instant: the journal of a day.
CREATE INDEX decision_day ON decision (tenant, decided_at, seq);

-- The ledger. `seq` is the decision's, times 2^20, plus a number: what a decision booked lies side by side. `transfer` shows it whole.
CREATE TABLE transfer_row (
    seq bigint PRIMARY KEY,
    entry word NOT NULL,
    subject word NOT NULL,
    debit word NOT NULL,
    credit word NOT NULL,
    minor bigint NOT NULL CHECK (minor > 0),
    currency word NOT NULL,
    CHECK (debit <> credit)
);
CREATE FUNCTION transfer_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'transfers are never changed or deleted, only reversed' USING ERRCODE = 'integrity_constraint_violation'; END $$;
CREATE TRIGGER transfer_stays BEFORE UPDATE OR DELETE ON transfer_row FOR EACH ROW EXECUTE FUNCTION transfer_stays();
-- What stands on accounts that the journal opens and closes: vouchers, and receipts without a home.
CREATE INDEX transfer_held ON transfer_row (seq) WHERE substr(debit, 1, 9) IN ('vouchers:', 'suspense:') OR substr(credit, 1, 9) IN ('vouchers:', 'suspense:');
CREATE VIEW transfer AS
SELECT transfer_row.seq, decision.seq AS decision, tenant, CASE kind WHEN 'folio' THEN key ELSE '' END AS folio, entry, subject,
    debit, credit, minor, currency
FROM transfer_row JOIN decision ON decision.seq = transfer_row.seq >> 20;

-- Refunded never above captured, held by the database itself.
CREATE TABLE payment_total (
    tenant word NOT NULL,
    folio word NOT NULL,
    payment word NOT NULL,
    currency word NOT NULL,
    captured bigint NOT NULL,
    given_back bigint NOT NULL CHECK (given_back BETWEEN 0 AND captured),
    PRIMARY KEY (tenant, folio, payment)
);

-- One row for one business refund.
CREATE TABLE refund_part (
    tenant word NOT NULL,
    folio word NOT NULL,
    payment word NOT NULL,
    number bigint NOT NULL,
    refund word NOT NULL,
    minor bigint NOT NULL CHECK (minor > 0),
    PRIMARY KEY (tenant, folio, payment, number)
);
CREATE UNIQUE INDEX refund_part_once ON refund_part (tenant, folio, refund, payment);

CREATE TABLE timer (
    tenant word NOT NULL,
    kind word NOT NULL,
    key word NOT NULL,
    name word NOT NULL,
    lane bigint NOT NULL,
    due bigint NOT NULL,
    what word NOT NULL,
    subject word NOT NULL,
    PRIMARY KEY (tenant, kind, key, name)
);
CREATE INDEX timer_due ON timer (due, tenant, kind, key, name);

-- Messages from inside for a lane: replies of effects, released parked messages, conversations. Done when `decision` is set.
CREATE TABLE internal (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane bigint NOT NULL,
    message bytea NOT NULL,
    tenant word NOT NULL,
    source word NOT NULL,
    id word NOT NULL,
    name word NOT NULL,
    kind word NOT NULL,
    key word NOT NULL,
    act bigint NOT NULL,
    received_at bigint NOT NULL,
    correlation word NOT NULL,
    traceparent word NOT NULL,
    cause bigint NOT NULL,        -- the decision that led to it; 0: an effect's reply or an operator
    body bytea NOT NULL,
    decision bigint NOT NULL DEFAULT 0
);
CREATE INDEX internal_waiting ON internal (lane, seq) WHERE decision = 0;
CREATE INDEX internal_unheard ON internal (tenant, kind, key) WHERE decision = 0;

-- Early messages by what they wait for, and messages behind a defect. The message itself is in intake or internal.
CREATE TABLE parked (
    seq bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    tenant word NOT NULL,
    kind word NOT NULL,
    key word NOT NULL,
    waits_for word NOT NULL,
    since bigint NOT NULL,
    decision bigint NOT NULL,
    message bytea NOT NULL,
    source word NOT NULL,
    id word NOT NULL,
    name word NOT NULL,
    act bigint NOT NULL,
    received_at bigint NOT NULL,
    correlation word NOT NULL,
    traceparent word NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX parked_key ON parked (tenant, kind, key, seq);

CREATE TABLE blocked (
    seq bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    tenant word NOT NULL,
    kind word NOT NULL,
    key word NOT NULL,
    dead_letter word NOT NULL,
    message bytea NOT NULL,
    source word NOT NULL,
    id word NOT NULL,
    name word NOT NULL,
    act bigint NOT NULL,
    received_at bigint NOT NULL,
    correlation word NOT NULL,
    traceparent word NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX blocked_key ON blocked (tenant, kind, key, seq);

-- What the hub cannot use. `bytes` are scrubbed of cards and sealed with a tenant key that expires.
CREATE TABLE dead_letter (
    id word PRIMARY KEY,
    at bigint NOT NULL,
    tenant word NOT NULL,
    kind word NOT NULL,            -- of the aggregate it blocks; empty: none
    key word NOT NULL,
    why word NOT NULL,             -- undecodable | conflict | defect
    code word NOT NULL,
    field word NOT NULL,
    value word NOT NULL,
    reason word NOT NULL,
    door word NOT NULL,
    attributes word NOT NULL,
    bytes bytea NOT NULL,
    message bytea,
    name word NOT NULL,
    received_at bigint NOT NULL,
    status word NOT NULL           -- open | replayed | discarded
);
CREATE INDEX dead_letter_open ON dead_letter (at) WHERE status = 'open';

-- Outgoing messages, in order: the topics themselves when embedded. `seq` is numbered as in the ledger, `sequence` is the key's own.
-- What a message wears beside its body is its decision's: `outbox` shows it whole.
CREATE TABLE outbox_row (
    seq bigint PRIMARY KEY,
    name word NOT NULL,
    sequence bigint NOT NULL,
    body bytea NOT NULL
);
-- Those that a broker has yet to confirm. What comes and goes so fast lies apart, and is cleared as often as it is that much again.
CREATE TABLE outbox_waiting (
    seq bigint PRIMARY KEY,
    lane integer NOT NULL          -- of its key: whoever owns that publishes it
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_insert_threshold = -1);
-- Those that sources want by AMQP and have yet to get, where the outcomes themselves go to Kafka.
CREATE TABLE outbox_asked (seq bigint PRIMARY KEY);
CREATE VIEW outbox AS
SELECT outbox_row.seq, decision.seq AS decision, decision.tenant, decision.kind, decision.key, outbox_row.name, outbox_row.sequence,
    decision.message AS cause, decision.correlation, decision.traceparent, decision.decided_at AS at, outbox_row.body,
    CASE WHEN EXISTS (SELECT FROM outbox_waiting WHERE outbox_waiting.seq = outbox_row.seq) THEN 0 ELSE 1 END AS published
FROM outbox_row JOIN decision ON decision.seq = outbox_row.seq >> 20;

-- Requests to the outside. While somebody has one, `next_at` is when the lease is over.
CREATE TABLE effect (
    id word PRIMARY KEY,
    tenant word NOT NULL,
    folio word NOT NULL,
    lane bigint NOT NULL,
    business_key word NOT NULL,
    kind word NOT NULL,
    provider word NOT NULL,
    merchant word NOT NULL,
    payment word NOT NULL,
    reference word NOT NULL,
    order_ref word NOT NULL,
    minor bigint NOT NULL CHECK (minor > 0),
    currency word NOT NULL,
    refund word NOT NULL,
    property word NOT NULL,
    last bigint NOT NULL,
    needs_approval bigint NOT NULL,
    state word NOT NULL,
    reason word NOT NULL DEFAULT '',
    decision bigint NOT NULL,
    created_at bigint NOT NULL,
    correlation word NOT NULL,
    traceparent word NOT NULL,
    next_at bigint NOT NULL,      -- when it may be sent or asked about
    attempts bigint NOT NULL DEFAULT 0,
    queries bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    lease_until bigint NOT NULL DEFAULT 0,
    sent_at bigint NOT NULL DEFAULT 0,
    key_until bigint NOT NULL DEFAULT 0,
    record word NOT NULL DEFAULT '',
    request word NOT NULL DEFAULT '',
    reply word NOT NULL DEFAULT '',
    seq bigint GENERATED ALWAYS AS IDENTITY,
    UNIQUE (tenant, folio, business_key)
);
CREATE INDEX effect_open ON effect (next_at, id) WHERE state IN ('planned', 'sending', 'accepted', 'unknown');
CREATE INDEX effect_person ON effect (created_at, id) WHERE state = 'needs_person';
CREATE INDEX effect_sent ON effect (tenant, sent_at) WHERE sent_at > 0;
CREATE INDEX effect_payment ON effect (merchant, reference);

-- Everything that was asked and answered, in order, scrubbed.
CREATE TABLE evidence (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    effect word NOT NULL,
    merchant word NOT NULL,
    reference word NOT NULL,
    act word NOT NULL,             -- send | query | late
    result word NOT NULL,
    code word NOT NULL,
    request word NOT NULL,
    answer word NOT NULL
);
CREATE INDEX evidence_payment ON evidence (merchant, reference);

-- A provider's own records of a payment: each belongs to one effect of ours, to the payment itself, or is foreign.
CREATE TABLE provider_record (
    merchant word NOT NULL,
    reference word NOT NULL,
    level word NOT NULL,
    provider word NOT NULL,
    kind word NOT NULL,
    result word NOT NULL,
    status word NOT NULL,
    minor bigint,
    currency word NOT NULL,
    owner word NOT NULL,           -- effect:<id> | payment | foreign
    seen_at bigint NOT NULL,
    PRIMARY KEY (merchant, reference, level)
);
CREATE UNIQUE INDEX provider_record_effect ON provider_record (owner) WHERE starts_with(owner, 'effect:');

-- Payments whose history is to be asked for, caused by a callback.
CREATE TABLE payment_query (
    merchant word NOT NULL,
    reference word NOT NULL,
    provider word NOT NULL,
    order_ref word NOT NULL,
    tenant word NOT NULL,
    folio word NOT NULL,
    lane bigint NOT NULL,
    payment word NOT NULL,
    due bigint NOT NULL,
    attempts bigint NOT NULL,
    lease_until bigint NOT NULL,
    PRIMARY KEY (merchant, reference)
);
CREATE INDEX payment_query_due ON payment_query (due);

-- Notices to guests and merchants, one mail each. `body` is what a text may say, JSON; nothing about a person is in it. While somebody
-- has one, `next_at` is when the lease is over.
CREATE TABLE notice (
    id word PRIMARY KEY,
    tenant word NOT NULL,
    folio word NOT NULL,
    lane bigint NOT NULL,
    kind word NOT NULL,
    attempt bigint NOT NULL,
    audience word NOT NULL,        -- guest | merchant
    language word NOT NULL,
    property word NOT NULL,
    body bytea NOT NULL,
    decision bigint NOT NULL,
    created_at bigint NOT NULL,
    correlation word NOT NULL,
    traceparent word NOT NULL,
    next_at bigint NOT NULL,      -- when it may be sent
    state word NOT NULL DEFAULT 'planned',
    code word NOT NULL DEFAULT '',
    reason word NOT NULL DEFAULT '',
    tries bigint NOT NULL DEFAULT 0,
    doubts bigint NOT NULL DEFAULT 0, -- silences after which the server may have had it
    fence bigint NOT NULL DEFAULT 0,
    sent_at bigint NOT NULL DEFAULT 0,
    UNIQUE (tenant, folio, kind, attempt)
);
CREATE INDEX notice_open ON notice (next_at, decision, id) WHERE state IN ('planned', 'sending');
CREATE INDEX notice_bounced ON notice (created_at, id) WHERE state = 'bounced';

-- How the guest of a booking is reached, where notices are wanted: the last that was told, sealed as it came.
CREATE TABLE contact (
    tenant word NOT NULL, folio word NOT NULL, subject word NOT NULL, body bytea NOT NULL, PRIMARY KEY (tenant, folio)
);

-- What people have lists of, one row for each balance request and each voucher, stored with the state that it is taken from. `folio` empty:
-- a voucher that is on no booking. `queue` is its status, `marks` are words between blanks, `rank` is its place in its list.
CREATE TABLE listed (
    tenant word NOT NULL,
    folio word NOT NULL,
    kind word NOT NULL,            -- balance | voucher
    item word NOT NULL,
    property word NOT NULL,
    queue word NOT NULL,
    marks word NOT NULL,           -- overdue | suspended | flagged
    rank word NOT NULL,
    PRIMARY KEY (tenant, folio, kind, item)
);
CREATE INDEX listed_queue ON listed (tenant, kind, queue, marks, rank, folio, item);
CREATE INDEX listed_property ON listed (tenant, kind, property, queue, marks, rank, folio, item);
CREATE INDEX listed_item ON listed (tenant, kind, item);

-- Switches that a person sets, read before each send.
CREATE TABLE payout_switch (tenant word PRIMARY KEY, stopped bigint NOT NULL, by word NOT NULL, reason word NOT NULL, at bigint NOT NULL);

CREATE TABLE policy (
    version word NOT NULL, kind word NOT NULL, hash word NOT NULL, body bytea NOT NULL, PRIMARY KEY (kind, version)
);
CREATE TABLE configuration (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, hash word NOT NULL UNIQUE, at bigint NOT NULL, body bytea NOT NULL);

-- Keys of people (wrapped), of a tenant's dead letters, and of doors (hashed).
CREATE TABLE subject_key (tenant word NOT NULL, subject word NOT NULL, wrapped bytea NOT NULL, PRIMARY KEY (tenant, subject));
CREATE TABLE door_key (id word PRIMARY KEY, hash bytea NOT NULL, salt bytea NOT NULL, tenant word NOT NULL, scope word NOT NULL, label word NOT NULL, at bigint NOT NULL, revoked_at bigint);
