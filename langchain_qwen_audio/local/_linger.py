"""The socket option with which closing is a TCP RST."""

import struct
import sys

# struct linger {on, 0 seconds}: closing then discards what is unsent and sends a TCP RST.
LINGER_0 = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
