-- A client of the runtime for LÖVE 11, in one file: a piece of an endless world, a level that can be completed, and
-- somebody who walks through it. README.md says how to start it; the bytes are those of docs/protocol.md.
local socket = require "socket" -- comes with LÖVE

-- MessagePack, what of it the protocol needs. LÖVE unpacks numbers and strings; what is left is short enough to write
-- down, and then the folder runs wherever LÖVE does, with no library to install.

local NUMBERS = {
  [0xca] = ">f", [0xcb] = ">d", [0xcc] = ">I1", [0xcd] = ">I2", [0xce] = ">I4", [0xcf] = ">I8",
  [0xd0] = ">i1", [0xd1] = ">i2", [0xd2] = ">i4", [0xd3] = ">i8",
}
local BYTES = { [0xc4] = ">s1", [0xc5] = ">s2", [0xc6] = ">s4", [0xd9] = ">s1", [0xda] = ">s2", [0xdb] = ">s4" }
local ARRAYS = { [0xdc] = ">I2", [0xdd] = ">I4" }
local MAPS = { [0xde] = ">I2", [0xdf] = ">I4" }
local decode

local function decodeArray(data, at, count)
  local items = {}
  for index = 1, count do items[index], at = decode(data, at) end
  return items, at
end

local function decodeMap(data, at, count)
  local map, key = {}, nil
  for _ = 1, count do
    key, at = decode(data, at)
    map[key], at = decode(data, at)
  end
  return map, at
end

-- The value whose first byte is at `at`, and where the next one begins. nil and false are values like others.
function decode(data, at)
  local tag = data:byte(at)
  at = at + 1
  if tag < 0x80 then return tag, at end
  if tag < 0x90 then return decodeMap(data, at, tag - 0x80) end
  if tag < 0xa0 then return decodeArray(data, at, tag - 0x90) end
  if tag < 0xc0 then return data:sub(at, at + tag - 0xa1), at + tag - 0xa0 end
  if tag >= 0xe0 then return tag - 0x100, at end
  if tag == 0xc0 then return nil, at end
  if tag == 0xc2 or tag == 0xc3 then return tag == 0xc3, at end
  local format = NUMBERS[tag] or BYTES[tag]
  if format then return love.data.unpack(format, data, at) end
  format = ARRAYS[tag] or MAPS[tag]
  assert(format, "an extension type; the runtime sends none")
  local count, start = love.data.unpack(format, data, at)
  return (ARRAYS[tag] and decodeArray or decodeMap)(data, start, count)
end

