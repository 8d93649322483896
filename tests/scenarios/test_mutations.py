"""A scenario that stays green when its rule does nothing proves nothing: each function that applies a rule is made to give its input
back unchanged, and the scenario that shows the rule must go red.

This is the one place where functions of ours are replaced: what is under test here are the scenarios.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from itertools import count
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from engine import arriving, effects
from handlers import (
    account,
    balance,
    balance_amounts,
    balance_dates,
    balance_here,
    balance_record,
    balance_reply,
    balance_request,
    balance_timers,
    balance_told,
    booking,
    booking_lines,
    cancellation,
    cancellation_record,
    cancellation_right,
    capture,
    card_use,
    channel,
    collecting,
    commission,
    confirmation,
    deposit,
    dispute,
    entitlement,
    frozen,
    goodwill,
    late_payment,
    payment,
    penalty,
    quote,
    quote_lines,
    refund,
    refund_asked,
    refund_elsewhere,
    refund_parts,
    refund_reply,
    stock,
    voucher,
    voucher_accept,
    voucher_book,
    voucher_decline,
    voucher_enter,
    voucher_issue,
    voucher_schedule,
    voucher_second,
    voucher_told,
    voucher_worth,
)
from handlers.outcome import Outcome, Policies
from handlers.payment_states import BY_NAME
from ledger import recipes
from schemas import cards, folio, money, voucher_code
from schemas.cancellation import Cause
from schemas.payment import Tender
from schemas.policy import (
    BalancePolicy,
    Boundary,
    CommissionOnPenalty,
    DepositBasis,
    PropertyPolicy,
    RefundBase,
    TenderOrder,
    Unit,
    WithinTender,
)
from schemas.refund import Destination
from tests.scenarios.play import HERE, hold, played, scenario_of

OURS = ("handlers.", "engine.", "schemas.", "ledger.")
NUMBERS = count()
SHIPPED = PropertyPolicy(property="any", version="any/1", tenant="azur", zone="Europe/Paris")


def knob(name: str) -> tuple[Any, str, Callable[..., Any]]:
    """A property's knob that nobody reads: its default stands."""
    real, default = frozen.property_version, getattr(SHIPPED, name)
    return frozen, "property_version", lambda facts, of, version: replace(real(facts, of, version), **{name: default})


def term(name: str, default: object) -> tuple[Any, str, Callable[..., Any]]:
    """A knob of terms that nobody reads."""
    real = frozen.terms_version
    return frozen, "terms_version", lambda facts, version: replace(real(facts, version), **{name: default})


def asks(name: str) -> tuple[Any, str, Callable[..., Any]]:
    """A knob of balances that nobody reads: its default stands."""
    default = msgspec.structs.fields(BalancePolicy)
    value = next(field.default for field in default if field.name == name)
    real = frozen.property_version

    def read(facts: Any, of: str, version: str) -> PropertyPolicy:
        policy = real(facts, of, version)
        return replace(policy, balance=replace(policy.balance, **{name: value}))

    return frozen, "property_version", read


def in_order(of: folio.Folio, minor: int, _policy: object) -> tuple[tuple[folio.FolioPayment, int], ...]:
    """A refund from the payments as they stand."""
    parts = []
    for known in of.payments:
        part = min(minor, known.refundable())
        minor -= part
        parts.append((known, part))
    return tuple((known, part) for known, part in parts if part)


def same_state(of: folio.Folio, *_: object, **__: object) -> Outcome:
    """A decision that changes nothing."""
    return Outcome(state=of)


def refund_parts_to_cards(of: folio.Folio, minor: int, facts: Any, **more: Any) -> Outcome:
    """A voucher that is issued and does not close the money's way back."""
    return refund.open_refund(of, minor, facts, request=more["request"], asked_by=more["asked_by"])


