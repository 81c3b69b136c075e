"""Types the raw claims table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated

from weir_plugin import Context, Reject, RowEmitter, RowTransform, Rule, Schema
from weir_plugin import types as t

AMOUNT = t.decimal128(12, 2)
DIGITS = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

NO_ID = Rule("no_id", "A claim has an id.")
BAD_AMOUNT = Rule("bad_amount", "An amount is a decimal with at most two digits after the point.")
BAD_DATE = Rule("bad_date", "A date is written 2010-03-12.")


@dataclass
class RawClaim:
    """A row as it comes: all of it text."""

    claim_id: str | None
    paid: str | None
    paid_on: str | None
    codes: str | None


@dataclass
class Claim:
    """A row as it goes."""

    claim_id: str
    paid: Annotated[Decimal, AMOUNT] | None
    paid_on: date | None
    codes: list[str]


class Claims(RowTransform):
    """Types the raw claims table."""

    name = "claims"
    version = "0.1.0"
    rules = [NO_ID, BAD_AMOUNT, BAD_DATE]
    columns = ["claim_id", "paid", "paid_on", "codes"]
    Row = RawClaim

    def bind(self, context: Context) -> Schema:
        return Schema.of(Claim)

    def row(self, row: RawClaim, out: RowEmitter) -> None:
        if not row.claim_id:
            raise Reject(NO_ID)
        out.emit(
            Claim(
                claim_id=row.claim_id.strip(),
                paid=amount(row.paid),
                paid_on=day(row.paid_on),
                codes=(row.codes or "").split(),
            )
        )


def amount(text: str | None) -> Decimal | None:
    if not text:
        return None
    if not DIGITS.fullmatch(text):
        raise Reject(BAD_AMOUNT, "the amount is no decimal")
    value = Decimal(text)
    if not AMOUNT.fits(value):
        raise Reject(BAD_AMOUNT, "the amount has too many digits")
    return value


def day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        # Python takes other forms of ISO 8601 too.
        if not DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise Reject(BAD_DATE) from None
