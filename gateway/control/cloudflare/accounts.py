"""Who the caller is, the account's services, and what a Worker is referenced by (wrangler-api, section 5)."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.control.bindings import DURABLE_OBJECT
from gateway.control.cloudflare.envelope import PREFIX, Json
from gateway.control.cloudflare.parts import ACCOUNT, SCRIPT, WORKERS, CloudflareParts, Handlers
from gateway.control.cloudflare.requests import answer, asked, author_of, paged, read_object, text_of
from gateway.control.cloudflare.shapes import (
    SUBDOMAIN,
    author_id,
    bindings_shape,
    last_deployed_from,
    namespaces_shape,
    subdomain_shape,
)
from gateway.control.refusals import NotServed

ACCOUNT_ID: Final = "local"
ACCOUNT_NAME: Final = "Local gateway"
_SERVICE: Final = f"{WORKERS}/services/{{script}}"
_ENVIRONMENT: Final = f"{_SERVICE}/environments/{{environment}}"


def routes(parts: CloudflareParts) -> list[web.RouteDef]:
    """Return the routes of accounts and services."""
    accounts = _Accounts(parts)
    return [
        web.get(f"{PREFIX}/user", accounts.user),
        web.get(f"{PREFIX}/user/tokens/verify", accounts.verify),
        web.get(f"{ACCOUNT}/tokens/verify", accounts.verify),
        web.get(f"{PREFIX}/accounts", accounts.accounts),
        web.get(ACCOUNT, accounts.account),
        web.get(f"{PREFIX}/memberships", accounts.memberships),
        web.get(f"{WORKERS}/subdomain", accounts.subdomain),
        web.put(f"{WORKERS}/subdomain", accounts.put_subdomain),
        web.get(f"{WORKERS}/services", accounts.services),
        web.get(_SERVICE, accounts.service),
        web.delete(_SERVICE, accounts.delete_service),
        web.get(_ENVIRONMENT, accounts.environment),
        web.get(f"{_ENVIRONMENT}/bindings", accounts.bindings),
        web.get(f"{_ENVIRONMENT}/routes", accounts.routes),
        web.get(f"{_ENVIRONMENT}/subdomain", accounts.service_subdomain),
        web.get(f"{SCRIPT}/references", accounts.references),
        web.get(f"{WORKERS}/tails/by-consumer/{{script}}", accounts.nothing),
        web.get(f"{WORKERS}/durable_objects/namespaces", accounts.namespaces),
        web.get(f"{ACCOUNT}/containers/applications", accounts.nothing),
        web.get(f"{ACCOUNT}/storage/kv/namespaces", accounts.nothing),
    ]


class _Accounts(Handlers):
    # Who it is.

    async def user(self, request: web.Request) -> web.Response:
        """Say who sent the token."""
        email = author_of(request)
        return answer({"id": author_id(email), "email": email})

    async def verify(self, _request: web.Request) -> web.Response:
        """Find any token good."""
        return answer({"id": ACCOUNT_ID, "status": "active"})

    async def accounts(self, request: web.Request) -> web.Response:
        """List the one account; any other id works as well."""
        listed, info = paged(request, [_account(ACCOUNT_ID)])
        return answer(listed, info)

    async def account(self, request: web.Request) -> web.Response:
        """Show an account; there is any that is asked for."""
        return answer(_account(request.match_info["account"]))

    async def memberships(self, request: web.Request) -> web.Response:
        """List the one membership."""
        membership = {
            "id": ACCOUNT_ID,
            "status": "accepted",
            "account": _account(ACCOUNT_ID),
            "roles": ["Super Administrator - All Privileges"],
        }
        listed, info = paged(request, [membership])
        return answer(listed, info)

    async def subdomain(self, _request: web.Request) -> web.Response:
        """Tell the account's name under workers.dev."""
        return answer({"subdomain": SUBDOMAIN})

    async def put_subdomain(self, request: web.Request) -> web.Response:
        """Refuse another name than the one there is."""
        wanted = text_of(await read_object(request), "subdomain")
        if wanted != SUBDOMAIN:
            raise NotServed(f"another workers.dev subdomain ({wanted!r})", remedy=f"It is always {SUBDOMAIN!r}.")
        return answer({"subdomain": SUBDOMAIN})

    # Services.

    async def services(self, request: web.Request) -> web.Response:
        """List all Workers."""
        listed, info = paged(request, [self._service(one.name) for one in self.parts.workers.all()])
        return answer(listed, info)

    async def service(self, request: web.Request) -> web.Response:
        """Show a Worker as wrangler looks at it before each upload."""
        return answer(self._service(request.match_info["script"]))

    def _service(self, name: str) -> Json:
        record = self.parts.workers.find(name)
        state = self.state(record)
        environment = {
            "environment": "production",
            "created_on": state.created_on,
            "modified_on": state.modified_on,
            "script_tag": state.tag,
            "script": {
                "id": record.name,
                "tag": state.tag,
                "tags": state.settings.get("tags") or [],
                "last_deployed_from": last_deployed_from(record.latest),
                "created_on": state.created_on,
                "modified_on": state.modified_on,
                **({"migration_tag": state.migration_tag} if state.migration_tag else {}),
            },
        }
        return {
            "id": record.name,
            "created_on": state.created_on,
            "modified_on": state.modified_on,
            "default_environment": environment,
            "environments": [environment],
        }

    async def delete_service(self, request: web.Request) -> web.Response:
        """Delete a Worker."""
        await self.parts.workers.delete(self.record(request), force=asked(request, "force"))
        return answer(None)

    async def environment(self, request: web.Request) -> web.Response:
        """Show the one environment there is."""
        return answer(self._service(request.match_info["script"])["default_environment"])

    async def bindings(self, request: web.Request) -> web.Response:
        """Show the latest version's bindings."""
        record = self.record(request)
        return answer(bindings_shape(record.latest, self.state(record)))

    async def routes(self, request: web.Request) -> web.Response:
        """Show the routes set through the API."""
        state = self.state(self.record(request))
        return answer([{"pattern": pattern, "zone_name": ""} for pattern in state.routes])

    async def service_subdomain(self, request: web.Request) -> web.Response:
        """Show whether workers.dev is on."""
        return answer(subdomain_shape(self.state(self.record(request))))

    # What refers to what.

    async def references(self, request: web.Request) -> web.Response:
        """Tell which Workers bind this one; wrangler asks before it deletes."""
        record = self.record(request)
        uses = self.parts.workers.users_of(record.name)
        by_service = sorted({use.worker for use in uses if use.binding.kind != DURABLE_OBJECT})
        return answer(
            {
                "services": {
                    "incoming": [{"service": name, "environment": "production"} for name in by_service],
                    "outgoing": [],
                },
                "durable_objects": [
                    {
                        "service": use.worker,
                        "environment": "production",
                        "durable_object_namespace_name": f"{record.name}_{use.binding.options['class_name']}",
                    }
                    for use in uses
                    if use.binding.kind == DURABLE_OBJECT
                ],
                "dispatch_outbounds": [],
            }
        )

    async def namespaces(self, request: web.Request) -> web.Response:
        """List the Durable Object namespaces of all Workers."""
        states = map(self.state, self.parts.workers.all())
        listed, info = paged(request, [one for state in states for one in namespaces_shape(state)])
        return answer(listed, info)

    async def nothing(self, request: web.Request) -> web.Response:
        """Answer with an empty list: there is none of these."""
        nothing: list[Json] = []
        listed, info = paged(request, nothing)
        return answer(listed, info)


def _account(account_id: str) -> Json:
    return {"id": account_id, "name": ACCOUNT_NAME, "type": "standard"}
