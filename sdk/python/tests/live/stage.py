"""tutela as a program of its own, with the application of `secure_app.py` behind its gateway.

Everything stands in one temporary folder and on ports that were free a moment before. Only processes
that were started here are ended.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

PASSWORD = "a few plain words in a row"


@contextmanager
def started(folder: Path, settings: str, *scopes: str) -> Iterator[Stage]:
    """A running instance and its API key; the test is skipped where no program is named."""
    if not os.environ.get("TUTELA_BIN"):
        pytest.skip("no program: set TUTELA_BIN to the file of `tutela`")
    made = Stage(os.path.abspath(os.environ["TUTELA_BIN"]), folder, settings)
    try:
        made.start_tutela()
        made.api_key = made.key(*scopes)
        yield made
    finally:
        made.stop()


class Stage:
    """A configured instance and its application; `start` runs both. `settings` are further TOML."""

    def __init__(self, program: str, folder: Path, settings: str = "") -> None:
        self.program, self.folder = program, folder
        port, admin_port, self.app_port = free_ports(3)
        self.own = f"http://tutela.localhost:{port}"
        self.app = f"http://app.localhost:{port}"
        # Has what the operator does besides; not everything of the API is on the own host.
        self.admin = f"http://console.tutela.localhost:{admin_port}"
        self.tutela: Process | None = None
        self.nexios: Process | None = None
        self._keys = 0
        self._config = folder / "tutela.toml"
        self._socket = folder / "data/admin.sock"
        routes = "".join(
            f'[[gateway.routes]]\nname = "{AUDIENCE}"\nhost = "app.localhost"\npath = "{path}"\n'
            f'upstream = "http://127.0.0.1:{self.app_port}"\nrequire = "{require}"\n'
            for path, require in (("/", "public"), ("/secure", "signed-in"))
        )
        self._config.write_text(
            f'data = "data"\n'
            f'[server]\nlisten = "127.0.0.1:{port}"\npublic_url = "{self.own}"\n'
            f'[admin]\nlisten = "127.0.0.1:{admin_port}"\n'
            f'admin_url = "{self.admin}"\n'
            f'[log]\nlevel = "warn"\n'
            # The cheapest hashing there is: these passwords guard nothing.
            f'[identity]\nproviders = ["oauth2", "openid", "saml"]\n[identity.password]\nmemory_kib = 64\npasses = 1\nallow_weak_for_tests = true\n'
            f"{routes}{settings}"
        )

    def start(self) -> None:
        """Start tutela and the application."""
        self.start_tutela()
        self.start_app(self.key(*SCOPES))

    def start_tutela(self) -> None:
        """Start tutela and wait until it is ready."""
        command = [self.program, "--config", str(self._config), "serve"]
        self.tutela = Process(command, self.folder / "tutela.log", environment())
        self.tutela.wait_until(lambda: self.operator("GET", "/readyz").is_success)

    def start_app(self, api_key: str) -> None:
        """Start the application, in place of one that runs, and wait until it answers."""
        self.stop_app()
        given = {"TUTELA_URL": self.own, "TUTELA_API_KEY": api_key, "TUTELA_AUDIENCE": AUDIENCE}
        here = Path(__file__).parent
        command = [sys.executable, "-m", "uvicorn", "secure_app:app", "--app-dir", str(here)]
        command += ["--host", "127.0.0.1", "--port", str(self.app_port)]
        self.nexios = Process(command, self.folder / "app.log", environment(given))
        self.nexios.wait_until(lambda: self.past_the_gateway("/").is_success)

    def past_the_gateway(self, path: str, identity: str | None = None) -> httpx.Response:
        """Ask the application directly, which only the gateway could do in a real installation."""
        headers = {} if identity is None else {"tutela-identity": identity}
        return httpx.get(f"http://127.0.0.1:{self.app_port}{path}", headers=headers, timeout=30.0)

    def operator(self, method: str, path: str, body: object = None) -> httpx.Response:
        """A request over the admin socket, on which the operator may do everything."""
        transport = httpx.HTTPTransport(uds=str(self._socket))
        with httpx.Client(transport=transport, base_url="http://admin.sock", timeout=20.0) as http:
            return http.request(method, path, json=body)

    def account(self, email: str, *roles: str) -> str:
        """Make an account with `PASSWORD`; returns its id."""
        body = {"email": email, "name": email, "password": PASSWORD, "roles": list(roles)}
        return self._made("/v1/accounts", body)["id"]

    def key(self, *scopes: str) -> str:
        """Issue an API key."""
        self._keys += 1
        return self._made("/v1/clients", {"name": f"client {self._keys}", "scopes": list(scopes)})["api_key"]

    def _made(self, path: str, body: object) -> dict:
        answer = self.operator("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def stop_app(self) -> None:
        """Stop the application, if it runs."""
        if self.nexios is not None:
            self.nexios.stop()
            self.nexios = None

    def stop_tutela(self) -> int | None:
        """Stop tutela, if it runs; returns its exit code."""
        code = None if self.tutela is None else self.tutela.stop()
        self.tutela = None
        return code

    def stop(self) -> None:
        """Stop what runs."""
        try:
            self.stop_app()
        finally:
            self.stop_tutela()


class Process:
    """A process that was started here, its output in a file."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str], *, group: bool = False) -> None:
        self._log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0 if group else None,
            )
        # With `group` it leads one of its own, and what it starts itself is stopped with it.
        self._group = self._child.pid if group else None

    def wait_until(self, ready, within: float = 60.0) -> None:
        """Ask `ready` again and again until it says yes; ends the process where that takes too long."""
        end = time.monotonic() + within
        while time.monotonic() < end and self._child.poll() is None:
            try:
                if ready():
                    return
            except httpx.TransportError:
                pass
            time.sleep(POLL_S)
        self.stop()
        raise AssertionError(f"it did not start:\n{self._log.read_text(errors='replace')[-4000:]}")

    def stop(self) -> int:
        """Ask it to end, make it end if it does not; returns the exit code."""
        self._signal(signal.SIGTERM)
        try:
            code = self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            code = self._child.wait(STOP_S)
        self._signal(signal.SIGKILL)
        return code

    def _signal(self, number: int) -> None:
        if self._group is None:
            self._child.send_signal(number)  # Nothing, where it has ended.
            return
        try:
            os.killpg(self._group, number)
        except ProcessLookupError:
            pass


def free_ports(count: int) -> list[int]:
    """Different ports that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def visitor_address() -> str:
    """An address of this machine that is not the gateway's, where there is one."""
    try:
        socket.create_server(("127.0.0.2", 0)).close()
    except OSError:
        return "127.0.0.1"
    return "127.0.0.2"


def environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """Ours, without settings of tutela that would change what is tested, and without proxies."""
    proxies = {"http_proxy", "https_proxy", "all_proxy"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TUTELA_") and name.lower() not in proxies
    }
    # The application imports the same package as the tests, installed or not.
    paths = [str(Path(__file__).parents[2]), kept.get("PYTHONPATH", "")]
    kept["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return {**kept, **(more or {})}


AUDIENCE = "app"
# What the application needs.
SCOPES = ("permissions:check", "events:write")
STOP_S = 20.0
POLL_S = 0.05
