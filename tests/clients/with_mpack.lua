-- The RPC session of lua-mpack, as Debian has it, over LuaSocket.
local mpack = require "mpack"
local socket = require "socket"

local connection = assert(socket.connect("127.0.0.1", tonumber(arg[1])))
connection:settimeout(0)
local session = mpack.Session { unpack = mpack.Unpacker() }

-- Gives the error and the result.
local function call(method, ...)
  assert(connection:send(session:request() .. mpack.pack(method) .. mpack.pack { ... }))
  while true do
    socket.select({ connection }, nil)
    local whole, why, part = connection:receive(65536)
    assert(whole or why == "timeout", why)
    local data, position = whole or part, 1
    while position <= #data do
      local kind, _, failure, result
      kind, _, failure, result, position = session:receive(data, position)
      if kind == "response" then return failure, result end
    end
  end
end

local function hex(data)
  return (data:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local _, health = call "server.health"
local refused = call("terrain.chunk", { seed = 7, size = 5000 })
local _, chunk = call("terrain.chunk", { seed = 7, x = -40, size = 16 })
local shape = table.concat(chunk.height.shape, ", ")
print(
  ('{"ready": %s, "code": %d, "shape": [%s], "data": "%s"}')
    :format(tostring(health.ready), refused[1], shape, hex(chunk.height.data))
)
