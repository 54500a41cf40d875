"""The tables of models and prices in README and docs, written from the package's own.

`make tables` rewrites what is between `<!-- table: NAME -->` and `<!-- end of table -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import get_args

from langchain_qwen_audio._models.elsewhere import OTHER_WAYS
from langchain_qwen_audio._models.job_models import JOB_MODELS
from langchain_qwen_audio._models.prices import PRICES, Prices, SecondPrice, TokenPrices
from langchain_qwen_audio._models.profiles import FILES, PROFILES, RETIRED, Profile
from langchain_qwen_audio._models.routes import Region

ROOT = Path(__file__).parent.parent
PAGES = (
    *("README.md", "README.zh-CN.md", "docs/models.md", "docs/costs.md", "docs/transcripts.md"),
    *("docs/keys.md", "docs/choosing.md", "docs/choosing.zh.md"),
)
_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
_DATED = re.compile(r"-20\d\d-")
_UNITS = {"h": 3600.0, "min": 60.0, "s": 1.0}

# What each model is for.
_PURPOSES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("qwen-audio-turbo-latest", "qwen-audio-turbo"), "questions about recordings"),
    (
        ("qwen3-asr-flash", "qwen3-asr-flash-us"),
        "transcripts, with language and emotion",
    ),
    (
        ("qwen-audio-3.1-asr-flash", "qwen-audio-3.0-asr-flash", "fun-asr-flash-2026-06-15"),
        "transcripts, with times of words",
    ),
    (
        ("qwen3-omni-30b-a3b-captioner",),
        "captions of any sound, in English",
    ),
    (("qwen-omni-turbo", "qwen2.5-omni-7b"), "questions, spoken answers"),
    (("qwen3-omni-flash",), "questions, spoken answers, thinking"),
    (
        ("qwen3.5-omni-flash", "qwen3.5-omni-plus"),
        "questions, spoken answers, many clips",
    ),
    (("qwen3.8-omni-flash",), "understanding, thinking"),
)
# What a newcomer wants, and the model for it; the READMEs have these rows.
_CHOICES: tuple[tuple[str, str, str], ...] = (
    ("answers about recordings and videos", "就录音和视频提问", "qwen3.8-omni-flash"),
    ("answers, also spoken", "提问，也可语音回答", "qwen3.5-omni-flash"),
    ("a transcript with words and times", "带逐字时间的转写", "qwen-audio-3.1-asr-flash"),
    ("a transcript with the emotion", "带情绪的转写", "qwen3-asr-flash"),
    ("speakers; hours in one job", "说话人；一个任务转写数小时", FILES),
    ("a free trial of Qwen-Audio", "免费试用 Qwen-Audio", "qwen-audio-turbo-latest"),
)
_COMPARED = ("qwen3.8-omni-flash", "qwen3.5-omni-flash", "qwen3.5-omni-plus", "qwen3-asr-flash")
_HOURS_OF_JOBS = 12
OTHER_NAMES = (
    *("`qwen-audio-3.0-tts-*`, `cosyvoice-*`", "`*-livetranslate-*-realtime`"),
    *("`qwen3*-omni-*-realtime`, `qwen-audio-3.*-realtime-*`", "`qwen-omni-turbo-realtime`"),
    (
        "`qwen3-asr-flash-realtime`, `qwen-audio-3.*-asr-flash-streaming`, "
        "`qwen-audio-3.1-asr-flash-message`, `fun-asr-*realtime`, `paraformer-realtime-*`"
    ),
    "`gummy-realtime-v1`",
    *("`qwen3.5-livetranslate-flash`, `qwen3-livetranslate-flash`", "`*-filetrans`"),
    *("`fun-asr`, `fun-asr-mtl`, `paraformer-*`", "`sensevoice-v1`", "`qwen-mt-*`"),
)


def write_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Write a table in Markdown."""
    head = list(head)
    lines = [f"| {' | '.join(line)} |\n" for line in (head, *rows)]
    return "".join([lines[0], f"|{'---|' * len(head)}\n", *lines[1:]])


def _yes(flag: object) -> str:
    return "yes" if flag else "no"


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _length(seconds: float) -> tuple[str, str]:
    unit, size = next(it for it in _UNITS.items() if seconds >= it[1])
    return f"{seconds / size:g}", unit


