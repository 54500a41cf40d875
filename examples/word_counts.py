"""Embeddings that count words, so that examples run with no key; use a real model instead."""

import re
import zlib

from langchain_core.embeddings import Embeddings


class WordCounts(Embeddings):
    """Texts that share words are near each other."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Count the words of each text, in 1,024 bins."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Count the words of a text, in 1,024 bins."""
        counts = [0.0] * 1024
        for word in re.findall(r"\w{4,}", text.lower()):  # of four letters or more
            counts[zlib.crc32(word.encode()) % 1024] += 1.0
        return counts
