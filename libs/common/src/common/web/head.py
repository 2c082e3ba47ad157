"""HTTP with a bound on the head of a request, which is read before anybody knows who asks."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Twice what nginx takes by default; a Kubernetes token and the cookies of a proxy come to some 10 KiB.
LARGEST_HEAD_BYTES = 64 * 1024

_BODY = b'{"type": "about:blank", "title": "Request Header Fields Too Large", "status": 431}'
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_BODY), _BODY)
)


class BoundedHead(HttpToolsProtocol):
    """Answers 431 and hangs up when a request's line and headers do not come to an end within 64 KiB.

    The read in which a head begins is not counted, since it may hold the body of the request before; nor is the one in
    which it ends.
    """

    _head_bytes = 0
    _in_head = False

    def data_received(self, data: bytes) -> None:
        went_on = self._in_head
        super().data_received(data)
        if went_on and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD_BYTES and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes, self._in_head = 0, True

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
