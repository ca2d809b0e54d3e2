"""A Nexios application as its author would write it; `stage.py` runs it with uvicorn.

/              public; tells what the gateway said about the visitor
/secure        for administrators; what they do is recorded
/secure/list   for administrators; nothing is recorded, so the permission alone decides
/secure/vault  for whoever proved two factors within five minutes
"""

from __future__ import annotations

from nexios import NexiosApp

from tutela import MFA, Guard, PermissionDenied, SecurityManager

security = SecurityManager(
    auth_providers=["oauth2", "saml", "openid"],
    session_config={"timeout": 3600, "refresh_enabled": True, "secure": True, "http_only": True},
)

mfa = MFA(providers=["totp"], max_age="5m")

app = NexiosApp()
app.wrap_asgi(Guard, security=security)


@app.get("/")
async def index(request, response):
    identity = request.headers.get("tutela-identity")
    return response.json({"id": request.user.id, "email": request.user.email, "identity": identity})


@app.get("/secure")
@security.authenticate
async def secure(request):
    user = request.user
    if not await security.has_permission(user, "admin"):
        raise PermissionDenied("for administrators")
    await security.audit_log.record(
        "secure_access", user=user, action="admin_operation", resource="sensitive_data"
    )
    return {"status": "success"}


@app.get("/secure/list")
@security.require("admin")
async def listing(request):
    return {"status": "listed"}


@app.get("/secure/vault")
@mfa.require
async def vault(request):
    return {"status": "opened"}