MUTATIONS: list[tuple[str, tuple[Any, str, Callable[..., Any]]]] = [
    ("terms/v15_s4_4_s4_33_paid_in_full", (penalty, "penalty", lambda price, _rate: price)),
    ("terms/v15_s4_4_s4_33_paid_in_full", (penalty, "tranche_of", lambda *_: 0)),
    ("terms/s4_1_each_trade_has_its_own_terms", (penalty, "refund_rate", lambda *_: Fraction(1))),
    ("terms/s4_2_five_hardness_levels", (penalty, "refund_rate", lambda *_: Fraction(1))),
    ("terms/v16_s4_12_s4_33_s4_34_paid_the_deposit", (penalty, "penalty", lambda _price, _rate: 0)),
    ("terms/v16_s4_34_x_25_acompte_is_a_claim", (quote, "_short", lambda *_: 0)),
    ("terms/s4_5_s4_27_fee_is_kept_in_every_tranche", (quote, "_fee", lambda of, *_: (of.service_fee, ()))),
    ("terms/s4_6_a_1_the_limit_is_the_guests", term("boundary", Boundary.OWNER)),
    ("terms/s4_6_a_1_the_limit_is_the_owners", term("boundary", Boundary.GUEST)),
    (
        "terms/s4_7_days_are_the_propertys",
        (penalty, "start_of_day", lambda day, _zone, before=0: datetime.combine(day - timedelta(before), time(0), UTC)),
    ),
    ("terms/s4_7_a_2_hours_before_the_drop_time", term("unit", Unit.DAY)),
    ("terms/s4_7_a_2_hours_before_the_drop_time", term("drop_time", time(16))),
    ("terms/s4_8_nanr_gives_nothing", (penalty, "refund_rate", lambda *_: Fraction(1))),
    ("terms/v19_s4_9_penalties_service_by_service", (penalty, "penalty", lambda price, _rate: price // 2)),
    ("terms/s4_40_x_8_terms_are_frozen", (frozen, "terms_version", lambda facts, _version: facts.policies.terms[0])),
    (
        "terms/s4_40_x_8_terms_are_frozen",
        (Policies, "offered", lambda self, name, _day: next(one for one in self.terms if one.name == name)),
    ),
    ("terms/s4_42_after_arrival_days_are_negative", (penalty, "tranche_of", lambda *_: 0)),
    (
        "terms/x_9_days_across_both_changes",
        (
            penalty,
            "start_of_day",
            lambda day, _zone, before=0: datetime.combine(day - timedelta(before), time(0), UTC) - timedelta(hours=1),
        ),
    ),
    ("refund_base/v24_s4_32_rounded_like_the_deposit", (penalty, "penalty", lambda price, rate: int(price * (1 - rate)))),
    ("refund_base/v28_s4_32_a_4_rate_on_what_was_collected", (quote_lines, "shares_of", lambda *_: {})),
    ("refund_base/v16_s4_32_a_4_penalty_on_the_price", term("refund_base", RefundBase.COLLECTED)),
    ("refund_base/a_5_fee_given_back_where_settled", (quote, "_fee", lambda *_: (0, ()))),
    ("deposit/s4_11_s4_14_s4_19_half_and_the_fee", (deposit, "line_deposit", lambda price, *_: price)),
    ("deposit/s4_11_s4_14_s4_19_half_and_the_fee", (account, "fee_charged", lambda _: 0)),
    ("deposit/s4_10_s4_14_deposit_inherits_tranche_2", (deposit, "deposit_rate", lambda _: Fraction(1, 2))),
    ("deposit/v29_s4_13_second_payment_unpaid", (deposit, "second_payment_days", lambda _: 0)),
    ("deposit/v29_s4_13_second_payment_unpaid", (booking, "second_payment_timers", lambda *_: ((), ()))),
    ("deposit/s4_13_second_payment_on_its_day", (account, "balance", lambda _: 1)),
    ("deposit/s4_13_second_payment_days_settled", term("second_payment_days", None)),
    ("deposit/v17_s4_15_split_cap", knob("split_cap")),
    ("deposit/v18_s4_16_s4_17_a_6_threshold", (deposit, "whole_trades", lambda *_: frozenset())),
    ("deposit/s4_16_each_trade_meets_its_own_threshold", knob("split_thresholds")),
    ("deposit/s4_18_a_3_the_part_kept", term("deposit_basis", DepositBasis.REFUND_RATE)),
    ("deposit/s4_18_a_3_the_refund_rate_literally", term("deposit_basis", DepositBasis.RETAINED)),
    ("deposit/v20_s4_20_rounded_per_line_then_summed", (penalty, "penalty", lambda price, rate: int(price * (1 - rate)))),
    ("deposit/s4_21_bought_on_the_second_payments_day", (deposit, "due_date", lambda *_: None)),
    ("deposit/x_25_max_advance", (deposit, "check_advance", lambda *_: ())),
    ("folio/s4_22_ordered_beside_collected", (account, "balance_facts", lambda *_: ())),
    ("folio/s4_22_ordered_beside_collected", (account, "collected", lambda _: 0)),
    ("folio/s4_23_s4_26_what_cancelling_would_give_now", (penalty, "refund_rate", lambda *_: Fraction(1))),
    ("request/s4_25_who_may_ask", (cancellation_right, "check_requester", lambda *_: None)),
    ("request/s4_25_who_may_ask", knob("who_may_cancel")),
    ("request/s4_26_cannot_be_cancelled", (cancellation, "_check_live", lambda *_: None)),
    ("request/s4_28_what_a_confirmation_brings", (stock, "released", lambda *_: None)),
    ("request/s4_28_what_a_confirmation_brings", (commission, "credit_note", lambda *_: (None, ()))),
    ("request/s4_30_stock_does_not_wait_for_the_bank", (refund_reply, "settle_part", same_state)),
    ("request/s4_30_withdrawn", (cancellation, "OPEN", frozenset(folio.RequestStatus))),
    ("request/s4_31_quote_shown_at_2359_confirmed_at_0001", (cancellation, "next_limit", lambda *_: None)),
    ("request/s4_31_valid_for_thirty_minutes", (cancellation, "_no_longer", lambda *_: "")),
    ("request/s4_31_valid_for_thirty_minutes", knob("quote_minutes")),
    ("request/s4_31_quote_changed_by_a_payment", (cancellation, "_no_longer", lambda *_: "")),
    ("request/s4_41_double_click", (cancellation, "_check_live", lambda *_: None)),
    ("causes/s4_35_a_7_force_majeure", (quote_lines, "EVERYTHING_BACK", frozenset())),
    ("causes/s4_35_a_7_force_majeure", knob("fee_refundable_on")),
    ("causes/s4_35_no_show_is_tranche_3", (penalty, "last_rate", lambda terms: terms.tranches[0].refund)),
    ("causes/s4_36_no_show_after_arrival_day_only", (cancellation_right, "check_cause", lambda *_: None)),
    ("causes/s4_36_force_majeure_needs_an_event_or_proof", (cancellation_right, "check_cause", lambda *_: None)),
    ("causes/s4_44_the_owner_cancels", (quote, "_fee", lambda *_: (0, ()))),
    ("causes/s4_44_arrhes_are_returned_double", (confirmation, "_arrhes_double", same_state)),
    ("partial/v25_s4_37_one_service_of_two", (quote_lines, "chosen_lines", lambda of, _: _all(of))),
    ("partial/s4_37_fewer_nights", (quote_lines, "penalty", lambda *_: 0)),
    ("changes/s1_33_overpaid_goes_back_where_settled", knob("overpaid")),
    ("changes/s4_45_no_better_rate_after_a_move", (penalty, "capped", lambda rate, _cap: rate)),
    ("changes/s4_45_no_better_rate_after_a_move", (booking_lines, "floor_on_move", lambda lines, *_: (lines, ()))),
    ("changes/s4_45_no_better_rate_after_a_move", knob("tranche_floor_on_move")),
    ("goodwill/s4_46_more_than_the_terms_give", (goodwill, "overridden", lambda _folio, computation, *_: (computation, ""))),
    ("goodwill/s4_46_x_15_a_second_person_above_the_limit", knob("override_above")),
    ("commission/s4_38_credit_note_on_what_goes_back", (commission, "credit_note", lambda *_: (None, ()))),
    ("commission/a_30_waived_on_the_penalty_too", term("commission_on_penalty", CommissionOnPenalty.STAYS_DUE)),
    ("tenders/a_17_x_5_proportional", (refund_parts, "allocation", in_order)),
    (
        "tenders/a_17_x_5_proportional",
        (money, "allocate", lambda minor, weights: tuple(minor * w // sum(weights) for w in weights)),
    ),
    ("tenders/a_17_card_first", knob("tender_order")),
    ("tenders/a_17_voucher_first", knob("tender_order")),
    ("tenders/a_17_first_paid", knob("tender_order")),
    ("tenders/a_17_last_paid", (refund_parts, "allocation", in_order)),
    ("tenders/x_18_last_paid_first", (refund_parts, "_by_time", lambda payments, _: list(payments))),
    ("tenders/x_18_first_paid_first", knob("within_tender")),
    ("tenders/x_5_thirds_add_up", (money, "allocate", lambda minor, weights: tuple(minor * w // sum(weights) for w in weights))),
    ("tenders/x_19_cash_goes_back_by_hand", (refund_reply, "executed", same_state)),
    ("tenders/x_3_never_above_what_was_captured", (refund_elsewhere, "foreign", same_state)),
    ("payments/x_2_older_revision_changes_nothing", (booking, "_check_known", lambda *_: None)),
    ("payments/x_1_one_payment_by_two_messages", (payment, "_same", lambda *_: None)),
    ("payments/x_16_trusted_time", (arriving.Reader, "_act", lambda _self, _tenant, _source, _asked, now: now)),
    ("payments/x_16_paid_before_told_after", (late_payment, "after_cancellation", lambda _before, after, *_: Outcome(state=after))),
    ("payments/x_16_paid_after_the_cancellation", (account, "cancelled_before", lambda *_: False)),
    ("payments/x_17_authorised_only", (quote, "_taken", lambda *_: ())),
    ("payments/x_17_authorised_only", (capture, "take_or_release", same_state)),
    ("payments/x_17_pending_waits", (payment, "told", lambda _message, name: BY_NAME[name])),
    ("disputes/x_13_an_open_dispute_holds_the_refund", (refund_asked, "open_disputes", lambda *_: ())),
    ("disputes/x_13_an_open_dispute_holds_the_refund", (dispute, "released", same_state)),
    ("disputes/x_13_x_27_a_planned_refund_is_held", (dispute, "held", same_state)),
    ("disputes/x_13_lost_opens_the_balance_again", (dispute, "_money", same_state)),
    ("disputes/x_13_x_27_a_planned_refund_is_held", (recipes, "dispute_returned", lambda *_: ())),
    ("disputes/x_13_x_3_refunded_and_charged_back", (collecting, "_for_a_person", lambda *_: Outcome())),
    ("disputes/x_2_x_13_the_end_comes_first", (dispute, "waits_for", lambda *_: f"another {next(NUMBERS)}")),
    ("disputes/x_2_x_13_the_reversal_comes_first", (dispute, "reversed_before", lambda *_: 0)),
    ("disputes/x_13_what_is_refused", (dispute, "contested", lambda *_: 0)),
    ("channels/x_20_a_channel_owes_what_is_kept", (quote, "_CHANNEL", None)),
    ("channels/x_20_a_channel_owes_what_is_kept", (channel, "_commission", lambda *_: 0)),
    ("channels/x_20_a_channel_owes_what_is_kept", (recipes, "_CHANNEL", None)),
    (
        "channels/x_20_a_channel_is_owed_what_goes_back",
        (refund_parts, "destination", lambda *_: (Destination.ORIGINAL_CARD, "")),
    ),
    ("payments/x_17_each_word_that_is_not_final", (payment, "told", lambda _message, name: BY_NAME[name])),
    ("tenders/x_18_what_still_stands_of_each", (refund_parts, "_by_time", lambda payments, _: list(payments))),
    ("tenders/x_19_bounced_after_it_was_to_go_back", (collecting, "uncovered_refunds", lambda *_: Outcome())),
    ("tenders/x_19_bounced_after_it_was_to_go_back", (collecting, "_owed_again", lambda *_: Outcome())),
    ("deposit/x_25_frozen_whatever_a_change_says", (deposit, "check_advance", lambda *_: ())),
    ("payments/x_21_taken_and_flagged", (card_use, "_flags", lambda *_: ())),
    ("payments/x_21_taken_and_flagged", (card_use, "_spoken", lambda *_: True)),
    ("causes/x_24_a_package_comes_back_whole", (quote, "_fee", lambda *_: (0, ()))),
    ("causes/x_24_a_package_comes_back_whole", (cancellation_record, "_kept_of_a_package", lambda *_: Outcome())),
    ("causes/x_24_a_package_comes_back_whole", (refund, "due_days", lambda *_: 30)),
    ("causes/x_24_declared_after_the_cancellation", (cancellation, "_check_live", lambda *_: None)),
    ("brakes/x_27_day_sum", (effects, "brake_on", lambda *_: None)),
    ("brakes/x_27_property_day_sum", (effects, "brake_on", lambda *_: None)),
    ("brakes/x_27_velocity", (effects, "brake_on", lambda *_: None)),
    ("brakes/x_27_x_15_approval_above", knob("approval_above")),
    ("balance/v1_s1_1_s1_4_s1_5_asked_by_itself", (balance_dates, "due_days", lambda *_: 0)),
    ("balance/v1_s1_1_s1_4_s1_5_asked_by_itself", (balance_request, "brought_up", lambda out, _: out)),
    ("balance/v1_s1_1_s1_4_s1_5_asked_by_itself", (balance_record, "timers", lambda *_: ((), ()))),
    ("balance/v7_s1_7_s1_8_s1_9_bought_late", (deposit, "due_date", lambda *_: None)),
    ("balance/s1_2_s1_3_s1_39_a_10_the_most_specific_days", (balance_dates, "due_days", lambda _line, policy: policy.due_days)),
    ("balance/s1_39_one_request_for_each_accommodation", asks("per_accommodation")),
    (
        "balance/s1_29_x_9_days_are_the_propertys",
        (balance_dates, "at_send_time", lambda day, policy, _: datetime.combine(day, policy.send_time, UTC)),
    ),
    (
        "balance/s1_29_x_9_days_of_23_and_25_hours",
        (balance_dates, "overdue_instant", lambda day, _: datetime.combine(day, time(22), UTC)),
    ),
    ("balance/s1_4_s1_29_s1_45_notice_and_time_are_settled", asks("notice_days")),
    ("balance/s1_4_s1_29_s1_45_notice_and_time_are_settled", asks("send_time")),
    ("balance/s1_4_s1_29_s1_45_notice_and_time_are_settled", asks("collection_days")),
    ("balance/s1_13_s1_17_operators_set_and_cancel", (balance_amounts, "came", lambda _: -(10**9))),
    ("balance/v8_s0_7_s0_8_s0_10_s0_11_s0_19_a_voucher_and_the_balance", (balance_amounts, "came", account.collected)),
    ("balance/v8_s0_7_s0_8_s0_10_s0_11_s0_19_a_voucher_and_the_balance", (balance_here, "waiting", lambda _: ())),
    ("balance/s0_19_a_mail_waits_for_the_check", (balance_timers, "waiting", lambda _: ())),
    (
        "balance/s1_20_s1_34_s1_39_only_what_changed_is_asked_anew",
        (balance_request, "_heard", lambda request, *_: replace(request, asked=None)),
    ),
    ("balance/s1_13_s1_14_s1_19_s1_20_sent_now_and_again", (balance, "QUEUES", dict.fromkeys(balance.QUEUES, balance_record.LIVE))),
    ("balance/s1_18_made_anew_by_hand_alone", (balance_request, "BY_HAND", "nobody")),
    ("balance/s1_12_s1_15_s1_45_replied_and_collected", (balance_reply, "_same", lambda *_: False)),
    ("balance/s1_21_s1_22_s1_23_s1_27_disfunction_and_again", (balance_reply, "REASONS", frozenset())),
    ("balance/x_1_s1_45_reported_and_told_is_counted_once", (balance_told, "reported", lambda *_: None)),
    ("balance/s1_6_x_21_answers_that_are_refused", (balance_reply, "_check_token", lambda *_: None)),
    ("balance/s1_6_x_21_answers_that_are_refused", (balance_reply, "_method", lambda *_: Tender.CHEQUE)),
    ("balance/s1_33_s1_42_paid_by_another_way", (balance_amounts, "owed_later", lambda _: 10_000)),
    ("balance/s1_34_moved_and_dearer_before_the_mail", (balance_request, "_redated", lambda request, *_: (request, ()))),
    ("balance/s1_34_dearer_once_asked", (balance_request, "_woken", lambda request, _: request)),
    ("balance/s1_34_who_is_paying_is_left_in_peace", (balance_request, "_heard", lambda request, *_: request)),
    ("balance/s1_34_an_amount_by_hand_is_clamped", (balance_amounts, "fixed", lambda *_: (0, 10**9))),
    ("balance/s0_25_s1_35_x_16_cancelled_in_every_queue", (balance_request, "_over", lambda _: "")),
    (
        "balance/s0_24_s1_36_a_booking_is_suspended",
        (balance_timers, "suspended", lambda request, until, _: replace(request, suspended_until=until)),
    ),
    ("balance/s1_36_a_11_the_deadline_stays_where_settled", asks("suspend_moves_deadline")),
    ("balance/s1_36_a_property_is_suspended", (balance_timers, "suspension_of", lambda *_: None)),
    ("balance/s1_36_a_property_is_suspended", (balance_dates, "on_site", lambda *_: False)),
    ("balance/s1_36_a_type_is_suspended", (balance_timers, "_concerns", lambda *_: True)),
    ("balance/s1_37_a_12_cancelled_when_overdue", asks("auto_cancel_overdue")),
    ("balance/s1_44_paid_on_the_deadlines_day", (balance_request, "_last_money", lambda here: here.today)),
    ("balance/x_20_what_a_channel_collects", (balance_request, "_over", lambda _: "")),
    ("balance/s0_3_suspending_has_a_first_day", (entitlement, "check_feature", lambda *_: None)),
    ("balance/s1_38_nothing_during_the_stay", (balance_request.Here, "mails", lambda _: True)),
    ("balance/s1_25_s1_28_a_13_x_10_no_card_number_is_kept", (cards, "scrub", lambda value: (value, ()))),
    (
        "vouchers/s0_4_s0_7_s0_15_s0_16_s0_19_accepted_then_captured",
        (voucher_schedule, "split", lambda deposit, total, _: (deposit, total - deposit)),
    ),
    ("vouchers/s0_4_s0_7_s0_15_s0_16_s0_19_accepted_then_captured", (voucher_second, "beside_vouchers", same_state)),
    ("vouchers/s0_8_s0_10_v8_everything_by_voucher", (voucher_enter, "_check_entry", lambda *_: None)),
    ("vouchers/v27_s0_12_inside_the_deadline", (voucher_schedule, "split", lambda deposit, total, _: (deposit, total - deposit))),
    ("vouchers/s0_13_no_second_method", (voucher_enter, "_check_deposit", lambda *_: None)),
    ("vouchers/s0_13_no_second_method", knob("second_tenders")),
    ("vouchers/s0_1_s0_2_only_of_the_plan", (voucher_enter, "check_feature", lambda *_: None)),
    ("vouchers/s0_3_x_16_by_the_acts_instant", (voucher_enter, "check_feature", lambda *_: None)),
    (
        "vouchers/s0_19_refused_everything_back",
        (voucher_decline, "everything_back", lambda of, facts, _: quote.compute(of, (), Cause.NO_SHOW, facts)),
    ),
    ("vouchers/s0_19_lower_value_top_up_comes", (voucher_second, "beside_vouchers", same_state)),
    (
        "vouchers/s0_19_lower_value_top_up_does_not_come",
        (voucher_accept, "_awaited", lambda of, of_it, *_: voucher_second.settling(of, of_it)),
    ),
    ("vouchers/s0_19_top_up_hours_settled", knob("top_up_hours")),
    ("vouchers/s0_19_guest_withdraws_while_top_up_is_awaited", (cancellation, "_computed", quote.compute)),
    ("vouchers/s0_35_the_silent_merchant", (voucher_accept, "reminders", lambda *_: ())),
    ("vouchers/s0_35_the_silent_merchant", (voucher_second, "_watched", same_state)),
    ("vouchers/s0_26_s0_27_s0_31_cancel_with_voucher", (voucher_issue, "_into_voucher", refund_parts_to_cards)),
    ("vouchers/a_14_s0_28_s0_36_consent_bonus_and_expiry", (voucher_issue, "_check", lambda *_: None)),
    ("vouchers/a_14_s0_28_s0_36_consent_bonus_and_expiry", knob("voucher_value_rule")),
    ("vouchers/a_14_s0_28_s0_36_consent_bonus_and_expiry", knob("voucher_months")),
    ("vouchers/a_14_s0_28_s0_36_consent_bonus_and_expiry", knob("refund_on_expiry")),
    ("vouchers/a_14_s0_28_s0_36_consent_bonus_and_expiry", (voucher_book, "_expired", lambda book: Outcome(state=book))),
    ("vouchers/s0_17_s0_20_s0_22_s0_23_a_pms_code", (voucher_worth, "free", lambda book: book.left)),
    ("vouchers/s0_17_s0_20_s0_22_s0_23_a_pms_code", (voucher_worth, "flags", lambda *_: ())),
    ("vouchers/s0_21_a_15_goodwill_and_back", (voucher, "_worth", lambda message, of, _: (of.minor, 0))),
    ("vouchers/s0_21_a_15_enforced", knob("enforce_known_vouchers")),
    ("vouchers/s0_20_s0_21_an_own_code_told_as_a_payment", (voucher_told, "_check_own", lambda *_: None)),
    ("vouchers/s0_20_a_hold_that_expires", (voucher_book, "_let_go", lambda book, *_: Outcome(state=book))),
    ("vouchers/a_16_two_vouchers", knob("max_vouchers")),
    ("vouchers/s0_6_s0_32_a_mistyped_code", (voucher_code, "ours", lambda _: True)),
    ("vouchers/x_24_a_package_only_with_consent", (voucher_issue, "_check", lambda *_: None)),
    (
        "vouchers/s0_22_s0_29_s0_30_a_17_own_voucher_there_and_back",
        (refund_parts, "destination", lambda *_: (Destination.MANUAL, "by hand")),
    ),
    (
        "vouchers/s0_22_s0_29_s0_30_a_17_own_voucher_there_and_back",
        (voucher_book, "_give_back", lambda message, book, *_: Outcome(state=book)),
    ),
    ("privacy/x_10_x_22_card_data_is_scrubbed", (cards, "scrub", lambda value: (value, ()))),
]


def _all(of: folio.Folio) -> tuple[Any, ...]:
    return tuple((quote_lines.LineChoice(line=line.line), line) for line in account.live_lines(of))


def test_knobs_have_their_defaults() -> None:
    """What a mutation calls the default is the default."""
    assert (SHIPPED.tender_order, SHIPPED.within_tender) == (TenderOrder.PROPORTIONAL, WithinTender.LAST_PAID)


@pytest.mark.parametrize(
    ("scenario", "mutation"), [pytest.param(name, how, id=f"{name.partition('/')[2]}-{how[1]}") for name, how in MUTATIONS]
)
def test_a_rule_that_does_nothing_is_seen(
    scenario: str, mutation: tuple[Any, str, Callable[..., Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scenario is green as it is (test_scenarios), and red without its rule."""
    owner, name, mutant = mutation
    original = getattr(owner, name)
    monkeypatch.setattr(owner, name, mutant)
    for module in [module for key, module in sys.modules.items() if key.startswith(OURS)]:
        for known in [known for known, value in vars(module).items() if value is original]:
            monkeypatch.setattr(module, known, mutant)

    path = HERE / f"{scenario}.jsonl"
    wanted = scenario_of(path)
    result = played(path, wanted)

    assert [text for text in result.unsettled if "(defect," in text] == [], (
        "a mutation that breaks the engine shows nothing of the rule"
    )
    with pytest.raises(AssertionError):
        hold(wanted, result)
