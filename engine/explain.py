"""Every cent of a folio, a message or a request, from the records: inputs, terms and policies with their content, rules with their
arithmetic, entries, requests and answers, outcomes. Nothing is computed anew; what is shown is what was stored.

Personal text stays sealed unless `personal` is given; tokens and mandates are shown by their end alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from engine import ledger_check
from engine.address import nobody
from engine.clock import instant
from engine.explanation import Asked, Booked, Decision, Explained, Published, Request
from engine.store.history import History
from engine.store.rows import Key
from engine.unshown import guarded
from engine.vault import Vault
from handlers import account
from ledger.recipes import voucher_account
from schemas import registry
from schemas.effect import EffectState
from schemas.envelope import type_of
from schemas.errors import HubError
from schemas.folio import Folio, ReferenceState
from schemas.personal import replace_personal
from schemas.voucher_code import normalised
from topics.catalogue import topic_of

SEALED = "(sealed)"
FORGOTTEN = "(forgotten)"


def explain(history: History, vault: Vault, subject: str, *, tenant: str = "", personal: bool = False) -> Explained:
    """A folio by its id or another name (`pms:thais=88231`), a message by the hub's id or the sender's, a request by its id, a voucher by
    its number, however it is typed.

    Raises HubError `unknown_subject` for what is none of these, `ambiguous` for what is several.
    """
    return _Explaining(history, vault, personal).of(subject, tenant)


class _Explaining:
    def __init__(self, history: History, vault: Vault, personal: bool) -> None:
        self._history, self._vault, self._personal = history, vault, personal

    def of(self, subject: str, tenant: str) -> Explained:
        folios = [key for key in self._folios(subject) if tenant in ("", key.tenant)]
        if len(folios) > 1:
            raise HubError(
                f"{subject} is a folio of {', '.join(key.tenant for key in folios)}: say which with --tenant",
                code="ambiguous",
                field="tenant",
            )
        if folios:
            return self._folio(subject, folios[0])
        effect = self._history.effect(subject)
        if effect is not None and tenant in ("", effect["tenant"]):
            return self._effect(subject, effect)
        rows = [row for row in self._messages(subject) if tenant in ("", row["tenant"])]
        if rows:
            return self._message(subject, rows)
        vouchers = [key for key in self._history.voucher_keys(normalised(subject)) if tenant in ("", key.tenant)]
        if len(vouchers) == 1:
            decisions = [self._decision(one) for one in self._history.decisions_of(vouchers[0])]
            return self._explained(subject, "voucher", vouchers[0], None, decisions, [])
        raise HubError(
            f"{subject!r} is no folio, message, effect or voucher of this store: a folio's other names read namespace=value",
            code="unknown_subject",
            field="subject",
            value=subject,
        )

    # -- what it is ------------------------------------------------------------------------------------------------------------

    def _folios(self, subject: str) -> list[Key]:
        found = self._history.folio_keys(subject)
        namespace, separator, value = subject.partition("=")
        if not found and separator:
            for key in self._history.folios_of_name(namespace, value):
                bound = msgspec.json.decode(key.key, type=ReferenceState).folio
                if bound:
                    found.append(Key(key.tenant, "folio", bound))
        return found

    def _messages(self, subject: str) -> list[dict[str, Any]]:
        try:
            message = UUID(subject).bytes
        except ValueError:
            return self._history.intake_named(subject)
        return self._history.intake(message) or self._history.intake_named(subject)

    # -- telling it ------------------------------------------------------------------------------------------------------------

    def _folio(self, subject: str, key: Key) -> Explained:
        row = self._history.reading.state(key)
        folio = msgspec.json.decode(row["body"], type=Folio) if row and row["body"] else None
        decisions = [self._decision(one) for one in self._history.decisions_of(key)]
        requests = [self._request(one) for one in self._history.effects_of(key)]
        return self._explained(subject, "folio", key, folio, decisions, requests)

    def _message(self, subject: str, rows: list[dict[str, Any]]) -> Explained:
        first = rows[0]
        if any(row["message"] != first["message"] for row in rows):
            which = ", ".join(f"{row['source']} ({UUID(bytes=row['message'])})" for row in rows)
            raise HubError(
                f"{subject} is the id of several messages: {which}: name one", code="ambiguous", field="subject", value=subject
            )
        seqs = [seq for row in rows for seq in self._history.roots_of(row["lane"], row["offset"])]
        fates = {one["seq"] for one in self._history.reading.fates(first["message"])}
        decisions = [self._decision(one) for one in self._history.decisions_about([*seqs, *sorted(fates - set(seqs))])]
        key = Key(first["tenant"], first["kind"], first["key"])
        owners = [one.key for one in decisions if one.key.startswith("folio ")]
        if owners:
            key = Key(first["tenant"], "folio", owners[-1].removeprefix("folio "))
        wanted = {effect for one in decisions for effect in one.effects}
        requests = [self._request(one) for one in self._history.effects_of(key) if one["id"] in wanted]
        return self._explained(subject, "message", key, None, decisions, requests)

    def _effect(self, subject: str, row: dict[str, Any]) -> Explained:
        key = Key(row["tenant"], "folio", row["folio"])
        decisions = [
            self._decision(one)
            for one in self._history.decisions_of(key)
            if one["seq"] == row["decision"] or self._speaks_of(one, row["id"])
        ]
        return self._explained(subject, "effect", key, None, decisions, [self._request(row)])

    def _speaks_of(self, decision: dict[str, Any], effect: str) -> bool:
        if decision["name"] not in ("reply.arrived", "approval.grant", "approval.deny", "effect.settle", "payout.braked"):
            return False
        row = self._input(decision)
        return row is not None and effect.encode() in row["body"]

    def _explained(
        self, subject: str, kind: str, key: Key, folio: Folio | None, decisions: list[Decision], requests: list[Request]
    ) -> Explained:
        sums = {}
        if folio is not None:
            sums = {"ordered": account.ordered(folio), "collected": account.collected(folio), "balance": account.balance(folio)}
        whole = kind in ("folio", "voucher")
        balances: Iterable[ledger_check.AccountBalance] = ()
        if kind == "folio":
            balances = ledger_check.balances(self._history.reading, tenant=key.tenant, folio=key.key)
        elif kind == "voucher":
            balances = ledger_check.balances(self._history.reading, tenant=key.tenant, name=voucher_account(key.key))
        waiting = self._history.waiting_of(key) if whole else []
        return Explained(
            subject=subject,
            kind=kind,
            tenant=key.tenant,
            folio=None if folio is None else guarded(folio),
            sums=sums,
            policies=self._policies(folio, decisions),
            decisions=tuple(decisions),
            requests=tuple(requests),
            waiting=tuple(
                {**row, "message": str(UUID(bytes=row["message"])), "received_at": _at(row["received_at"])} for row in waiting
            ),
            balances=tuple(balances),
        )

    def _policies(self, folio: Folio | None, decisions: Iterable[Decision]) -> dict[str, dict[str, Any]]:
        """The content of every version that was frozen here or that a decision names."""
        versions = dict.fromkeys([folio.policy, *(line.policy for line in folio.lines)] if folio else [])
        versions.update(dict.fromkeys(version for decision in decisions for version in decision.policies))
        found = {}
        for version in versions:
            body = self._history.policy("terms", version) or self._history.policy("property", version)
            if body is not None:
                found[version] = msgspec.json.decode(body)
        return found

    def _decision(self, row: dict[str, Any]) -> Decision:
        record: dict[str, Any] = msgspec.json.decode(row["record"])
        came = self._input(row)
        return Decision(
            seq=row["seq"],
            parent=row["parent"],
            name=row["name"],
            message=str(UUID(bytes=row["message"])),
            id=came["id"] if came else "",
            source=came["source"] if came else "foliohub",
            door=came["door"] if came else "",
            key=f"{row['kind']} {row['key']}".replace("\x1f", "="),
            result=row["result"],
            act=_at(row["act"]),
            received_at=_at(row["received_at"]),
            decided_at=_at(row["decided_at"]),
            input=self._said(came) if came else None,
            trace=tuple((rule, text) for rule, text in record.pop("trace", ())),
            policies=tuple(record.pop("policy", "").split()),
            record=record,
            entries=tuple(msgspec.convert(one, Booked) for one in self._history.transfers_of(row["seq"])),
            outcomes=tuple(
                Published(
                    type=type_of(one.name),
                    topic=topic_of(one.name),
                    id=str(UUID(bytes=one.id)),
                    at=_at(one.at),
                    data=msgspec.json.decode(one.body),
                )
                for one in self._history.reading.outcomes_of((row["seq"],))
            ),
            effects=tuple(self._history.requested_by(row["tenant"], row["key"], row["seq"])),
        )

    def _input(self, decision: dict[str, Any]) -> dict[str, Any] | None:
        root = self._history.decision(decision["parent"]) if decision["parent"] else decision
        if root is None or decision["origin"] == "timer":
            return None
        return self._history.input_of(root, decision["message"])

    def _said(self, row: dict[str, Any]) -> dict[str, Any]:
        """A message's data; what is about a person opened only if that was asked for, tokens and mandates never shown whole."""
        data: dict[str, Any] = guarded(msgspec.json.decode(row["body"]))

        def change(person: str, text: str) -> str:
            if not self._personal:
                return SEALED
            opened = self._vault.open(row["tenant"], person or nobody(row["key"]), text)
            return FORGOTTEN if opened is None else opened

        try:
            kind = registry.struct_of(row["name"])
        except HubError:
            return data
        return dict(replace_personal(kind, data, change))

    def _request(self, row: dict[str, Any]) -> Request:
        calls = self._history.evidence_of(row["merchant"], row["reference"])
        return Request(
            effect=row["id"],
            business_key=row["business_key"],
            kind=row["kind"],
            provider=row["provider"],
            merchant=row["merchant"],
            payment=row["payment"],
            reference=row["reference"],
            minor=row["minor"],
            currency=row["currency"],
            state=row["state"],
            reason=row["reason"],
            needs_approval=bool(row["needs_approval"]) and row["state"] == EffectState.PLANNED,
            decision=row["decision"],
            created_at=_at(row["created_at"]),
            sent_at=_at(row["sent_at"]),
            next_at=_at(row["next_at"]),
            attempts=row["attempts"],
            queries=row["queries"],
            record=row["record"],
            calls=tuple(
                Asked(
                    at=_at(one["at"]),
                    act=one["act"],
                    result=one["result"],
                    code=one["code"],
                    request=one["request"],
                    answer=one["answer"],
                    effect=one["effect"],
                )
                for one in calls
            ),
            records=tuple(
                {**one, "seen_at": _at(one["seen_at"])} for one in self._history.records_of(row["merchant"], row["reference"])
            ),
        )


def _at(micros: int) -> str:
    return instant(micros).isoformat().replace("+00:00", "Z") if micros else ""
