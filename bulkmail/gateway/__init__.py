"""Text messages over HTTP: the other end of the same road."""

from bulkmail.gateway.reach import reach
from bulkmail.gateway.transport import GatewayTransport

__all__ = ["GatewayTransport", "reach"]
