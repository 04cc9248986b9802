"""Runs the cases of Autobahn's test suite against a server: autobahn.py ADDRESS CASES WITHOUT, the lists comma-separated.

Prints a JSON object: for each case what the suite says of its messages, of how the connection closed, and the close code.
"""

import asyncio
import json
import sys

from kosoku import FailureError, run_fuzzingclient


def words(arg):
    return arg.split(",") if arg else None


async def main():
    address, cases, without = sys.argv[1], words(sys.argv[2]), words(sys.argv[3])
    try:
        results = await run_fuzzingclient(address, cases, without, concurrency=2)
    except FailureError as failure:
        results = failure.results
    print(json.dumps({r.case_id: [r.behavior.value, r.behavior_close.value, str(r.remote_close_code)] for r in results}))


asyncio.run(main())
