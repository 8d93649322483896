-- beside 2
-- step the journal of a day, by tenant and instant; whoever decides waits until it is made
-- What was decided for a tenant, by instant: the journal of a day.
CREATE INDEX decision_day ON decision (tenant, decided_at, seq);
-- step what stands on vouchers, and receipts without a home
-- What stands on accounts that the journal opens and closes: vouchers, and receipts without a home.
CREATE INDEX transfer_held ON transfer_row (seq) WHERE substr(debit, 1, 9) IN ('vouchers:', 'suspense:') OR substr(credit, 1, 9) IN ('vouchers:', 'suspense:');
