# Runs the same cases with a client for Python 3 and prints each case's verdict
# as JSON.
#
#     python3 kosoku.py PACKAGES URL OUTDIR CASE...
import asyncio, json, os, sys

packages, url, _ = sys.argv[1:4]
cases = sys.argv[4:]
sys.path[:] = [packages] + sys.path[1:]  # and not this file's directory

import kosoku


async def main():
    try:
        results = await kosoku.run_fuzzingclient(url, cases, concurrency=4)
    except kosoku.FailureError as failure:
        results = failure.results
    print(json.dumps([{"case": r.case_id, "behavior": r.behavior.value, "close": r.behavior_close.value,
                       "status": r.remote_close_code} for r in results]), flush=True)
    os._exit(0)  # its threads do not survive the interpreter's own end


asyncio.run(main())
