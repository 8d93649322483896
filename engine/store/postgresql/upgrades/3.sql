-- step a table of what people have lists of
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
-- step balance requests, of every booking that has any
INSERT INTO listed (tenant, folio, kind, item, property, queue, marks, rank)
SELECT tenant, key, 'balance', one ->> 'request', folio ->> 'property', one ->> 'status',
    concat_ws(' ', CASE WHEN one ->> 'overdue_since' IS NOT NULL THEN 'overdue' END,
        CASE WHEN one ->> 'suspended_until' IS NOT NULL THEN 'suspended' END),
    one ->> 'deadline'
FROM (SELECT tenant, key, convert_from(body, 'UTF8')::json AS folio FROM state
        WHERE kind = 'folio' AND position('"balance_requests":'::bytea IN body) > 0) AS booking,
    json_array_elements(folio -> 'balance_requests') AS one;
-- step vouchers, of every booking that has any
INSERT INTO listed (tenant, folio, kind, item, property, queue, marks, rank)
SELECT tenant, key, 'voucher', one ->> 'key', folio ->> 'property', coalesce(one ->> 'status', 'pending_voucher_check'),
    CASE WHEN coalesce(json_array_length(one -> 'flags'), 0) = 0 THEN '' ELSE 'flagged' END, one ->> 'key'
FROM (SELECT tenant, key, convert_from(body, 'UTF8')::json AS folio FROM state
        WHERE kind = 'folio' AND position('"vouchers":'::bytea IN body) > 0) AS booking,
    json_array_elements(folio -> 'vouchers') AS one;
-- step vouchers that are on no booking
INSERT INTO listed (tenant, folio, kind, item, property, queue, marks, rank)
SELECT tenant, '', 'voucher', book ->> 'key', coalesce(book ->> 'property', ''), '', '', book ->> 'key'
FROM (SELECT tenant, convert_from(body, 'UTF8')::json AS book FROM state WHERE kind = 'voucher' AND body IS NOT NULL) AS voucher
WHERE coalesce(json_array_length(book -> 'holds'), 0) = 0;
-- step the journal of a day, by tenant and instant
-- What was decided for a tenant, by instant: the journal of a day.
CREATE INDEX decision_day ON decision (tenant, decided_at, seq);
-- step what stands on vouchers, and receipts without a home
-- What stands on accounts that the journal opens and closes: vouchers, and receipts without a home.
CREATE INDEX transfer_held ON transfer_row (seq) WHERE substr(debit, 1, 9) IN ('vouchers:', 'suspense:') OR substr(credit, 1, 9) IN ('vouchers:', 'suspense:');
-- step notices that came back
CREATE INDEX notice_bounced ON notice (created_at, id) WHERE state = 'bounced';
