"""Is the emulator the bottleneck? Ten thousand live runs, and as many requests as a core can serve.

The client is as thin as possible: a few kept TLS connections that write ready-made requests and count answers.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from benchmarks.processes import Emulator, cores, emulator

RUNS = 10_000
ITEMS = 500
CONNECTIONS = 8


def measure(requests: int = 20_000, fill: int = 200_000, more: int = 50_000) -> dict[str, Any]:
    """Return what the emulator can serve.

    :param requests: of each kind that is timed.
    :param fill: requests that its log keeps.
    :param more: requests after that, over which its memory is compared.
    """
    with emulator(quotas={"job_scheduler": None}) as server:
        os.sched_setaffinity(0, {cores()[1]})
        try:
            runs = server.start_runs(RUNS, ITEMS, [3600, 7200])
            token = server.control("POST", "tokens/issue", {})["access_token"]
            gets = [f"/v1/workspaces/{w}/items/{i}/jobs/instances/{j}" for w, i, j in runs]
            lists = sorted({path.rpartition("/")[0] for path in gets})
            kinds = {
                "Get of an instance": _load(server, token, gets, requests),
                f"List of {RUNS // ITEMS} instances": _load(server, token, lists, requests // 4),
            }
            mixed = _load(
                server, token, [path for pair in zip(gets, lists * 20, strict=False) for path in pair], requests
            )
            _load(server, token, gets, fill)
            before = server.resident()
            _load(server, token, gets, more)
            growth = 100 * (server.resident() / before - 1)
        finally:
            os.sched_setaffinity(0, set(cores()))
    return {"kinds": kinds, "per_second": mixed["per_cpu_second"], "growth_percent": growth, "resident": before}


def _load(server: Emulator, token: str, paths: list[str], count: int) -> dict[str, float]:
    busy, began = server.processor(), time.perf_counter()
    asyncio.run(_send(server, token, paths, count))
    took, busy = time.perf_counter() - began, server.processor() - busy
    return {"per_cpu_second": count / busy, "per_second": count / took, "mean_ms": 1000 * took * CONNECTIONS / count}


async def _send(server: Emulator, token: str, paths: list[str], count: int) -> None:
    context = ssl.create_default_context(cafile=server.ca_bundle)
    address = urlsplit(server.connection["host"])
    numbers = iter(range(count))

    async def one() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port, ssl=context)
        for number in numbers:
            path = paths[number % len(paths)]
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode("latin-1"))
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


if __name__ == "__main__":
    print(measure())
