"""Which models have batches at half price, where, and how large a batch may be. Pure.

https://help.aliyun.com/zh/model-studio/batch-interfaces-compatible-with-openai
https://help.aliyun.com/zh/model-studio/batch-inference
As of October 2026. The first page lets a line have 6 MB, the second one 1 MB.
"""

from __future__ import annotations

import reprlib

from langchain_qwen_audio._models.prices import PRICES, TokenPrices
from langchain_qwen_audio.errors import InvalidRequestError, NotFoundError

MAX_REQUESTS = 50_000
MAX_FILE_BYTES = 500_000_000
MAX_LINE_BYTES = 6_000_000
SHORTEST_WINDOW_H, LONGEST_WINDOW_H = 24, 336


def check_batch_model(model: str, region: str | None) -> None:
    """Require a model that has batches.

    Args:
        model: Its name.
        region: The region that bills; None if it is not known, which is not checked.

    Raises:
        NotFoundError: It has none, or not in this region.
    """
    regions = batch_regions(model)
    if not regions:
        known = ", ".join(name for name in PRICES if batch_regions(name))
        raise NotFoundError(
            f"{reprlib.repr(model)} has no batches, as far as is known; these models have: {known}"
        )
    if region is not None and region not in regions:
        raise NotFoundError(
            f"{model} has batches in {', '.join(regions)} alone, and the region is {region}"
        )


def batch_regions(model: str) -> list[str]:
    """List the regions where a model has batches."""
    return [
        region
        for region, prices in PRICES.get(model, {}).items()
        if isinstance(prices, TokenPrices) and prices.batch_factor is not None
    ]


def check_batch_size(requests: int, size: int) -> None:
    """Require that one batch may hold so much.

    Args:
        requests: How many requests there are.
        size: Their bytes, as lines.

    Raises:
        InvalidRequestError: It may not, or there is nothing in it.
    """
    if not 0 < requests <= MAX_REQUESTS:
        raise InvalidRequestError(
            f"{requests:,} inputs came, and a batch has 1 to {MAX_REQUESTS:,}: submit several "
            "batches"
        )
    if size > MAX_FILE_BYTES:
        raise InvalidRequestError(
            f"the inputs are more than {MAX_FILE_BYTES:,} bytes, which a batch may have at most: "
            "submit several batches, or recordings as http(s) URLs"
        )


def check_line_size(size: int) -> None:
    """Require that a line may be so long.

    Raises:
        InvalidRequestError: It may not.
    """
    if size > MAX_LINE_BYTES:
        raise InvalidRequestError(
            f"as a line of a batch it has {size:,} bytes, and at most {MAX_LINE_BYTES:,} are "
            "taken: send recordings as http(s) URLs that the service can fetch, or shorter ones"
        )
