"""Who gets behind `@mfa.require`, the same on Nexios, Starlette and FastAPI."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from apps import VAULTS
from fake import ACCOUNT
from test_frameworks import is_problem

PAGE = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")]
vaults = pytest.mark.parametrize("path", VAULTS)


def two(fake, method="otp", **claims):
    """Somebody who proved a password and something else."""
    return fake.token(**{"acr": "aal2", "amr": ["mfa", method, "pwd"], **claims})


def challenge_of(answer):
    assert is_problem(answer, 401, "mfa-required")
    assert answer.headers["cache-control"] == "no-store"
    return way(answer.json()["challenge"])


def way(location):
    parts = urlsplit(location)
    assert (parts.scheme, parts.netloc, parts.path) == ("", "", "/_tutela/step-up")
    return {name: value for name, [value] in parse_qs(parts.query, strict_parsing=True).items()}


def led(answer):
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content == b""
    return way(answer.headers["location"])


@vaults
async def test_nobody_has_to_sign_in_first(browse, path):
    for headers in ((), PAGE):
        answer = await browse(path, headers=headers)
        assert is_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "tutela-identity"


@vaults
async def test_two_factors_are_enough(browse, fake, path):
    answer = await browse(path, two(fake))
    assert answer.status_code == 200
    assert answer.json() == {"open": ACCOUNT}


@vaults
async def test_one_factor_is_told_the_way(browse, fake, path):
    asked = {"return_to": f"{path}?drawer=7&x=a%20b", "acr": "aal2", "factors": "2"}
    for accepted in ("application/json", "text/plain, */*"):
        answer = await browse(asked["return_to"], fake.token(), headers=[("accept", accepted)])
        assert challenge_of(answer) == asked
    assert answer.headers["www-authenticate"] == (
        'Bearer error="insufficient_user_authentication", acr_values="aal2"'
    )


@vaults
async def test_a_browser_is_led_there_and_comes_back(browse, fake, path):
    asked = led(await browse(f"{path}?drawer=7", fake.token(), headers=PAGE))
    assert asked == {"return_to": f"{path}?drawer=7", "acr": "aal2", "factors": "2"}
    assert (await browse(asked["return_to"], two(fake), headers=PAGE)).json() == {"open": ACCOUNT}


async def test_a_browser_that_asks_for_the_head_alone_is_led_too(browse, fake):
    assert led(await browse("/vault", fake.token(), method="HEAD", headers=PAGE))["return_to"] == "/vault"


@pytest.mark.parametrize(
    ("referer", "expected"),
    [
        ("http://photos.localhost/form?id=7", "/form?id=7"),
        ("http://PHOTOS.localhost", "/"),
        ("http://elsewhere.localhost/form", "/"),
        ("http://photos.localhost:81/form", "/"),
        ("http://photos.localhost@elsewhere.localhost/form", "/"),
        ("http://photos.localhost//elsewhere.localhost/", "/"),
        ("http://[", "/"),
        ("/form", "/"),
        (None, "/"),
    ],
)
async def test_who_sent_a_form_is_told_and_comes_back_to_the_form(browse, fake, referer, expected):
    headers = PAGE if referer is None else [*PAGE, ("referer", referer)]
    answer = await browse("/vault?x=1", fake.token(), method="POST", headers=headers)
    assert challenge_of(answer)["return_to"] == expected
    assert (await browse("/vault", two(fake), method="POST", headers=headers)).json() == {"open": ACCOUNT}


async def test_two_referers_are_none(browse, fake):
    same = ("referer", "http://photos.localhost/form")
    answer = await browse("/vault", fake.token(), method="POST", headers=[same, same])
    assert challenge_of(answer)["return_to"] == "/"


@vaults
async def test_a_method_that_is_not_accepted_is_no_second_factor(browse, fake, path):
    assert (await browse(path, two(fake, "sms"))).status_code == 200
    just_now, before = int(time.time()), int(time.time()) - 600
    asked = {"return_to": path, "acr": "aal2", "factors": "2", "max_age": "60"}
    # `aal2` all the same: the server would take it for enough, so a new proof is asked for.
    other = two(fake, "face", auth_time=before)
    assert challenge_of(await browse(path, other)) == asked
    assert led(await browse(path, other, headers=PAGE)) == asked
    # Whoever comes back with the same is told; being led again would never end.
    answer = await browse(path, two(fake, "face", auth_time=just_now), headers=PAGE)
    assert challenge_of(answer) == asked
    assert "`totp`, `sms`, a passkey" in answer.json()["detail"]


@vaults
@pytest.mark.parametrize(
    ("declared", "status"),
    [
        ({"providers": ["totp"], "remember_device": True}, 200),
        ({"providers": ["totp"]}, 200),
        ({"providers": ["totp"], "remember_device": False}, 401),
    ],
)
async def test_a_remembered_device_is_accepted_or_not(browse, fake, path, declared, status):
    fake.identity["mfa"]["remember_device"] = declared.get("remember_device", True)
    token = fake.token(amr=["pwd", "remembered"])
    assert (await browse(path, token)).status_code == status
    if status == 401:
        assert led(await browse(path, token, headers=PAGE))["factors"] == "2"


@vaults
@pytest.mark.parametrize("declared", [{"providers": ["totp"], "max_age": "5m"}, {"max_age": 300}])
async def test_a_proof_of_long_ago_is_asked_for_again(browse, fake, path, declared):
    now = int(time.time())
    assert (await browse(path, two(fake, auth_time=now - 290))).status_code == 200
    answer = await browse(path, two(fake, auth_time=now - 310))
    assert challenge_of(answer)["max_age"] == "300"
    assert answer.headers["www-authenticate"].endswith(', max_age="300"')
    assert led(await browse(path, two(fake, auth_time=now - 310), headers=PAGE))["max_age"] == "300"


@vaults
@pytest.mark.parametrize("declared", [{"required_factors": 1}])
async def test_one_factor_is_enough_where_one_is_asked_for(browse, fake, path, declared):
    fake.identity["mfa"]["required_factors"] = 1
    assert (await browse(path, fake.token())).json() == {"open": ACCOUNT}
    assert is_problem(await browse(path), 401, "unauthenticated")


@vaults
async def test_tokens_of_before_these_claims_are_one_factor(browse, fake, path):
    old = fake.token(acr=None, amr=None, auth_time=None)
    assert (await browse("/me", old)).status_code == 200
    assert is_problem(await browse(path, old), 401, "mfa-required")


async def test_a_permission_is_asked_for_besides(browse, fake):
    fake.grants.add((ACCOUNT, "photos:delete", None))
    assert (await browse("/vault/7", two(fake))).json() == {"open": "7"}
    assert is_problem(await browse("/vault/7", fake.token()), 401, "mfa-required")
    fake.grants.clear()
    assert is_problem(await browse("/vault/7", two(fake)), 403, "forbidden")


# === What was declared ===


@vaults
@pytest.mark.parametrize(
    ("declared", "server"),
    [
        ({"providers": ["totp", "sms"]}, {"providers": ["totp"]}),
        ({"required_factors": 2}, {"required_factors": 1}),
        ({"remember_device": True}, {"remember_device": False}),
    ],
)
async def test_where_the_server_asks_for_other_factors_nobody_gets_in(browse, fake, path, declared, server):
    fake.identity["mfa"] |= server
    assert is_problem(await browse(path), 401, "unauthenticated")
    answer = await browse(path, two(fake))
    assert is_problem(answer, 500, "internal")
    assert "mfa" not in answer.text, "how the instance is set up is nobody's business"
    assert (await browse("/me", two(fake))).status_code == 200


@pytest.mark.parametrize("path", ["/", "/me", "/plain", *VAULTS])
@pytest.mark.parametrize(
    ("session_config", "server"),
    [
        ({"timeout": 3600}, {"timeout": 1800}),
        ({"refresh_enabled": True}, {"refresh_enabled": False}),
        ({"secure": True}, {"secure": False}),
        ({"http_only": True}, {"http_only": False}),
        ({"access_token": "15m"}, {"access_token": "1h"}),
    ],
)
async def test_where_sessions_are_otherwise_nobody_signed_in_gets_in(
    browse, fake, path, session_config, server
):
    fake.identity["session"] |= server
    answer = await browse(path, two(fake))
    assert is_problem(answer, 500, "internal")
    assert next(iter(session_config)) not in answer.text
    assert (await browse("/")).status_code == 200


@pytest.mark.parametrize("path", ["/me", *VAULTS])
@pytest.mark.parametrize("session_config", [{"timeout": 3600, "access_token": "900s"}])
async def test_where_everything_is_as_declared_it_is_compared_once(browse, fake, path, session_config):
    for _ in range(3):
        assert (await browse(path, two(fake))).status_code == 200
    asked = [path for _, path, _ in fake.requests].count("/v1/identity/settings")
    assert asked == (1 if path == "/me" else 2), "once for sessions, once for factors"


@vaults
@pytest.mark.parametrize("session_config", [{}, {"timeout": 3600}])
async def test_while_the_server_is_gone_nobody_gets_in_and_afterwards_again(
    browse, fake, path, session_config
):
    # The keys are known already; only the settings are not.
    assert (await browse("/")).status_code == 200
    fake.answers = [None, 503, 503]
    assert is_problem(await browse(path, two(fake)), 503, "unavailable")
    assert (await browse(path, two(fake))).status_code == 200
    fake.down = True
    assert (await browse(path, two(fake))).status_code == 200
