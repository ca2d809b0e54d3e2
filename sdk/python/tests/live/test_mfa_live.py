"""`MFA` in a real application behind the real gateway, with an app that pyotp stands for."""

from __future__ import annotations

import os
import re
import time
from urllib.parse import urljoin, urlsplit

import pyotp
import pytest
from browser import Browser, Form
from stage import PASSWORD, Stage, visitor_address

pytestmark = pytest.mark.skipif(
    not os.environ.get("TUTELA_BIN"), reason="no program: set TUTELA_BIN to the file of `tutela`"
)

ADA = "ada@example.com"


@pytest.fixture
def stage(tmp_path):
    stage = Stage(os.path.abspath(os.environ["TUTELA_BIN"]), tmp_path)
    try:
        stage.start()
        stage.account(ADA)
        yield stage
    finally:
        stage.stop()


@pytest.fixture
def browser():
    browser = Browser(visitor_address())
    yield browser
    browser.close()


def set_up_app(stage, browser) -> pyotp.TOTP:
    """What a person does with a phone: reads the secret off the page, and types the first code."""
    page = browser.open(f"{stage.own}/account/app").text
    secret = re.search(r"<code>([A-Z2-7 ]{32,})</code>", page).group(1).replace(" ", "")
    app, form = pyotp.TOTP(secret), Form(page)
    answer = browser.send("POST", urljoin(stage.own, form.action), form={**form.fields, "code": app.now()})
    assert "Your recovery codes" in answer.text
    return app


def follow(browser, answer, at, code):
    """Goes wherever it leads, and types what is asked for; where it ended, and how often a code was."""
    asked = 0
    for _ in range(10):
        if answer.is_redirect:
            at = urljoin(at, answer.headers["location"])
            answer = browser.open(at)
        elif urlsplit(at).path.startswith("/sign-in"):
            form = Form(answer.text)
            asked += "code" in form.fields
            # A step-up counts nothing of an earlier sign-in: the password first, then the code.
            typed = {"code": code()} if "code" in form.fields else {"password": PASSWORD}
            at = urljoin(at, form.action)
            answer = browser.send("POST", at, form={**form.fields, **typed})
        else:
            return answer, at, asked
    raise AssertionError(f"no end of redirects at {at}")


def test_one_factor_gets_401_with_the_way_to_the_second_and_then_the_handler(stage, browser):
    vault = f"{stage.app}/secure/vault"
    # Signed in with a password alone: the handler is not reached, and the answer says what would do.
    browser.sign_in_at(f"{stage.own}/account", ADA, PASSWORD)
    listing = f"{stage.app}/secure/list"
    follow(browser, browser.open(listing), listing, None)
    refused = browser.open(vault, accept="application/json")
    assert refused.status_code == 401, refused.text
    assert (
        "step-up" in refused.text
        and "insufficient_user_authentication" in refused.headers["www-authenticate"]
    )

    app = set_up_app(stage, browser)
    # A code is good once: the one that set it up is spent, the next one is for the vault.
    answer, at, asked = follow(browser, browser.open(vault), vault, lambda: app.at(time.time() + 30))
    assert (answer.status_code, at, asked) == (200, vault, 1), answer.text
    assert answer.json() == {"status": "opened"}
    # And from then on nothing is asked, until five minutes are over.
    again = browser.open(vault, accept="application/json")
    assert (again.status_code, again.json()) == (200, {"status": "opened"})
