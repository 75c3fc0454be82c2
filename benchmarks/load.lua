-- Gets the paths of a file at random, or each once and in order; or posts its bodies in turn, each with a slug of its own. Answers JSON.
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  method, path, prefix, count, lines = args[1], args[2], args[4] .. "-" .. number .. "-", 0, {}
  -- In order: the line after which to begin, and among how many threads they are dealt.
  after, dealt = tonumber(args[5]), tonumber(args[6])
  for line in io.lines(args[3]) do
    lines[#lines + 1] = method == "POST" and line or wrk.format("GET", line)
  end
  math.randomseed(os.time() + number)
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  count = count + 1
  if after then
    -- Past the end it is the last one again; the count tells.
    return lines[math.min(after + number + 1 + (count - 1) * dealt, #lines)]
  end
  if method == "GET" then
    return lines[math.random(#lines)]
  end
  -- A line is an object that was left open.
  return wrk.format("POST", path, nil, lines[count % #lines + 1] .. ', "slug": "' .. prefix .. count .. '"}')
end

function done(summary, latency)
  local e, most = summary.errors, 0
  for _, thread in ipairs(threads) do
    most = math.max(most, thread:get("count"))
  end
  local form = '\n{"rate": %.1f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d, "asked": %d}\n'
  io.write(form:format(summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout, most * #threads))
end