-- A table with something at 1 is an array, any other a map.
local function encode(value)
  local kind, pack = type(value), love.data.pack
  if kind == "boolean" then return value and "\xc3" or "\xc2" end
  if kind == "string" then return pack("string", ">Bs4", 0xdb, value) end
  if kind == "number" then
    if value % 1 ~= 0 then return pack("string", ">Bd", 0xcb, value) end
    return pack("string", ">Bi4I4", 0xd3, math.floor(value / 2 ^ 32), value % 2 ^ 32) -- 64 bits in two halves
  end
  local parts = {}
  if value[1] ~= nil then
    for index, item in ipairs(value) do parts[index] = encode(item) end
    return pack("string", ">BI4", 0xdd, #parts) .. table.concat(parts)
  end
  for key, item in pairs(value) do parts[#parts + 1] = encode(key) .. encode(item) end
  return pack("string", ">BI4", 0xdf, #parts) .. table.concat(parts)
end

-- The connection. Nothing here waits: `update` sends and takes what the socket has room for or holds, once a frame.
-- Messages are length-prefixed, so a message is decoded when it is whole.

local RETRY_S = 2
local runtime = { host = "127.0.0.1", port = 7767, retryIn = 0, status = "", onOpen = function() end }

function runtime.open()
  runtime.socket = socket.tcp()
  runtime.socket:settimeout(0)
  runtime.socket:connect(runtime.host, runtime.port) -- says "timeout", and goes on in the background
  runtime.isOpen, runtime.toSend, runtime.lastId, runtime.waiting = false, "", 0, {}
  runtime.pieces, runtime.arrived, runtime.wanted = {}, 0, 4 -- bytes that arrived, and how many the next step needs
end

function runtime.lose(why)
  runtime.socket:close()
  runtime.socket, runtime.isOpen, runtime.retryIn, runtime.status = nil, false, RETRY_S, why
end

-- Ask; `answer(error, result)` is called when the response is there, with one of the two.
function runtime.call(method, params, answer)
  runtime.lastId = runtime.lastId + 1
  runtime.waiting[runtime.lastId] = answer
  local message = encode { 0, runtime.lastId, method, { params } }
  runtime.toSend = runtime.toSend .. love.data.pack("string", ">s4", message) -- its length, and then it
end

local function connected()
  local _, writable = socket.select(nil, { runtime.socket }, 0)
  if not writable[runtime.socket] then return false end
  if not runtime.socket:getpeername() then
    runtime.lose(("no runtime answers at %s:%d; start one with 'pcg serve'"):format(runtime.host, runtime.port))
    return false
  end
  runtime.isOpen, runtime.status = true, ""
  runtime.socket:setoption("tcp-nodelay", true)
  runtime.onOpen()
  return true
end

local function handle(message)
  local kind, msgid = message[1], message[2]
  if kind == 1 then
    local answer = runtime.waiting[msgid]
    runtime.waiting[msgid] = nil
    if answer then answer(message[3], message[4]) end
  elseif kind == 2 and message[2] == "error" then -- the runtime's last word before it closes
    runtime.lose(message[3][1].message)
  end
end

-- Decode what is whole of what arrived.
local function takeMessages()
  while runtime.socket and runtime.arrived >= runtime.wanted do
    local data = table.concat(runtime.pieces)
    if data:byte(1) ~= 0 then -- refused before it read a byte, and so with no prefix; or this is no runtime
      local isMessage, message = pcall(decode, data, 1)
      if isMessage and type(message) == "table" then handle(message) end
      return
    end
    local size = 4 + love.data.unpack(">I4", data)
    if #data >= size then
      runtime.pieces, runtime.arrived, runtime.wanted = { data:sub(size + 1) }, #data - size, 4
      handle((decode(data, 5)))
    else
      runtime.pieces, runtime.wanted = { data }, size
    end
  end
end

function runtime.update(dt)
  if not runtime.socket then
    runtime.retryIn = runtime.retryIn - dt
    if runtime.retryIn > 0 then return end
    runtime.open()
  end
  if not runtime.isOpen and not connected() then return end
  local sent, _, part = runtime.socket:send(runtime.toSend)
  runtime.toSend = runtime.toSend:sub((sent or part) + 1)
  local why
  repeat
    local whole, rest
    whole, why, rest = runtime.socket:receive(65536)
    local data = whole or rest
    runtime.pieces[#runtime.pieces + 1], runtime.arrived = data, runtime.arrived + #data
  until why
  takeMessages()
  if why == "closed" and runtime.socket then runtime.lose "the runtime closed the connection" end
end

-- Land: metres to colours, lit from the north-west.

local SIZE, LOD = 512, 1 -- pixels shown, of 180 m
local TINTS = { -- metres, and the colour there
  { -4000, 14, 38, 82 }, { -500, 40, 96, 150 }, { -40, 94, 163, 193 }, { -1, 160, 213, 215 }, { 0, 222, 208, 163 },
  { 22, 156, 181, 116 }, { 120, 112, 158, 92 }, { 700, 160, 173, 105 }, { 1600, 181, 152, 110 },
  { 2700, 150, 139, 128 }, { 3300, 246, 248, 252 }, { 12288, 246, 248, 252 },
}

local function tint(metres)
  local above = 2
  while TINTS[above][1] < metres and above < #TINTS do above = above + 1 end
  local low, high = TINTS[above - 1], TINTS[above]
  local part = math.max(0, math.min(1, (metres - low[1]) / (high[1] - low[1])))
  return low[2] + part * (high[2] - low[2]), low[3] + part * (high[3] - low[3]), low[4] + part * (high[4] - low[4])
end

-- The picture of a chunk without its outermost pixels, which the slopes of the others need.
local function shade(chunk)
  local rows, columns, bytes = chunk.height.shape[1], chunk.height.shape[2], chunk.height.data
  local function metres(x, y) -- "<u2", row by row
    local low, high = bytes:byte(2 * (y * columns + x) + 1, 2 * (y * columns + x) + 2)
    return (low + 256 * high) * chunk.scale + chunk.offset
  end
  local steep = 3 / (2 * chunk.meters_per_pixel) -- heights count threefold, or land looks flat
  local image = love.image.newImageData(columns - 2, rows - 2)
  image:mapPixel(function(x, y)
    local here = metres(x + 1, y + 1)
    local east = (metres(x + 2, y + 1) - metres(x, y + 1)) * steep
    local south = (metres(x + 1, y + 2) - metres(x + 1, y)) * steep
    local light = (0.5 * east + 0.5 * south + 0.7071) / math.sqrt(1 + east * east + south * south)
    local bright = 0.35 + 0.65 * math.max(0, light + 0.2) / 0.9071
    if here < 0 then bright = 1 + 0.25 * (bright - 1) end -- water shows little of its floor
    local red, green, blue = tint(here)
    return red * bright / 255, green * bright / 255, blue * bright / 255, 1
  end)
  return love.graphics.newImage(image)
end

-- A level of Sokoban, and its solution played step by step.

local STEPS = { u = { 0, -1, 0 }, l = { -1, 0, 1 }, d = { 0, 1, 2 }, r = { 1, 0, 3 } } -- and the sheet's row
local STEP_S, REST_S = 0.25, 2
local level

local function restart(result)
  level = { rows = result.rows, solution = result.solution, boxes = {}, done = 0, clock = 0, row = 2, result = result }
  level.x, level.y = result.start[1], result.start[2]
  level.fromX, level.fromY = level.x, level.y
  for y, row in ipairs(result.rows) do
    for x = 1, #row do
      local tile = row:sub(x, x)
      if tile == "$" or tile == "*" then level.boxes[#level.boxes + 1] = { x - 1, y - 1 } end
    end
  end
end

local function play(dt)
  level.clock = level.clock + dt
  if level.done == #level.solution then
    if level.clock > REST_S then restart(level.result) end
  elseif level.clock > STEP_S then
    level.clock, level.done = level.clock - STEP_S, level.done + 1
    local dx, dy, row = unpack(STEPS[level.solution:sub(level.done, level.done):lower()]) -- a push is a capital
    level.fromX, level.fromY, level.row = level.x, level.y, row
    level.x, level.y = level.x + dx, level.y + dy
    for _, box in ipairs(level.boxes) do
      if box[1] == level.x and box[2] == level.y then box[1], box[2] = box[1] + dx, box[2] + dy; break end
    end
  end
end

-- What there is to show, and asking for it.

local seed, place = 7, { x = 0, y = 0 } -- the place in world pixels of 90 m
local land, landError, levelError, sheet, sheetError, screenshot
local clock, shown = 0, 0

local function askForLand()
  local span = 2 ^ LOD
  local params = { seed = seed, x = place.x - span, y = place.y - span, size = SIZE + 2, lod = LOD }
  runtime.call("terrain.chunk", params, function(error, chunk)
    if error then landError = error[2] else land, landError = shade(chunk), nil end
  end)
end

local function askForAll()
  askForLand()
  runtime.call("levels.generate", { seed = seed, game = "sokoban" }, function(error, result)
    if error then levelError = error[2] else levelError = nil; restart(result) end
  end)
  runtime.call("characters.sheet", { seed = seed }, function(error, result)
    if error then
      sheet, sheetError = nil, ("no character: %s (error %d)"):format(error[2], error[1])
      return
    end
    local rows, columns = result.image.shape[1], result.image.shape[2] -- and 4, RGBA: as LÖVE has it
    sheetError = nil
    sheet = love.graphics.newImage(love.image.newImageData(columns, rows, "rgba8", result.image.data))
    sheet:setFilter("nearest", "nearest")
  end)
end

runtime.onOpen = askForAll

function love.load(arguments)
  local index = 1
  while arguments[index] do
    local word, following = arguments[index], arguments[index + 1]
    if word == "--seed" then seed, index = assert(tonumber(following), "--seed needs a number"), index + 1
    elseif word == "--screenshot" then screenshot, index = assert(following, "--screenshot needs a file"), index + 1
    else
      local host, port = word:match "^(.+):(%d+)$"
      runtime.host, runtime.port = assert(host, word .. " is not HOST:PORT"), tonumber(port)
    end
    index = index + 1
  end
end

-- With --screenshot: the picture once everything is there and the walk is under way, and then the end.
local function takeScreenshot(dt)
  if not (land and level and (sheet or sheetError)) then return end
  shown = shown + dt
  if shown < 1.5 then return end
  local path = screenshot
  screenshot = nil
  love.graphics.captureScreenshot(function(image)
    local file = assert(io.open(path, "wb"))
    file:write(image:encode("png"):getString())
    file:close()
    love.event.quit()
  end)
end

function love.update(dt)
  clock = clock + dt
  runtime.update(dt)
  if level then play(dt) end
  if screenshot then takeScreenshot(dt) end
end

function love.keypressed(key)
  local step = STEPS[({ up = "u", down = "d", left = "l", right = "r" })[key]]
  if key == "escape" then love.event.quit() end
  if not runtime.isOpen then return end
  if step then
    place.x, place.y = place.x + step[1] * SIZE / 2 * 2 ^ LOD, place.y + step[2] * SIZE / 2 * 2 ^ LOD
    askForLand()
  elseif key == "space" then
    seed = seed + 1
    askForAll()
  end
end

-- Drawing.

local LEFT, RIGHT, TOP = 16, 544, 48
local FLOOR, WALL, TARGET = { 0.45, 0.40, 0.34 }, { 0.27, 0.29, 0.36 }, { 0.95, 0.75, 0.25 }
local BOX, PERSON = { 0.72, 0.48, 0.24 }, { 0.85, 0.35, 0.35 }

-- One frame of the sheet, its feet (near the bottom of its 64 pixels) at x, y. Column 0 stands, 1 to 8 walk.
local function drawPerson(x, y, row, walking, scale)
  local column = walking and 1 + math.floor(clock * 10) % 8 or 0
  local quad = love.graphics.newQuad(64 * column, 64 * row, 64, 64, sheet:getDimensions())
  love.graphics.draw(sheet, quad, x, y, 0, scale, scale, 32, 60)
end

local function drawLevel(left, top, width, height)
  local columns, rows = #level.rows[1], #level.rows
  local tile = math.floor(math.min(width / columns, height / rows))
  left, top = left + math.floor((width - tile * columns) / 2), top + math.floor((height - tile * rows) / 2)
  for y, row in ipairs(level.rows) do
    for x = 1, columns do
      local sign, tileX, tileY = row:sub(x, x), left + (x - 1) * tile, top + (y - 1) * tile
      love.graphics.setColor(sign == "#" and WALL or FLOOR)
      love.graphics.rectangle("fill", tileX, tileY, tile - 1, tile - 1)
      if sign == "." or sign == "*" or sign == "+" then
        love.graphics.setColor(TARGET)
        love.graphics.circle("line", tileX + tile / 2, tileY + tile / 2, tile / 4)
      end
    end
  end
  for _, box in ipairs(level.boxes) do
    love.graphics.setColor(level.rows[box[2] + 1]:find("[.*+]", box[1] + 1) == box[1] + 1 and TARGET or BOX)
    love.graphics.rectangle("fill", left + box[1] * tile + 4, top + box[2] * tile + 4, tile - 9, tile - 9, 3)
  end
  local part = math.min(1, level.clock / STEP_S)
  local x = left + (level.fromX + part * (level.x - level.fromX) + 0.5) * tile
  local y = top + (level.fromY + part * (level.y - level.fromY) + 0.5) * tile
  if sheet then
    love.graphics.setColor(1, 1, 1)
    drawPerson(x, y + tile / 3, level.row, level.done < #level.solution, 1)
  else
    love.graphics.setColor(PERSON)
    love.graphics.circle("fill", x, y, tile / 4)
  end
end

function love.draw()
  love.graphics.clear(0.10, 0.11, 0.14)
  love.graphics.setColor(0.9, 0.9, 0.9)
  love.graphics.print(("seed %d at %d, %d"):format(seed, place.x, place.y), LEFT, 16)
  love.graphics.print("arrows travel, space takes the next seed, escape ends", RIGHT, 16)
  love.graphics.printf(runtime.status, LEFT, TOP + SIZE + 12, 1040)
  love.graphics.setColor(1, 1, 1)
  if land then love.graphics.draw(land, LEFT, TOP) end
  if sheet then
    for row = 0, 3 do drawPerson(RIGHT + 64 + 128 * row, TOP + SIZE, row, true, 2) end
  end
  if level then drawLevel(RIGHT, TOP, SIZE, 368) end
  love.graphics.setColor(1, 1, 1)
  love.graphics.printf(landError or land and "" or "asking for land", LEFT, TOP, SIZE)
  love.graphics.printf(levelError or level and "" or "asking for a level", RIGHT, TOP, SIZE)
  love.graphics.printf(sheetError or sheet and "" or "asking for a character", RIGHT, TOP + 400, SIZE)
end
