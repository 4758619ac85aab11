"""The floor: asyncio and msgpack, and as little else as an RPC server can have. Answers [0, msgid, "echo", [data, n]]
with data n times. It ends with its stdin.
"""

import asyncio
import sys

import msgpack


async def serve(reader, writer):
    unpacker = msgpack.Unpacker()
    while data := await reader.read(65536):
        unpacker.feed(data)
        for _, msgid, _, (value, times) in unpacker:
            writer.write(msgpack.packb([1, msgid, None, value * times]))
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.buffer.read)


asyncio.run(main())
