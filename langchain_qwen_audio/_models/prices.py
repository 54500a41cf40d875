"""What each model costs, as one table; a name that is not in it has no price that is known.

https://help.aliyun.com/zh/model-studio/model-pricing , as of October 2026, in CNY. Singapore is
billed in USD; its numbers are those that the page gives in CNY. Promotions, free quotas and
searches on the web are not counted. Qwen-Audio has a free quota and no price. A dated name shares
the price of its main model only where the page says that they are equal. A batch costs half where
https://help.aliyun.com/zh/model-studio/batch-inference names the model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeAlias

AS_OF = "2026-10"


@dataclass(frozen=True, kw_only=True)
class TokenPrices:
    """Prices of a million tokens. None is a price that is not known, or that does not exist.

    Attributes:
        text_in: Text in.
        audio_in: Audio in.
        image_in: Images in; video too.
        cached_in: Input of any kind that the service had in its cache.
        text_out: Text out, thoughts included, if the input is text alone.
        mixed_text_out: Text out if the input has anything else.
        audio_out: Speech out.
        spoken_text: Whether the text of a spoken answer is billed too; by default it is free.
        batch_factor: What is paid in a batch, as a part of these prices.
        currency: The currency.

    Example:
        ```python
        from decimal import Decimal

        from langchain_qwen_audio.costs import TokenPrices

        mine = TokenPrices(
            text_in=Decimal("0.15"), audio_in=Decimal("0.15"), mixed_text_out=Decimal("0.47")
        )
        print(Cost.of(model.invoke(messages), prices=mine))
        ```
    """

    text_in: Decimal | None = None
    audio_in: Decimal | None = None
    image_in: Decimal | None = None
    cached_in: Decimal | None = None
    text_out: Decimal | None = None
    mixed_text_out: Decimal | None = None
    audio_out: Decimal | None = None
    spoken_text: bool = False
    batch_factor: Decimal | None = None
    currency: str = "CNY"

    def in_batch(self) -> TokenPrices | None:
        """Work out what is paid in a batch; None if that is not known."""
        if self.batch_factor is None:
            return None
        listed = {name: getattr(self, name) for name in _PRICES}
        paid = {name: it and it * self.batch_factor for name, it in listed.items()}
        return replace(self, **paid, batch_factor=None)


_PRICES = (
    *("text_in", "audio_in", "image_in", "cached_in"),
    *("text_out", "mixed_text_out", "audio_out"),
)


@dataclass(frozen=True, kw_only=True)
class SecondPrice:
    """The price of a second of audio; the tokens are free.

    Attributes:
        second: A second of audio in.
        currency: The currency.

    Example:
        ```python
        from decimal import Decimal

        from langchain_qwen_audio.costs import SecondPrice

        asr = ChatQwenAudio(model="qwen3-asr-flash")
        recording = Audio.from_path("welcome.wav").to_block()
        answer = asr.invoke([{"role": "user", "content": [recording]}])
        print(Cost.of(answer, prices=SecondPrice(second=Decimal("0.00022"))))
        ```
    """

    second: Decimal
    currency: str = "CNY"


Prices: TypeAlias = TokenPrices | SecondPrice

_BEIJING, _SINGAPORE, _VIRGINIA = "cn-beijing", "ap-southeast-1", "us-east-1"


def _million(
    ins: str,
    outs: str,
    *,
    cached: str | None = None,
    batch: str | None = None,
    spoken_text: bool = False,
) -> TokenPrices:
    """Read a row of the page, where "-" is no price.

    Args:
        ins: Text, audio, image and video in.
        outs: Text out, text out with other input, speech out.
        cached: Cached input.
        batch: The part that is paid in a batch.
        spoken_text: Whether the text of a spoken answer is billed too.
    """
    text_in, audio_in, image_in = map(_number, ins.split())
    text_out, mixed_text_out, audio_out = map(_number, outs.split())
    return TokenPrices(
        text_in=text_in,
        audio_in=audio_in,
        image_in=image_in,
        cached_in=_number(cached or "-"),
        text_out=text_out,
        mixed_text_out=mixed_text_out,
        audio_out=audio_out,
        spoken_text=spoken_text,
        batch_factor=_number(batch or "-"),
    )


def _number(text: str) -> Decimal | None:
    return None if text == "-" else Decimal(text)


def _seconds(beijing: str, singapore: str) -> dict[str, Prices]:
    return {
        _BEIJING: SecondPrice(second=Decimal(beijing)),
        _SINGAPORE: SecondPrice(second=Decimal(singapore)),
    }


def _both(beijing: TokenPrices, singapore: TokenPrices) -> dict[str, Prices]:
    return {_BEIJING: beijing, _SINGAPORE: singapore}


_OMNI_3_FLASH = _both(
    _million("1.8 15.8 3.3", "6.9 12.7 62.6"),
    _million("3.156 27.962 5.725", "12.183 22.458 110.896"),
)
_FILES = _seconds("0.00022", "0.00026")
_PARAFORMER: dict[str, Prices] = {_BEIJING: SecondPrice(second=Decimal("0.00008"))}
_LIVE = _seconds("0.00033", "0.00066")
_PARAFORMER_LIVE: dict[str, Prices] = {_BEIJING: SecondPrice(second=Decimal("0.00024"))}
_US: dict[str, Prices] = {
    _VIRGINIA: SecondPrice(second=Decimal("0.00026"))
}  # from the model's card
_AUDIO_3_1 = _both(_million("- 0.8 -", "- 2.7 -"), _million("- 1.094 -", "- 3.427 -"))
_AUDIO_3_1_LIVE = _both(_million("- 6 -", "- 4.5 -"), _million("- 6.781 -", "- 5.104 -"))

_AUDIO_LIVE_PLUS = _both(
    _million("5 40 -", "40 40 150"), _million("5.995 47.963 -", "47.963 47.963 179.861")
)

# Model → region → prices.
PRICES: dict[str, dict[str, Prices]] = {
    "qwen3.8-omni-flash": {
        **_both(
            _million("0.8 0.8 0.8", "2.7 2.7 -", cached="0.1"),
            _million("1.094 1.094 1.094", "3.427 3.427 -", cached="0.117"),
        ),
        **dict.fromkeys(
            ("cn-hongkong", "ap-northeast-1", "eu-central-1", _VIRGINIA),
            _million("0.8 0.8 0.8", "2.7 2.7 -", cached="0.1"),
        ),
    },
    "qwen3.5-omni-plus": _both(
        _million("7 53 7", "40 40 213", batch="0.5"),
        _million("10.49 82.44 10.49", "62.2 62.2 329.74"),
    ),
    "qwen3.5-omni-flash": _both(
        _million("2.2 18 2.2", "13.3 13.3 72", batch="0.5"),
        _million("3 22.48 3", "16.49 16.49 89.18"),
    ),
    "qwen3-omni-flash": _OMNI_3_FLASH,
    "qwen3-omni-flash-2025-12-01": _OMNI_3_FLASH,  # its page says that it equals the main model
    "qwen-omni-turbo": _both(
        _million("0.4 25 1.5", "1.6 4.5 50", batch="0.5"),
        _million("0.514 32.586 1.541", "1.982 4.624 65.246"),
    ),
    "qwen2.5-omni-7b": _both(
        _million("0.6 38 2", "2.4 6 76"), _million("0.734 49.613 2.055", "2.936 6.165 99.153")
    ),
    "qwen3-omni-30b-a3b-captioner": _both(
        _million("- 15.8 -", "- 12.7 -"), _million("- 27.962 -", "- 22.458 -")
    ),
    "qwen3-livetranslate-flash": _both(
        _million("- 10 4", "- 10 40"), _million("- 11.573 4.629", "- 11.573 46.292")
    ),
    "qwen-audio-3.1-asr-flash": _AUDIO_3_1,
    "qwen-audio-3.1-asr-flash-filetrans": _AUDIO_3_1,
    "qwen-audio-3.1-asr-flash-streaming": _AUDIO_3_1_LIVE,
    "qwen-audio-3.1-asr-flash-message": _AUDIO_3_1_LIVE,
    "qwen3-asr-flash": {**_FILES, **_US},
    "qwen3-asr-flash-2025-09-08": {**_FILES, **_US},  # its page says that it equals the main model
    "qwen3-asr-flash-us": _US,
    "qwen3-asr-flash-2025-09-08-us": _US,
    "qwen3-asr-flash-filetrans": _FILES,
    "fun-asr": _FILES,
    "fun-asr-flash-2026-06-15": _FILES,  # the list says fun-asr-flash; there is no other one
    "qwen-audio-3.0-asr-flash": _FILES,
    "qwen-audio-3.0-asr-flash-filetrans": _FILES,
    "paraformer-v2": _PARAFORMER,
    "paraformer-8k-v2": _PARAFORMER,
    "paraformer-mtl-v1": _PARAFORMER,
    "qwen3.8-omni-flash-realtime": _both(
        _million("1.5 6 -", "4.5 4.5 12", spoken_text=True),
        _million("1.677 6.781 -", "5.104 5.104 13.636", spoken_text=True),
    ),
    "qwen3.5-omni-plus-realtime": _both(
        _million("10 80 -", "60 60 300"), _million("15.74 123.65 -", "92.93 92.93 464.64")
    ),
    "qwen3.5-omni-flash-realtime": _both(
        _million("3.3 27 -", "20 20 107"), _million("4.12 33.72 -", "24.73 24.73 132.65")
    ),
    "qwen3-omni-flash-realtime": _both(
        _million("2.2 18.9 3.9", "8.3 15.2 75.1"),
        _million("3.816 33.54 6.899", "14.605 26.935 133.06"),
    ),
    "qwen-audio-3.1-realtime-plus": _AUDIO_LIVE_PLUS,
    "qwen-audio-3.0-realtime-plus": _AUDIO_LIVE_PLUS,
    "qwen-audio-3.0-realtime-flash": _both(
        _million("1.5 6 -", "4.5 4.5 12"), _million("1.677 6.781 -", "5.104 5.104 13.636")
    ),
    "qwen3-asr-flash-realtime": _LIVE,
    "fun-asr-realtime": _LIVE,
    "qwen-audio-3.0-asr-flash-streaming": _LIVE,
    "paraformer-realtime-v2": _PARAFORMER_LIVE,
    "paraformer-realtime-8k-v2": _PARAFORMER_LIVE,
}