def _tools(profile: Profile) -> str:
    return "native" if profile.native_tools else "prompt" if profile.text else "no"


def _by_profile(cells: Callable[[Profile], list[str]]) -> list[list[str]]:
    """One row for all models that have the same cells; they follow each other in the table."""
    rows: list[tuple[list[str], list[str]]] = []
    for name, profile in PROFILES.items():
        if not rows or rows[-1][1] != cells(profile):
            rows.append(([], cells(profile)))
        rows[-1][0].append(f"`{name}`")
    return [[", ".join(names), *row] for names, row in rows]


def _limits(profile: Profile) -> list[str]:
    clips = "any" if profile.max_clips is None else str(profile.max_clips)
    if profile.max_inline_clips:
        clips = f"{profile.max_inline_clips}, and {profile.max_url_clips:,} at URLs"
    return [
        *map(_count, (profile.max_input_tokens, profile.max_output_tokens)),
        _rate(profile),
        " ".join(_length(profile.max_clip_s)),
        clips,
    ]


def _inputs(profile: Profile) -> list[str]:
    return [
        *map(_yes, (profile.text, profile.system, profile.history, profile.images)),
        " ".join(_length(profile.max_video_s)) if profile.max_video_s else _yes(profile.videos),
    ]


def _protocols(profile: Profile) -> list[str]:
    protocols = [name.replace("openai", "compatible") for name in profile.protocols]
    return [" or ".join(protocols), _yes(profile.must_stream)]


def _abilities(profile: Profile) -> list[str]:
    json_mode = {True: "yes", False: "no", None: "unknown"}[profile.json_mode]
    only = f" (in {', '.join(profile.tool_regions)})" if profile.tool_regions else ""
    speaks, search = map(_yes, (profile.voice, profile.search))
    return [speaks, profile.thinking or "no", _tools(profile) + only, json_mode, search]


def _states(profile: Profile) -> list[str]:
    regions = [f"`{region}`" for region in profile.regions]
    return [
        "all six" if len(regions) == 6 else ", ".join(regions),
        profile.status,
        f"`{profile.successor}`" if profile.successor else "none",
    ]


def _rate(profile: Profile) -> str:
    return "unknown" if profile.tokens_per_s is None else f"{profile.tokens_per_s:g}"


def _overview() -> list[list[str]]:
    rows = []
    for names, purpose in _PURPOSES:
        profile = PROFILES[names[0]]
        quoted = ", ".join(f"`{name}`" for name in names)
        rows.append([quoted, purpose, " ".join(_length(profile.max_clip_s)), profile.status])
    return rows


def _choices(*, chinese: bool) -> list[list[str]]:
    units = {"h": "小时", "min": "分钟", "s": "秒"} if chinese else {}
    rows = []
    for english, other, model in _CHOICES:
        profile = PROFILES.get(model)
        number, unit = _length(profile.max_clip_s) if profile else (str(_HOURS_OF_JOBS), "h")
        regions = profile.regions if profile else PROFILES["qwen-audio-3.1-asr-flash"].regions
        places = "、" if chinese else ", "
        where = places.join(f"`{it}`" for it in regions)
        if len(regions) == 6:
            where = "全部 6 个" if chinese else "all 6"
        rows.append(
            [
                other if chinese else english,
                f"`{model}`",
                where,
                f"{number} {units.get(unit, unit)}",
            ]
        )
    return rows


def _regions() -> list[list[str]]:
    """One row for all regions that have the same models, of those to begin something with."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for region in get_args(Region):
        names = (
            f"`{name}`"
            for name, profile in PROFILES.items()
            if region in profile.regions
            and profile.status != "uncertain"
            and not _DATED.search(name)
        )
        rows.setdefault(tuple(names), []).append(f"`{region}`")
    return [[", ".join(regions), ", ".join(names)] for names, regions in rows.items()]


def _prices(cells: Callable[[Prices], list[str]]) -> list[list[str]]:
    """One row for all models, and for all regions, that have the same prices."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, by_region in PRICES.items():
        regions: dict[tuple[str, ...], list[str]] = {}
        for region, prices in by_region.items():
            regions.setdefault(tuple(cells(prices)), []).append(f"`{region}`")
        for row, places in regions.items():
            if row:
                rows.setdefault((", ".join(places), *row), []).append(f"`{name}`")
    return [[", ".join(names), *row] for row, names in rows.items()]


