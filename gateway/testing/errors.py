"""What a test did with the edge that cannot be done."""

from __future__ import annotations

from gateway.errors import GatewayError


class EdgeMisused(GatewayError):
    """A test asks the edge for something it cannot do; says which value is wrong and what would do."""

    status, code, fault = 400, 90_090, "client"

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message
