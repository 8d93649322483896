-- beside 1
-- step notices to guests and merchants
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
-- step how guests are reached who are written to
-- How the guest of a booking is reached, where notices are wanted: the last that was told, sealed as it came.
CREATE TABLE contact (
    tenant word NOT NULL, folio word NOT NULL, subject word NOT NULL, body bytea NOT NULL, PRIMARY KEY (tenant, folio)
);
