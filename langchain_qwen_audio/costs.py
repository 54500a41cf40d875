"""What calls cost, by the service's own price list; what is not known stays unknown.

usage of an answer ─ table of prices ─► Cost. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, assert_never, cast

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata

from langchain_qwen_audio._models.prices import AS_OF, PRICES, Prices, SecondPrice, TokenPrices
from langchain_qwen_audio._models.profiles import OWN_PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.messages.ai import InputTokenDetails

    from langchain_qwen_audio._request.token_count import Counts

__all__ = ["Cost", "Prices", "SecondPrice", "TokenPrices"]

Item: TypeAlias = Literal["text_in", "audio_in", "image_in", "cached_in", "text_out", "audio_out"]

_MILLION = 1_000_000
SEARCHES = "searches of the web are billed apart, and are not counted"


class Metered(Protocol):
    """What sums up answers of one model, such as `LoadSummary` or `LiveTranscription`."""

    model: str
    region: str | None

    @property
    def uncounted(self) -> int:
        """How many answers have no count of audio tokens."""

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is billed, and is not in `usage`."""

    @property
    def usage(self) -> UsageMetadata | None:
        """The tokens that are billed, if there are some."""

    @property
    def billed_s(self) -> float | None:
        """The seconds that are billed, if there are some."""


class Estimating(Protocol):
    """A model that can say what a request will cost, such as `ChatQwenAudio`."""

    model: str

    @property
    def billing_region(self) -> str | None:
        """The region that bills, if it is known."""

    def estimate_cost(self, messages: Any, *, prices: Prices | None = None) -> Cost:
        """Compute what the input of a request will cost."""


class _Bill(NamedTuple):
    """What is billed: tokens, or seconds, and what is missing of the tokens."""

    model: str | None
    region: str | None
    usage: UsageMetadata | None
    seconds: float | None = None
    gaps: tuple[str, ...] = ()
    uncounted: int = 0  # answers of a summary without a count of audio tokens
    in_batch: bool = False


@dataclass(frozen=True)
class Cost:
    """What calls cost. Costs can be added, also with `sum`.

    Attributes:
        breakdown: What is known of the amount, by kind: "text_in", "audio_in", "image_in" (video
            too), "cached_in", "text_out" (thoughts too) and "audio_out".
        unknown: Why the amount is not known; empty if it is.
        currency: The currency; CNY in the service's own list.

    Example:
        ```python
        from langchain_core.messages.ai import UsageMetadata
        from langchain_qwen_audio import Cost

        usage = UsageMetadata(
            input_tokens=1_020,
            output_tokens=100,
            total_tokens=1_120,
            input_token_details={"audio": 1_000},
        )
        cost = Cost.of(usage, model="qwen3.5-omni-flash", region="cn-beijing")
        print(cost)  # 0.019374 CNY (text in 0.000044, audio in 0.018, text out 0.00133)
        ```
    """

    breakdown: Mapping[Item, Decimal] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    currency: str = "CNY"

    @classmethod
    def of(
        cls,
        used: AIMessage | UsageMetadata | Metered | None,
        *,
        model: str | None = None,
        region: str | None = None,
        prices: Prices | None = None,
    ) -> Cost:
        """Compute what an answer cost.

        The text of a spoken answer is free. Thoughts are text out. Models such as qwen3-asr-flash
        are billed by the seconds that the service reports. An answer from LangChain's cache costs
        nothing, and one of a batch half. Free quotas are not taken off. What a server of your own
        costs is not known.
        https://help.aliyun.com/zh/model-studio/model-pricing , as of October 2026

        Args:
            used: An answer, its `usage_metadata` (None if the answer has none), the summary of a
                loader, or a live transcription. Add the costs of several answers, not their usage:
                a price can depend on what one input has.
            model: Name of the model, where `used` does not say it, or another one is meant.
            region: Region that bills, the same.
            prices: Your own prices, in place of the service's list.

        Returns:
            The cost. If a price or a number is not known, `amount` is None, and `unknown` says why.

        Raises:
            TypeError: `used` is something else.
        """
        if isinstance(used, AIMessage | dict) and is_from_cache(used):
            return cls()
        bill = _bill_of(used)
        name, place = model or bill.model, region or bill.region
        found = prices or _own_server(used) or _find_prices(name, place)
        if bill.in_batch and not isinstance(found, str):
            found = prices_in_batch(found)
        match found:
            case str():
                return Cost(unknown=(found,))
            case SecondPrice():
                return _by_second(bill.seconds, found)
            case TokenPrices():
                return _by_token(bill, found)
            case _:
                assert_never(found)

    @property
    def amount(self) -> Decimal | None:
        """The whole amount; None if it is not known."""
        return None if self.unknown else self.at_least

    @property
    def at_least(self) -> Decimal:
        """What is known of the amount."""
        return sum(self.breakdown.values(), Decimal(0))

    def __add__(self, other: Cost) -> Cost:
        """Add two costs.

        Raises:
            ValueError: They are in different currencies.
        """
        if not isinstance(other, Cost):
            return NotImplemented
        if self.breakdown and other.breakdown and self.currency != other.currency:
            raise ValueError(
                f"costs in {self.currency} and in {other.currency} came; expected one currency: "
                "convert one of them first"
            )
        items = [*self.breakdown, *(it for it in other.breakdown if it not in self.breakdown)]
        zero = Decimal(0)
        return Cost(
            {it: self.breakdown.get(it, zero) + other.breakdown.get(it, zero) for it in items},
            tuple(dict.fromkeys([*self.unknown, *other.unknown])),
            self.currency if self.breakdown or not other.breakdown else other.currency,
        )

    def __radd__(self, other: int) -> Cost:
        """Begin a `sum`, which begins with 0."""
        return self if other == 0 else NotImplemented

    def __str__(self) -> str:
        why = "; ".join(self.unknown)
        if self.unknown:
            known = f"at least {_digits(self.at_least)} {self.currency}"
            return f"{known if self.breakdown else 'unknown'} ({why})"
        parts = (f"{it.replace('_', ' ')} {_digits(part)}" for it, part in self.breakdown.items())
        details = f" ({', '.join(parts)})" if self.breakdown else ""
        return f"{_digits(self.at_least)} {self.currency}{details}"


