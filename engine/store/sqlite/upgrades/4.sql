-- From version 3 to 4: lists of balance requests and vouchers, made of the states as they are, and the journal of a day.

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

INSERT INTO listed (tenant, folio, kind, item, property, queue, marks, rank)
SELECT tenant, state_key, 'balance', json_extract(one.value, '$.request'), json_extract(folio, '$.property'), json_extract(one.value, '$.status'),
    trim(CASE WHEN json_extract(one.value, '$.overdue_since') IS NULL THEN '' ELSE 'overdue ' END
        || CASE WHEN json_extract(one.value, '$.suspended_until') IS NULL THEN '' ELSE 'suspended' END),
    json_extract(one.value, '$.deadline')
FROM (SELECT tenant, key AS state_key, CAST(body AS TEXT) AS folio FROM state WHERE kind = 'folio' AND body IS NOT NULL),
    json_each(folio, '$.balance_requests') AS one;

INSERT INTO listed (tenant, folio, kind, item, property, queue, marks, rank)
SELECT tenant, state_key, 'voucher', json_extract(one.value, '$.key'), json_extract(folio, '$.property'),
    coalesce(json_extract(one.value, '$.status'), 'pending_voucher_check'),
    CASE WHEN coalesce(json_array_length(one.value, '$.flags'), 0) = 0 THEN '' ELSE 'flagged' END, json_extract(one.value, '$.key')
FROM (SELECT tenant, key AS state_key, CAST(body AS TEXT) AS folio FROM state WHERE kind = 'folio' AND body IS NOT NULL),
    json_each(folio, '$.vouchers') AS one;

INSERT INTO listed (tenant, folio, kind, item, property, queue, marks, rank)
SELECT tenant, '', 'voucher', json_extract(book, '$.key'), coalesce(json_extract(book, '$.property'), ''), '', '', json_extract(book, '$.key')
FROM (SELECT tenant, CAST(body AS TEXT) AS book FROM state WHERE kind = 'voucher' AND body IS NOT NULL)
WHERE coalesce(json_array_length(book, '$.holds'), 0) = 0;

-- What was decided for a tenant, by instant: the journal of a day.
CREATE INDEX decision_day ON decision (tenant, decided_at);

-- What stands on accounts that the journal opens and closes: vouchers, and receipts without a home.
CREATE INDEX transfer_held ON transfer_row (seq) WHERE substr(debit, 1, 9) IN ('vouchers:', 'suspense:') OR substr(credit, 1, 9) IN ('vouchers:', 'suspense:');

-- Notices that came back.
CREATE INDEX notice_bounced ON notice (created_at, id) WHERE state = 'bounced';
