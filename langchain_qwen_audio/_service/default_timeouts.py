"""How long a request may take where the user does not say, and at most."""

from __future__ import annotations

DEFAULT_TIMEOUT_S = 300.0  # the service itself cuts a call off after about as long
DEFAULT_TOTAL_TIMEOUT_S = 3600.0
MAX_TIMEOUT_S = 7 * 24 * 3600.0  # more is no limit, which sockets do not take
