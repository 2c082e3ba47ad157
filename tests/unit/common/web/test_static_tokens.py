import hashlib

import pytest

from common.web.auth import Scope
from common.web.static_tokens import StaticTokens, TokensInvalid, new_token

DIGEST = hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"ci:read:{DIGEST}", id="one entry"),
        pytest.param(f"  ci:read:{DIGEST.upper()}  \n", id="in capitals, with spaces around"),
        pytest.param(f"# the build\nci:read:{DIGEST} # until May\n\n", id="with comments and empty lines"),
        pytest.param(f"x:admin:{'0' * 64},ci:read:{DIGEST},", id="separated by commas"),
    ],
)
async def test_tokens_are_read_from_text(text: str) -> None:
    identity = await StaticTokens.parse(text).authenticate("abc")

    assert identity is not None
    assert (identity.name, identity.scopes) == ("ci", {Scope.READ})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("ci:read:hunter2", "entry 1 of 1 is not", id="a token in clear text"),
        pytest.param(f"ci:write:{DIGEST}", "entry 1 of 1 is not", id="a scope that is not there"),
        pytest.param(f"ci:read:{DIGEST},x,a:read:{DIGEST},y", "entry 2, 4 of 4 is not", id="two of four"),
    ],
)
def test_mistakes_are_named_by_their_place_and_not_repeated(text: str, message: str) -> None:
    with pytest.raises(TokensInvalid, match=message) as caught:
        StaticTokens.parse(text)

    assert "hunter2" not in str(caught.value)


async def test_no_tokens_let_no_one_in() -> None:
    assert await StaticTokens.parse("").authenticate("") is None


async def test_several_scopes_are_joined() -> None:
    identity = await StaticTokens.parse(f"ci:read+operate:{DIGEST}").authenticate("abc")

    assert identity is not None
    assert identity.scopes == {Scope.READ, Scope.OPERATE}


async def test_a_new_token_comes_with_the_entry_that_lets_it_in() -> None:
    token, entry = new_token("ci", Scope.OPERATE)

    assert token not in entry
    identity = await StaticTokens.parse(entry).authenticate(token)
    assert identity is not None
    assert identity.name == "ci"
    assert await StaticTokens.parse(entry).authenticate(token + "x") is None
    assert await StaticTokens.parse(entry).authenticate("\ud800") is None