def _hour(name: str) -> Decimal:
    """Compute what an hour of audio costs as input, in Beijing."""
    prices, rate = PRICES[name]["cn-beijing"], PROFILES[name].tokens_per_s
    if isinstance(prices, SecondPrice):
        return prices.second * 3600
    return (prices.audio_in or Decimal(0)) * Decimal(rate or 0) * 3600 / 1_000_000


def _hours() -> list[list[str]]:
    return [[f"`{name}`", f"{_hour(name):.2f} CNY"] for name in sorted(_COMPARED, key=_hour)]


def _shown(prices: tuple[Decimal | None, ...]) -> list[str]:
    return ["–" if it is None else str(it) for it in prices]


def _of_input(prices: Prices) -> list[str]:
    if isinstance(prices, SecondPrice):
        return []
    return _shown((prices.text_in, prices.audio_in, prices.image_in, prices.cached_in))


def _of_output(prices: Prices) -> list[str]:
    if isinstance(prices, SecondPrice):
        return []
    return _shown((prices.text_out, prices.mixed_text_out, prices.audio_out, prices.batch_factor))


def _of_seconds(prices: Prices) -> list[str]:
    return [] if isinstance(prices, TokenPrices) else [str(prices.second)]


def _rate_limits(profile: Profile) -> list[str]:
    return [_count(profile.requests_per_minute), _count(profile.tokens_per_minute)]


def _jobs() -> list[list[str]]:
    """One row for all models that have the same parameters."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, model in JOB_MODELS.items():
        rows.setdefault(model.parameters, []).append(f"`{name}`")
    return [[", ".join(names), ", ".join(f"`{it}`" for it in row)] for row, names in rows.items()]


TABLES: dict[str, Callable[[], str]] = {
    "overview": lambda: write_table(("model", "for", "a clip", "state"), _overview()),
    "choices": lambda: write_table(
        ("you want", "model", "regions", "longest recording"), _choices(chinese=False)
    ),
    "choices-zh": lambda: write_table(("需求", "模型", "地域", "最长录音"), _choices(chinese=True)),
    "limits": lambda: write_table(
        ("model", "tokens in", "tokens out", "tokens a second", "a clip", "clips a message"),
        _by_profile(_limits),
    ),
    "inputs": lambda: write_table(
        ("model", "text", "system message", "history", "images", "a video"), _by_profile(_inputs)
    ),
    "protocols": lambda: write_table(
        ("model", "protocol", "streams only"), _by_profile(_protocols)
    ),
    "abilities": lambda: write_table(
        ("model", "speaks", "thinks", "tools", "JSON mode", "search"), _by_profile(_abilities)
    ),
    "states": lambda: write_table(("model", "regions", "state", "successor"), _by_profile(_states)),
    "regions": lambda: write_table(("region", "models"), _regions()),
    "hours": lambda: write_table(("model", "an hour of audio"), _hours()),
    "rate-limits": lambda: write_table(
        ("model", "requests per minute", "tokens per minute"), _by_profile(_rate_limits)
    ),
    "input-prices": lambda: write_table(
        ("model", "region", "text", "audio", "images, video", "cached"), _prices(_of_input)
    ),
    "output-prices": lambda: write_table(
        ("model", "region", "text", "text, mixed input", "speech", "batch"), _prices(_of_output)
    ),
    "second-prices": lambda: write_table(("model", "region", "a second"), _prices(_of_seconds)),
    "retired": lambda: write_table(
        ("name", "successor"), ([f"`{name}`", f"`{next_}`"] for name, next_ in RETIRED.items())
    ),
    "jobs": lambda: write_table(("model", "parameters"), _jobs()),
    "elsewhere": lambda: write_table(
        ("name", "what the service does with it", "what this package has instead"),
        (
            [names, it.service, it.instead]
            for names, it in zip(OTHER_NAMES, OTHER_WAYS, strict=True)
        ),
    ),
}


def with_tables(text: str) -> str:
    """Write a page with its tables up to date."""
    return _TABLE.sub(lambda found: found[1] + "\n" + TABLES[found[2]]() + "\n" + found[3], text)


def main() -> None:
    """Rewrite the tables of all pages."""
    for page in PAGES:
        path = ROOT / page
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
