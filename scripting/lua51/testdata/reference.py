"""Runs Lua programs with the reference implementation, through lupa.

Reads programs from standard input, each as a big-endian 32-bit length and that
many bytes, and writes what each printed in the same form.
"""
import struct
import sys

import lupa.lua51

RUN = rb"""
local _, loadstring, sethook = ...
local select, tostring, concat, pcall = select, tostring, table.concat, pcall
return function(source)
  local out = {}
  function print(...)
    local line = {}
    for i = 1, select("#", ...) do line[i] = tostring((select(i, ...))) end
    out[#out + 1] = concat(line, "\t")
  end
  sethook(function() error("too many instructions", 0) end, "", 5000000)
  local f, message = loadstring(source, "=p.lua")
  if not f then
    out[#out + 1] = "load: " .. message
  else
    local ok, value = pcall(f)
    if not ok then out[#out + 1] = "error: " .. tostring(value) end
  end
  sethook()
  return concat(out, "\n")
end
"""


def run(source):
    lua = lupa.lua51.LuaRuntime(encoding=None, max_memory=256 << 20)
    g = lua.globals()
    runner = lua.compile(RUN)(None, g[b"loadstring"], g[b"debug"][b"sethook"])
    g[b"python"] = None
    try:
        return runner(source)
    except lupa.lua51.LuaMemoryError:
        return b"error: not enough memory"


def main():
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while True:
        head = stdin.read(4)
        if len(head) < 4:
            return
        (size,) = struct.unpack(">I", head)
        result = run(stdin.read(size))
        stdout.write(struct.pack(">I", len(result)) + result)


main()
