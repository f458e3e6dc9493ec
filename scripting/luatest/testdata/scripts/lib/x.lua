local x = {}

function x.f()
  error("boom")
end

function x.unused(n)
  n = n + 1
  return n
end

return x
