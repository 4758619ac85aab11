"""aio-msgpack-rpc, as PyPI has it."""

import asyncio
import json
import sys

import aio_msgpack_rpc
from aio_msgpack_rpc.error import RPCResponseError


async def main(port: int) -> None:
    client = aio_msgpack_rpc.Client(*await asyncio.open_connection("127.0.0.1", port))
    ready = (await client.call("server.health"))["ready"]
    try:
        await client.call("terrain.chunk", {"seed": 7, "size": 5000})
    except RPCResponseError as refused:
        code = refused.args[0][0]
    height = (await client.call("terrain.chunk", {"seed": 7, "x": -40, "size": 16}))["height"]
    client.close()
    print(json.dumps({"ready": ready, "code": code, "shape": height["shape"], "data": height["data"].hex()}))


asyncio.run(main(int(sys.argv[1])))
