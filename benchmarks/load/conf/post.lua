-- wrk: one fixed request, as client.c's; prints one line of JSON. Environment: BENCH_KEY,
-- BENCH_MODEL, BENCH_HEADERS (one "Name: value" a line).
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. (os.getenv("BENCH_KEY") or "none")
for name, value in (os.getenv("BENCH_HEADERS") or ""):gmatch("([^:\n]+): ([^\n]*)") do
  wrk.headers[name] = value
end
wrk.body = '{"model":"' .. os.getenv("BENCH_MODEL") .. '","messages":[{"role":"system","content":'
  .. '"You are a careful clerk. Answer in one sentence and name the line you rely on."},'
  .. '{"role":"user","content":"[[n=200 d=0]] Which of the ledger\'s accounts rise on the left, '
  .. 'which on the right, and why do the two sides always agree at the end of a day?"}],'
  .. '"temperature":0.2,"max_tokens":512}'

function done(summary, latency)
  local e = summary.errors
  print(string.format(
    '{"requests":%d,"seconds":%.6f,"http_errors":%d,"broken":%d,"p50":%d,"p90":%d,"p99":%d,"max":%d}',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
