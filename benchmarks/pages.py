"""Lines of the table → docs/performance.md and its Chinese twin, between two comments."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
_TABLE = re.compile(r"(<!-- measured -->\n).*?(<!-- end of what was measured -->)", re.DOTALL)

# A phrase comes before those that are a part of it.
CHINESE = {
    "| | this package | otherwise | limit | ratio | target | |": (
        "| | 本包 | 否则 | 极限 | 比值 | 目标 | |"
    ),
    "`invoke`, a short message": "`invoke`，一条短消息",
    "`stream`, 50 fragments": "`stream`，50 个 chunk",
    "`ainvoke` at once, 100 ms of service time": "个 `ainvoke` 同时进行，服务用时 100 ms",
    "`astream` at once: the longest that the event loop is late": (
        "个 `astream` 同时开始：事件循环最长的延迟"
    ),
    "`astream` at once: until the first fragment, median": (
        "个 `astream` 同时开始：到第一个 chunk，中位数"
    ),
    "`astream` at once: until all have ended": "个 `astream` 同时开始：到全部结束",
    "importing LangChain and the SDK": "导入 LangChain 和 SDK",
    "| import |": "| 导入 |",
    "an 8 MB clip, inline": "8 MB 的音频，内联",
    "bytes sent of a 16 s, 48 kHz stereo WAV": "16 s 的 48 kHz 立体声 WAV 发送的字节数",
    ", one turn": "，一轮",
    "10 turns, uploaded": "10 轮，上传",
    "× the file": "× 文件",
    "first byte of a 5 s recording of a phone": "手机录的 5 s 录音的第一个字节",
    ", new process": "，新进程",
    ", later ones": "，之后的录音",
    "MP3s of a minute through `batch`, two cores": "个一分钟的 MP3，用 `batch`，两个核",
    "memory meanwhile, worker processes included": "其间的内存，包括 worker 进程",
    "on one core": "在一个核上",
    "one core": "一个核",
    "an hour through the loader, 1 s of service time, 8 segments at once": (
        "一小时的录音用 loader，服务用时 1 s，同时 8 个片段"
    ),
    "memory of a file of 12 hours, worker processes included": (
        "12 小时的文件所用的内存，包括 worker 进程"
    ),
    "a file of 1 hour": "1 小时的文件",
    "audio tokens of 60 minutes of prompts with pauses, `skip_silence`": (
        "60 分钟带停顿的语音提示的音频 token，`skip_silence`"
    ),
    "with the silence": "含静音",
    "the speech alone": "仅语音",
    "10 turns about 5 minutes of sound, `AudioMiddleware`: its ": (
        "关于 5 分钟声音的 10 轮对话，`AudioMiddleware`："
    ),
    "10 turns about 5 minutes of sound, `AudioMiddleware`": (
        "关于 5 分钟声音的 10 轮对话，`AudioMiddleware`"
    ),
    "10 turns": "10 轮",
    "the history as it is": "原样的历史",
    "input tokens": "输入 token",
    ": sent": "：发送",
    ": cost": "：费用",
    "live voice, 20 sessions": "实时语音，20 个会话",
    "live voice": "实时语音",
    "an audio frame out and back": "一个音频帧往返",
    "what is added": "增加的时间",
    "processor time": "处理器时间",
    "end of speech to the first event": "从说话结束到第一个事件",
    "99th percentile": "第 99 百分位",
    "median": "中位数",
    "bare aiohttp": "裸 aiohttp",
    "clips on Ray Data, two workers, 1 s of service time": (
        "Ray Data 上的音频，两个 worker，服务用时 1 s"
    ),
    "one worker": "一个 worker",
    "clips/s": "段/s",
    "LangChain's floor": "LangChain 自身",
    "ten lines over aiohttp": "aiohttp 上的十行",
    " segments ÷": " 个片段 ÷",
    "not measured": "未测量",
    ", x86_64,": "，x86_64，",
    " cores": " 个核",
    "**missed**": "**未达到**",
    "met": "达到",
}


def write_pages(lines: list[str]) -> None:
    """Write the table into both pages."""
    text = "\n".join(lines)
    _replace(DOCS / "performance.md", text)
    for english, chinese in CHINESE.items():
        text = text.replace(english, chinese)
    _replace(DOCS / "performance.zh.md", text)


def _replace(page: Path, text: str) -> None:
    before = page.read_text(encoding="utf-8")
    after = _TABLE.sub(lambda found: f"{found[1]}{text}\n{found[2]}", before)
    page.write_text(after, encoding="utf-8")
