"""A number and a noun → the two as text: "1 recording", "2 recordings". Pure."""


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
