"""Where requests go, and with which key."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Endpoint:
    """One address of the service, as one account uses it."""

    base_url: str
    api_key: str = field(repr=False)
    workspace: str = ""

    @property
    def upload_url(self) -> str:
        """Where policies of uploads are: on the native path, whichever format requests have."""
        return f"{self.base_url.replace('/compatible-mode/v1', '/api/v1')}/uploads"

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say so, for requests that the SDK does not make."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return headers | ({"X-DashScope-WorkSpace": self.workspace} if self.workspace else {})
