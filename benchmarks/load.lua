-- Gets the paths of a file at random, or posts its bodies in turn, each with a slug of its own; answers JSON at the end.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  method, path, prefix, count, lines = args[1], args[2], args[4] .. "-" .. number .. "-", 0, {}
  for line in io.lines(args[3]) do
    lines[#lines + 1] = method == "POST" and line or wrk.format("GET", line)
  end
  math.randomseed(os.time() + number)
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  if method == "GET" then
    return lines[math.random(#lines)]
  end
  count = count + 1
  -- A line is an object that was left open.
  return wrk.format("POST", path, nil, lines[count % #lines + 1] .. ', "slug": "' .. prefix .. count .. '"}')
end

function done(summary, latency)
  local e = summary.errors
  local form = '\n{"rate": %.1f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n'
  io.write(form:format(summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end
