"""A client that behaves like a browser, as far as signing in and out needs one."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx

USER_AGENT = "Mozilla/5.0 (compatible; tutela tests)"
PAGE = "text/html,application/xhtml+xml,*/*;q=0.8"


class Browser:
    """Cookies stay with the host that set them, as `__Host-` asks. No redirect is followed by itself.

    `address` is the one it connects from.
    """

    def __init__(self, address: str) -> None:
        self.cookies: dict[str, dict[str, str]] = {}
        self._http = httpx.Client(
            transport=Loopback(address), timeout=20.0, headers={"user-agent": USER_AGENT}
        )

    def send(self, method, url, *, accept=PAGE, headers=None, form=None):
        """One request and its answer."""
        jar = self.cookies.setdefault(urlsplit(url).hostname, {})
        sent = {"accept": accept, **(headers or {})}
        if jar:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        if method == "POST":
            sent |= {"origin": origin_of(url), "sec-fetch-site": "same-origin"}
        answer = self._http.request(method, url, headers=sent, data=form)
        # Our own jar keeps them: the library's would hold back `Secure` cookies on plain http, where
        # browsers make an exception for localhost.
        self._http.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if value:
                jar[name] = value
            else:
                jar.pop(name, None)
        return answer

    def open(self, url, **more):
        """A GET, as `send`."""
        return self.send("GET", url, **more)

    def sign_in_at(self, url, email, password):
        """Open `url`, go wherever that leads, fill in the sign-in form, and go back.

        Returns the last answer and the addresses on the way to it.
        """
        way, answer, asked = [url], self.open(url), False
        for _ in range(LONGEST_WAY):
            if answer.is_redirect:
                assert answer.status_code == 303, f"{answer.status_code} at {way[-1]}"
                way.append(urljoin(way[-1], answer.headers["location"]))
                answer = self.open(way[-1])
            elif urlsplit(way[-1]).path == "/sign-in" and not asked:
                form = Form(answer.text)
                assert {"email", "password"} <= set(form.fields), answer.text
                asked = True
                way.append(urljoin(way[-1], form.action))
                fields = {**form.fields, "email": email, "password": password}
                answer = self.send("POST", way[-1], form=fields)
            else:
                return answer, way
        raise AssertionError(f"no end of redirects: {way}")

    def close(self):
        """Close the connections."""
        self._http.close()


class Loopback(httpx.BaseTransport):
    """Sends names under `.localhost` to this machine (RFC 6761 §6.3), which the C library does not do."""

    def __init__(self, address: str) -> None:
        self._inner = httpx.HTTPTransport(local_address=address)

    def handle_request(self, request):
        assert request.url.host.endswith(".localhost"), f"a redirect leads away: {request.url}"
        request.url = request.url.copy_with(host="127.0.0.1")
        return self._inner.handle_request(request)

    def close(self):
        self._inner.close()


class Form(HTMLParser):
    """The first form of a page: where it goes, and its fields with their values."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.fields, self._forms = "", {}, 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "form":
            self._forms += 1
        if self._forms != 1:
            return
        if tag == "form":
            assert (found["method"] or "").lower() == "post"
            self.action = found["action"]
        elif tag == "input" and found.get("name"):
            self.fields[found["name"]] = found.get("value") or ""


def origin_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


LONGEST_WAY = 8