def estimate(counts: Counts, model: str, region: str | None, prices: Prices | None = None) -> Cost:
    """Compute what a request will cost: its input alone, unless its seconds are all that is billed.

    Args:
        counts: What was counted of the request.
        model: Name of the model.
        region: Region that bills.
        prices: Your own prices, in place of the service's list.
    """
    usage = UsageMetadata(
        input_tokens=counts.tokens,
        output_tokens=0,
        total_tokens=counts.tokens,
        input_token_details=cast(
            "InputTokenDetails", {"audio": counts.audio, "image": counts.visual}
        ),
    )
    found = prices or _find_prices(model, region)
    if isinstance(found, str):
        return Cost(unknown=(found,))
    if isinstance(found, SecondPrice):
        return _by_second(counts.audio_s, found) + Cost(unknown=counts.uncounted)
    gaps = (*counts.uncounted, "the output is not known before the call")
    if counts.audio_s and not counts.audio:
        gaps = ("how many tokens this model counts a second of audio is not known", *gaps)
    return _by_token(_Bill(model, region, usage), found) + Cost(unknown=gaps)


def estimate_batch(llm: Estimating, inputs: Iterable[Any], prices: Prices | None) -> Cost:
    """Compute what the inputs of a batch will cost; see `estimate`.

    Args:
        llm: The model.
        inputs: The conversations.
        prices: Your own prices, in place of the service's list.
    """
    found = prices or _find_prices(llm.model, llm.billing_region)
    paid = found if isinstance(found, str) else prices_in_batch(found)
    if isinstance(paid, str):
        return Cost(unknown=(paid,))
    return sum((llm.estimate_cost(it, prices=paid) for it in inputs), Cost())


def prices_in_batch(prices: Prices) -> TokenPrices | str:
    """Work out what is paid in a batch, or say why that is not known."""
    paid = None if isinstance(prices, SecondPrice) else prices.in_batch()
    return paid or "the prices say nothing of batches (batch_factor)"


def is_from_cache(used: AIMessage | UsageMetadata) -> bool:
    """Tell an answer that LangChain had in its cache: it marks its usage so."""
    usage = used.usage_metadata if isinstance(used, AIMessage) else used
    return cast("dict[str, Any]", usage or {}).get("total_cost") == 0


def gaps_of(message: AIMessage) -> tuple[str, ...]:
    """Say what of an answer is billed, and not counted in its usage."""
    return (*_uncounted_speech(message), *_uncounted_searches(message))


def _digits(amount: Decimal) -> str:
    text = f"{amount:.6f}".rstrip("0").rstrip(".")
    return "less than 0.000001" if text == "0" and amount else text


def _bill_of(used: AIMessage | UsageMetadata | Metered | None) -> _Bill:
    if isinstance(used, AIMessage):
        known = used.response_metadata
        return _Bill(
            known.get("model_name"),
            known.get("region"),
            used.usage_metadata,
            known.get("seconds"),
            gaps_of(used),
            in_batch="batch_id" in known,
        )
    if used is None or isinstance(used, dict):
        return _Bill(None, None, used)
    if not hasattr(used, "billed_s"):
        raise TypeError(
            f"{type(used).__name__} came; expected an answer (AIMessage), its usage_metadata, the "
            "summary of a loader, or a live transcription"
        )
    return _Bill(
        used.model, used.region, used.usage, used.billed_s, tuple(used.gaps), used.uncounted
    )


def _uncounted_speech(message: AIMessage) -> tuple[str, ...]:
    usage = message.usage_metadata
    details = usage.get("output_token_details", {}) if usage else {}
    blocks = message.content if isinstance(message.content, list) else []
    is_spoken = any(isinstance(it, dict) and it.get("type") == "audio" for it in blocks)
    is_uncounted = is_spoken and "audio" not in details
    return ("the speech in the answer is not counted",) if is_uncounted else ()


