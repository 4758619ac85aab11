"""The msgpack session of pynvim, Neovim's client for Python, as PyPI has it."""

import json
import sys

from pynvim.msgpack_rpc import tcp_session


class Refused(Exception):
    """`args` is what the error of the response held."""


session = tcp_session("127.0.0.1", int(sys.argv[1]))
session.error_wrapper = lambda error: Refused(*error)
ready = session.request("server.health")["ready"]
try:
    session.request("terrain.chunk", {"seed": 7, "size": 5000})
except Refused as refused:
    code = refused.args[0]
height = session.request("terrain.chunk", {"seed": 7, "x": -40, "size": 16})["height"]
session.close()
print(json.dumps({"ready": ready, "code": code, "shape": height["shape"], "data": height["data"].hex()}))
