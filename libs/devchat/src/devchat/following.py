"""A person who opens a link and presses the button on the page."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


@dataclass(slots=True)
class Page:
    """What a link led to. `form` is empty where there is nothing to press."""

    url: str
    status: int
    text: str
    action: str = ""
    form: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)  # fields that a person fills in


async def look(http: httpx.AsyncClient, url: str) -> Page:
    """Opens it, and presses nothing."""
    answer = await http.get(url, headers={"User-Agent": BROWSER})
    page = Page(str(answer.url), answer.status_code, answer.text)
    _Form(page).feed(answer.text)
    return page


async def confirm(http: httpx.AsyncClient, page: Page, by: str, **fields: str) -> Page:
    """Presses the button of the page's form. Fields that nobody names are filled in with `by`."""
    form = {**page.form, **dict.fromkeys(page.empty, by), **fields}
    headers = {"User-Agent": BROWSER, "Origin": str(httpx.URL(page.url).copy_with(raw_path=b"/")).rstrip("/")}
    answer = await http.post(page.action or page.url, data=form, headers=headers)
    return Page(str(answer.url), answer.status_code, answer.text)


class _Form(HTMLParser):
    """The first form that posts."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page, self._inside = page, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form" and not self._page.action and has.get("method", "").lower() == "post":
            self._inside = True
            self._page.action = urljoin(self._page.url, has.get("action", ""))
        elif self._inside and tag in ("input", "textarea", "button") and (name := has.get("name")):
            self._take(name, has)

    def _take(self, name: str, has: dict[str, str]) -> None:
        if has.get("value"):
            self._page.form.setdefault(name, has["value"])
        elif has.get("type", "text") in ("text", "email"):
            self._page.empty.append(name)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
