"""Turns away requests that no route could want: bodies that are too large, and NUL characters in the URL."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.web.problems import Problem, request_id_of


class Limits:
    """ASGI middleware. The size counts for bodies that announce their length and for those that do not."""

    def __init__(self, app: ASGIApp, body_limit_bytes: int) -> None:
        self._app = app
        self._limit = body_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif problem := self._objection(scope):
            await problem.response(request_id_of(scope))(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _objection(self, scope: Scope) -> Problem | None:
        # PostgreSQL's text cannot hold a NUL, and no name in Kubernetes has one.
        if "\0" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
            return Problem(400, "the URL holds a NUL character")
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self._limit:  # digits only: the HTTP parser has seen to it
                return self._too_large()
        return None

    def _counted(self, receive: Receive) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > self._limit:
                    raise self._too_large()
            return message

        return counted

    def _too_large(self) -> Problem:
        # The server reads on and forgets the rest. To hang up meanwhile would be a reset: the client would not get the
        # answer, and try again and again.
        return Problem(413, f"the body is larger than {self._limit} bytes: send less at once (WEB__BODY_LIMIT_BYTES)")