def _uncounted_searches(message: AIMessage) -> tuple[str, ...]:
    return (SEARCHES,) if message.response_metadata.get("enable_search") else ()


def _own_server(used: object) -> str | None:
    """Say why the service's prices do not hold, where it is not the service that answered."""
    known = used.response_metadata if isinstance(used, AIMessage) else {}
    if known.get("model_provider") != OWN_PROVIDER:
        return None
    return "a server of your own answered, whose prices are not known: pass prices=…"


def _find_prices(model: str | None, region: str | None) -> Prices | str:
    """Look up prices, or say why there are none."""
    if not model:
        return "the model is not known: pass model=…"
    if model not in PRICES:
        return f"the price list of {AS_OF} has no price of {model}"
    if region is None:
        return "the region is not known: pass region=…"
    if region not in PRICES[model]:
        others = ", ".join(PRICES[model])
        return f"the price list of {AS_OF} has no price of {model} in {region}, but in {others}"
    return PRICES[model][region]


def _by_second(seconds: float | None, price: SecondPrice) -> Cost:
    if seconds is None:
        return Cost(unknown=("the answer does not say how many seconds are billed",))
    return Cost({"audio_in": Decimal(str(seconds)) * price.second}, (), price.currency)


def _by_token(bill: _Bill, prices: TokenPrices) -> Cost:
    if bill.usage is None or not {"input_tokens", "output_tokens"} <= bill.usage.keys():
        return Cost(unknown=("the answer does not say how many tokens it used",))
    has_more_than_text, cost = _input_cost(bill, bill.usage, prices)
    cost += _output_cost(bill.usage, prices, has_more_than_text=has_more_than_text)
    matters = prices.text_in not in (None, prices.audio_in)  # what of the input is audio
    if bill.uncounted and matters:
        cost += Cost(unknown=(f"{bill.uncounted} answers have no count of audio tokens",))
    return cost + Cost(unknown=bill.gaps)


def _input_cost(bill: _Bill, usage: UsageMetadata, prices: TokenPrices) -> tuple[bool | None, Cost]:
    """Price the input, and tell whether it had more than text; None if that is not known."""
    details: dict[str, int] = {**usage.get("input_token_details", {})}  # type: ignore[dict-item]
    image = details.get("image", 0) + details.get("video", 0)
    audio = details.get("audio")
    if prices.text_in is None and (audio is None or bill.uncounted):
        audio = usage["input_tokens"] - image  # there is one price for all that comes in
    tokens: dict[Item, int] = {"text_in": usage["input_tokens"] - image - (audio or 0)}
    tokens |= {"audio_in": audio or 0, "image_in": image}
    if min(*tokens.values(), usage["input_tokens"] - details.get("cache_read", 0)) < 0:
        return None, Cost(unknown=("the counts of the input contradict each other",))
    if audio is None and tokens["text_in"] and prices.audio_in != prices.text_in:
        gap = "the answer does not say how many tokens of the input are audio"
        return (True if image else None), Cost(unknown=(gap,))
    has_more_than_text = None if audio is None and not image else bool(audio or image)
    cached = details.get("cache_read", 0)
    if cached:
        if len({getattr(prices, item) for item, count in tokens.items() if count}) > 1:
            gap = "the answer does not say which kind of input was cached"
            return has_more_than_text, Cost(unknown=(gap,))
        tokens = _without_cached(tokens, cached) | {"cached_in": cached}
    costs = (_priced(item, count, getattr(prices, item), prices) for item, count in tokens.items())
    return has_more_than_text, sum(costs, Cost(currency=prices.currency))


def _without_cached(tokens: dict[Item, int], cached: int) -> dict[Item, int]:
    """Take what was cached off the input: text first, as all kinds have one price."""
    left: dict[Item, int] = {}
    for item, count in tokens.items():
        left[item] = max(count - cached, 0)
        cached -= count - left[item]
    return left


def _output_cost(
    usage: UsageMetadata, prices: TokenPrices, *, has_more_than_text: bool | None
) -> Cost:
    details = usage.get("output_token_details", {})
    speech = details.get("audio", 0)
    is_free = speech and not prices.spoken_text
    text = details.get("reasoning", 0) if is_free else usage["output_tokens"] - speech
    if min(speech, text) < 0:
        return Cost(unknown=("a count of the output is below 0",))
    spoken = _priced("audio_out", speech, prices.audio_out, prices)
    if has_more_than_text is None and text and prices.text_out != prices.mixed_text_out:
        gap = "the price of text out depends on whether the input has audio or images"
        return spoken + Cost(unknown=(gap,))
    price = prices.mixed_text_out if has_more_than_text else prices.text_out
    return _priced("text_out", text, price, prices) + spoken


def _priced(item: Item, tokens: int, price: Decimal | None, prices: TokenPrices) -> Cost:
    if not tokens:
        return Cost(currency=prices.currency)
    if price is None:
        return Cost(unknown=(f"there is no price of {tokens} tokens of {item.replace('_', ' ')}",))
    return Cost({item: tokens * price / _MILLION}, (), prices.currency)
