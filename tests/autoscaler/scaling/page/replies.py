"""A server that gives one answer, whatever it is asked."""

from aiohttp import web


def replying(body: bytes, **headers: str) -> web.Application:
    """Return an application that answers every GET with ``body``."""

    async def reply(_request):
        return web.Response(body=body, content_type="application/json", headers=headers)

    application = web.Application()
    application.router.add_get("/{path:.*}", reply)
    return application
