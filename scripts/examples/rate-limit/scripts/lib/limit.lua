-- Counts in kv, which all virtual machines of a realm share and reloads leave
-- alone. A counter ends by itself, seconds after it has begun.

local limit = {}

-- Counts one more of name, and tells whether that is within most.
function limit.take(name, most, seconds)
  return kv.incr("limit." .. name, 1, seconds) <= most
end

-- Tells whether another one of name would be within most.
function limit.left(name, most)
  return (kv.get("limit." .. name) or 0) < most
end

return limit
