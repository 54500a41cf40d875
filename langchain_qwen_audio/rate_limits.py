"""The service's limit on requests of a model → LangChain's own rate limiter."""

from __future__ import annotations

from langchain_core.rate_limiters import InMemoryRateLimiter

from langchain_qwen_audio._models.profiles import PROFILES

__all__ = ["rate_limiter_for"]


def rate_limiter_for(model: str) -> InMemoryRateLimiter:
    """Make a rate limiter that keeps to the requests per minute of a model.

    The requests are spread over the minute: the service may enforce a limit a minute as a sixtieth
    of it a second. Tokens per minute are not limited; LangChain's limiter counts requests. Share
    one limiter between all models of one name in a process: each new one begins at zero.
    https://help.aliyun.com/zh/model-studio/rate-limit

    Args:
        model: Its name.

    Raises:
        ValueError: The limit of this model is not known.

    Example:
        ```python
        from langchain_qwen_audio import ChatQwenAudio, rate_limiter_for

        name = "qwen3.5-omni-flash"
        model = ChatQwenAudio(model=name, rate_limiter=rate_limiter_for(name))
        ```
    """
    profile = PROFILES.get(model)
    if profile is None or profile.requests_per_minute is None:
        raise ValueError(
            f"the requests per minute of {model!r} are not known; expected one of "
            f"{', '.join(PROFILES)}. Look your limit up in the service's console, and make an "
            "InMemoryRateLimiter of langchain_core.rate_limiters with it"
        )
    a_second = profile.requests_per_minute / 60
    return InMemoryRateLimiter(
        requests_per_second=a_second,
        check_every_n_seconds=min(0.1, 1 / a_second),
        max_bucket_size=max(1.0, a_second),
    )
