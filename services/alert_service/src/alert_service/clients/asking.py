"""One request to another system: bounded in time and size, with one error for "ask again" and one for "no"."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import httpx
import msgspec
from pydantic import TypeAdapter, ValidationError

TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 64 << 20  # 10,000 alerts with long annotations are some ten megabytes
_LONGEST_DETAIL = 300
_Shape = TypeVar("_Shape")
Params = Mapping[str, str | Sequence[str]]


class Unavailable(Exception):
    """It does not answer, or not as it should; the same request may succeed later."""


class Refused(Exception):
    """It answered that it will not; the message says why, in its own words where it gave any."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Asking:
    """Asks one system. `name` is what messages call it, `variable` the setting with its token."""

    def __init__(
        self, url: str, token: str, *, name: str, variable: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._name = name
        self._variable = variable
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(None, connect=TIMEOUT_SECONDS),  # the whole answer has one of its own
            transport=transport,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> bytes:
        """The body of a good answer. Raises Unavailable and Refused."""
        try:
            async with asyncio.timeout(timeout_seconds):
                async with self._http.stream(
                    method, path.lstrip("/"), params=params, json=content, headers=headers
                ) as answer:
                    body = await self._whole(answer)
        except TimeoutError:
            raise Unavailable(f"{self._name} did not answer within {timeout_seconds:g} s") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"{self._name} does not answer: {str(error) or type(error).__name__}") from error
        if answer.is_success:
            return body
        raise self._bad(answer.status_code, body)

    async def ask_for(self, shape: TypeAdapter[_Shape], path: str, *, params: Params | None = None) -> _Shape:
        """A good answer in this shape. Raises Unavailable and Refused."""
        body = await self.ask("GET", path, params=params)
        return self.read(shape, body)

    async def ask_for_each(self, item: TypeAdapter[_Shape], path: str, *, params: Params | None = None) -> list[_Shape]:
        """A good answer that is a list of any length, of items in this shape. Raises Unavailable and Refused."""
        body = await self.ask("GET", path, params=params)
        return await asyncio.to_thread(self._each, item, body)

    def _each(self, item: TypeAdapter[_Shape], body: bytes) -> list[_Shape]:
        """One by one, in a thread: ten thousand read at once would hold up whoever clicks."""
        return [self.read(item, bytes(each)) for each in self.decoded(list[msgspec.Raw], body)]

    def decoded(self, shape: type[_Shape], body: bytes) -> _Shape:
        """Fast, and told in fewer words what is wrong. Raises Unavailable for what has another shape."""
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unavailable(f"{self._name} answers otherwise than it should: {error}") from None

    def read(self, shape: TypeAdapter[_Shape], body: bytes) -> _Shape:
        """Raises Unavailable for what has another shape."""
        try:
            return shape.validate_json(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise Unavailable(f"{self._name} answers otherwise than it should: {where}: {first['msg']}") from None

    async def _whole(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > _MOST_BYTES:
                raise Unavailable(f"{self._name} answers with more than {_MOST_BYTES >> 20} MiB")
        return bytes(body)

    def _bad(self, status: int, body: bytes) -> Unavailable | Refused:
        said = _said(body)
        if status == httpx.codes.UNAUTHORIZED:
            return Refused(status, f"{self._name} does not know the token in {self._variable}")
        if status >= 500 or status in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT}:
            return Unavailable(f"{self._name} answers {status}: {said}")
        return Refused(status, said or f"{self._name} answers {status}")


def _said(body: bytes) -> str:
    """The words of an error: of a problem (RFC 9457), of Prometheus, or a plain text as Alertmanager's."""
    text = body[: 16 << 10].decode(errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    if isinstance(found, dict):
        found = found.get("detail") or found.get("error") or found.get("message") or ""
    return " ".join(str(found).split())[:_LONGEST_DETAIL]
