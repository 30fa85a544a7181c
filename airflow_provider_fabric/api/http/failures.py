"""From an exception of an HTTP library to what it means for the request: was it sent, and can a repetition help?

Written once for ``requests`` and ``httpx``: both wrap the same causes (a refused connection, a name that does not
resolve, a certificate that is not trusted), and name their own exceptions alike. Messages are ours, so that no
library's text, with a URL or a proxy's password in it, gets into a log.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from airflow_provider_fabric.api.http.flow import TransportFailure

_UNSENT = frozenset({"ConnectTimeout", "ConnectTimeoutError", "NewConnectionError", "ConnectError", "PoolTimeout"})
_MALFORMED = frozenset(
    {"InvalidURL", "InvalidSchema", "MissingSchema", "InvalidHeader", "UnsupportedProtocol", "LocalProtocolError"}
)
_TEMPORARY_NAME_ERRORS = frozenset({socket.EAI_AGAIN})


def failure_of(
    error: BaseException,
    host: str,
    *,
    proxied: bool = False,
    field: str = "host",
    before: BaseException | None = None,
) -> TransportFailure:
    """Return what an exception of an HTTP library means.

    :param error: the exception.
    :param host: the host that was called, for the message.
    :param proxied: the connection names a proxy, so that it may be to blame.
    :param field: the connection's field that names the host.
    :param before: the exception that was being handled when the request began, from ``sys.exc_info()``. Python links
        it as ``__context__``; it and what it wraps say nothing about this request.
    """
    chain = list(_chain(error, before))
    names = {base.__name__ for link in chain for base in type(link).__mro__}
    via = " through the proxy of the field 'proxies'" if proxied else ""
    return (
        _certificate(chain, host, via)
        or _proxy(chain, names, host)
        or _name(chain, host, field, proxied)
        or _connection(chain, names, host, via)
    )


def _certificate(chain: list[BaseException], host: str, via: str) -> TransportFailure | None:
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            why = getattr(link, "verify_message", None) or "verification failed"
            reason = (
                f"the certificate of {host}{via} is not trusted ({why}). If a company proxy or the emulator signs it, "
                "set the connection's extra field 'verify' to the path of its CA bundle."
            )
            return TransportFailure(reason, unsent=True, permanent=True)
    if any(isinstance(link, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(link) for link in chain):
        reason = f"{host}{via} does not speak TLS on this port. Check http:// or https://, and the port."
        return TransportFailure(reason, unsent=True, permanent=True)
    return None


def _proxy(chain: list[BaseException], names: set[str], host: str) -> TransportFailure | None:
    """Tell a proxy that opened no connection from one whose connection broke later: urllib3 calls both ProxyError."""
    if "ProxyError" not in names:
        return None
    refused = any(
        isinstance(link, ConnectionRefusedError | socket.gaierror)
        or str(link).startswith("Tunnel connection failed")
        or (type(link).__name__ == "ProxyError" and type(link).__module__.startswith(("httpx", "httpcore")))
        for link in chain
    )
    if not refused and not names & _UNSENT:
        return None
    reason = f"the proxy did not open a connection to {host}. Check the extra field 'proxies', or HTTPS_PROXY."
    return TransportFailure(reason, unsent=True)


def _name(chain: list[BaseException], host: str, field: str, proxied: bool) -> TransportFailure | None:
    for link in chain:
        if isinstance(link, socket.gaierror):
            if link.errno in _TEMPORARY_NAME_ERRORS:
                return TransportFailure(f"the name {host} could not be resolved for now.", unsent=True)
            fields = f"'{field}' or 'proxies'" if proxied else f"'{field}'"
            reason = f"the name {host} does not resolve. Check the connection's field {fields}."
            return TransportFailure(reason, unsent=True, permanent=True)
    return None


def _connection(chain: list[BaseException], names: set[str], host: str, via: str) -> TransportFailure:
    if any(isinstance(link, ConnectionRefusedError) for link in chain):
        return TransportFailure(f"{host} refused the connection{via}.", unsent=True)
    if names & _MALFORMED:
        return TransportFailure(
            f"the request to {host} was rejected by the HTTP library as malformed.", unsent=True, permanent=True
        )
    if {"ConnectTimeout", "ConnectTimeoutError"} & names:
        return TransportFailure(f"{host} did not accept a connection in time{via}.", unsent=True)
    if names & _UNSENT:
        return TransportFailure(f"no connection to {host} could be made{via}.", unsent=True)
    if any(name.endswith(("ReadTimeout", "ReadTimeoutError", "WriteTimeout", "TimeoutException")) for name in names):
        return TransportFailure(f"{host} did not answer in time.", unsent=False)
    return TransportFailure(f"the connection to {host} broke before the answer was complete.", unsent=False)


def _chain(error: BaseException, before: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and everything that it wraps, and stop where ``before`` begins."""
    earlier = {id(link) for link in _linked(before, set())} - {id(error)}
    return _linked(error, earlier)


def _linked(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    """Yield an exception and everything that it wraps, in whatever way its library does that."""
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop()
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
        waiting += list(getattr(link, "exceptions", ()))
