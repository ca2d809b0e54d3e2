"""One small application, written three times.

/          public; says who is there
/me        any signed-in person
/admin     asks the server, records, and answers with a dict
/plain     a handler that is not async
/delete/7  needs a permission, has a path parameter

/vault         whoever proved enough: signing in outside, as is usual
/vault/turned  the same, the other way round
/vault/alone   without `authenticate`
/vault/plain   a handler that is not async
/vault/7       needs a permission besides, has a path parameter
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from nexios import NexiosApp
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from tutela import Guard, PermissionDenied, current_user

FRAMEWORKS = ["nexios", "starlette", "fastapi"]


VAULTS = ["/vault", "/vault/turned", "/vault/alone", "/vault/plain"]


def make_app(framework, security, mfa):
    return {"nexios": nexios, "starlette": starlette, "fastapi": fastapi}[framework](security, mfa)


def described(user):
    return {"id": user.id, "name": user.name, "in": user.is_authenticated, "roles": list(user.roles)}


async def administer(security, user):
    if not await security.has_permission(user, "admin"):
        raise PermissionDenied("for administrators")
    await security.audit_log.record(
        "secure_access", user=user, action="admin_operation", resource="sensitive_data", ticket=7
    )
    return {"status": "success"}


def nexios(security, mfa):
    app = NexiosApp()
    app.wrap_asgi(Guard, security=security)

    @app.get("/")
    async def index(request, response):
        return response.json(described(request.user))

    @app.get("/me")
    @security.authenticate
    async def me(request, response):
        return response.json(described(request.user))

    @app.get("/admin")
    @security.authenticate
    async def admin(request):
        return await administer(security, request.user)

    @app.get("/plain")
    @security.authenticate
    def plain(request):
        return {"name": current_user().name}

    @app.get("/delete/{photo}")
    @security.require("photos:delete")
    async def delete(request, photo):
        return {"deleted": photo}

    @app.route("/vault", methods=["GET", "POST"])
    @security.authenticate
    @mfa.require
    async def vault(request):
        return {"open": request.user.id}

    @app.get("/vault/turned")
    @mfa.require
    @security.authenticate
    async def turned(request):
        return {"open": request.user.id}

    @app.get("/vault/alone")
    @mfa.require
    async def alone(request, response):
        return response.json({"open": request.user.id})

    @app.get("/vault/plain")
    @security.authenticate
    @mfa.require
    def plain_vault(request):
        return {"open": current_user().id}

    @app.get("/vault/{drawer}")
    @mfa.require
    @security.require("photos:delete")
    async def drawer(request, drawer):
        return {"open": drawer}

    return app


def starlette(security, mfa):
    async def index(request):
        return JSONResponse(described(request.user))

    @security.authenticate
    async def me(request):
        return JSONResponse(described(request.user))

    @security.authenticate
    async def admin(request):
        return JSONResponse(await administer(security, request.user))

    @security.authenticate
    def plain(request):
        return JSONResponse({"name": current_user().name})

    @security.require("photos:delete")
    async def delete(request):
        return JSONResponse({"deleted": request.path_params["photo"]})

    async def opened(request):
        return JSONResponse({"open": request.user.id})

    def plainly_opened(request):
        return JSONResponse({"open": current_user().id})

    @mfa.require
    @security.require("photos:delete")
    async def drawer(request):
        return JSONResponse({"open": request.path_params["drawer"]})

    routes = [Route("/", index), Route("/me", me), Route("/admin", admin), Route("/plain", plain)]
    routes.append(Route("/delete/{photo}", delete))
    routes += [
        Route("/vault", security.authenticate(mfa.require(opened)), methods=["GET", "POST"]),
        Route("/vault/turned", mfa.require(security.authenticate(opened))),
        Route("/vault/alone", mfa.require(opened)),
        Route("/vault/plain", security.authenticate(mfa.require(plainly_opened))),
        Route("/vault/{drawer}", drawer),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, security=security)])


def fastapi(security, mfa):
    app = FastAPI()
    app.add_middleware(Guard, security=security)

    @app.get("/")
    async def index(request: Request):
        return described(request.user)

    @app.get("/me")
    @security.authenticate
    async def me(request: Request):
        return described(request.user)

    @app.get("/admin")
    @security.authenticate
    async def admin(request: Request):
        return await administer(security, request.user)

    @app.get("/plain")
    @security.authenticate
    def plain():
        return {"name": current_user().name}

    @app.get("/delete/{photo}")
    @security.require("photos:delete")
    async def delete(photo: str):
        return {"deleted": photo}

    @app.api_route("/vault", methods=["GET", "HEAD", "POST"])
    @security.authenticate
    @mfa.require
    async def vault(request: Request):
        return {"open": request.user.id}

    @app.get("/vault/turned")
    @mfa.require
    @security.authenticate
    async def turned(request: Request):
        return {"open": request.user.id}

    @app.get("/vault/alone")
    @mfa.require
    async def alone():
        return {"open": current_user().id}

    @app.get("/vault/plain")
    @security.authenticate
    @mfa.require
    def plain_vault(request: Request):
        return {"open": request.user.id}

    @app.get("/vault/{drawer}")
    @mfa.require
    @security.require("photos:delete")
    async def drawer(drawer: str):
        return {"open": drawer}

    return app
