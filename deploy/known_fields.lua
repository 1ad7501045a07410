-- Refuses JSON with fields that the contract does not have: Envoy's transcoder leaves them out in silence, and a record
-- whose "visiblity" is RESTRICTED would be public. The build puts tables before this text, proto/generate_fields.py:
--   BODIES   "PATCH /v1/persons/*" -> the message that the body is
--   OPTIONAL messages that may be left out
--   FIELDS   message -> field, in both spellings -> the message below it, "*" for an Any, or false

local MAX_DEPTH = 100
local MAX_FOUND = 100

local function not_json(at, expected)
  error({at = at, expected = expected}, 0)
end

local function past_space(text, at)
  local c = text:byte(at)
  while c == 32 or c == 10 or c == 13 or c == 9 do
    at = at + 1
    c = text:byte(at)
  end
  return at
end

-- Behind the closing quote of the string that opens at `at`.
local function past_string(text, at)
  local i = at + 1
  while true do
    i = text:find('["\\]', i)
    if not i then not_json(at, "a closing quote") end
    if text:byte(i) == 34 then return i + 1 end
    i = i + 2
  end
end

-- The key at `at`, and where its value begins.
local function key_at(text, at)
  if text:byte(at) ~= 34 then not_json(at, "a field's name in double quotes") end
  local behind = past_string(text, at)
  local colon = past_space(text, behind)
  if text:byte(colon) ~= 58 then not_json(colon, "`:`") end
  return text:sub(at + 1, behind - 2), past_space(text, colon + 1)
end

-- Where the next member begins, or nil and what is behind the container.
local function next_member(text, at, close)
  at = past_space(text, at)
  local c = text:byte(at)
  if c == close then return nil, at + 1 end
  if c ~= 44 then not_json(at, ("`,` or `%s`"):format(string.char(close))) end
  return past_space(text, at + 1)
end

local function path_of(steps, depth, key)
  local path = {}
  for i = 1, depth - 1 do
    local step = steps[i]
    path[#path + 1] = type(step) == "number" and "[" .. step .. "]" or (#path > 0 and "." or "") .. step
  end
  path[#path + 1] = (#path > 0 and "." or "") .. key
  return table.concat(path)
end

local walk

-- The message that an Any says it is, wherever among its members.
local function message_of_any(text, at, depth)
  local name, behind
  while at do
    local key, value = key_at(text, at)
    behind = walk(text, value, nil, nil, nil, depth + 1)
    if key == "@type" then name = text:sub(value, behind - 1):match('^".*/detente%.v1%.(.*)"$') end
    at = next_member(text, behind, 125)
  end
  return name
end

-- Behind the value at `at`, which is a `message`, or nothing to look into. `steps` lead to it: keys, and indexes of lists.
-- Fields that are none go into `found`.
walk = function(text, at, message, steps, found, depth)
  if depth > MAX_DEPTH then not_json(at, "at most " .. MAX_DEPTH .. " levels") end
  local c = text:byte(at)
  if c == 123 then -- {
    local member, behind = past_space(text, at + 1), nil
    if text:byte(member) == 125 then return member + 1 end
    local any = message == "*"
    if any then message = message_of_any(text, member, depth) end
    local fields = message and FIELDS[message]
    while member do
      local key, value = key_at(text, member)
      local below = nil
      if fields then
        below = fields[key]
        if below == nil and not (any and key == "@type") and #found < MAX_FOUND then
          found[#found + 1] = {field = path_of(steps, depth, key), message = message, key = key}
        end
        steps[depth] = key
      end
      member, behind = next_member(text, walk(text, value, below or nil, steps, found, depth + 1), 125)
    end
    return behind
  elseif c == 91 then -- [
    local member, behind, index = past_space(text, at + 1), nil, 0
    if text:byte(member) == 93 then return member + 1 end
    while member do
      if message then steps[depth] = index end
      member, behind = next_member(text, walk(text, member, message, steps, found, depth + 1), 93)
      index = index + 1
    end
    return behind
  elseif c == 34 then -- "
    return past_string(text, at)
  end
  return text:match("^[%w.+-]+()", at) or not_json(at, "a value")
end

local function answer(handle, status, text)
  handle:streamInfo():dynamicMetadata():set("detente", "told", true)
  handle:respond({[":status"] = status, ["content-type"] = "application/json"}, text)
end

local function refuse(handle, message, reason, violations)
  local template = '{"code":3,"message":"%s","details":[%s'
    .. '{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"%s","domain":"detente"}]}'
  answer(handle, "400", template:format(message, violations, reason))
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local content = headers:get("content-type") or ""
  if content == "application/grpc" or content:find("^application/grpc%+") then
    handle:streamInfo():dynamicMetadata():set("detente", "grpc", true)
    return
  end
  local method = headers:get(":method")
  if method ~= "POST" and method ~= "PATCH" then return end
  local path = headers:get(":path"):match("^[^?]*"):gsub("^(/v1/[^/:]+/)[^/:]+", "%1*")
  local message = BODIES[method .. " " .. path]
  if not message then -- other spellings that the transcoder would take: an escaped letter, a slash at the end
    return answer(handle, "404", '{"code":5,"message":"no method has this path","details":[]}')
  end
  local body = handle:body()
  if not body or body:length() == 0 then
    return OPTIONAL[message] or refuse(handle, "a body is required", "MALFORMED_REQUEST", "")
  end
  local text = body:getBytes(0, body:length())

  local found = {}
  local ok, problem = pcall(function()
    local behind = past_space(text, walk(text, past_space(text, 1), message, {}, found, 1))
    if behind <= #text then not_json(behind, "the end") end
  end)
  if not ok then
    if type(problem) ~= "table" then error(problem, 0) end
    refuse(handle, ("the body is no JSON: at byte %d: %s expected"):format(problem.at - 1, problem.expected),
      "MALFORMED_REQUEST", "")
  elseif #found > 0 then
    local violations = {}
    for i, f in ipairs(found) do
      -- A key without its quotes is JSON text still, but for characters that JSON would have escaped.
      violations[i] = ('{"field":"%s","description":"%s has no field `%s`"}'):format(f.field, f.message, f.key)
        :gsub("%c", "?")
    end
    local first = found[1]
    refuse(handle, ("%s: %s has no field `%s`"):format(first.field, first.message, first.key):gsub("%c", "?"),
      "UNKNOWN_FIELD", '{"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":['
        .. table.concat(violations, ",") .. "]},")
  end
end
