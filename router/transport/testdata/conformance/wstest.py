# Runs Autobahn|Testsuite's fuzzing client, which needs Python 2.7, on the cases
# named and prints each case's verdict as JSON.
#
#     python2.7 wstest.py PACKAGES URL OUTDIR CASE...
import json, os, site, sys

packages, url, outdir = sys.argv[1:4]
cases = sys.argv[4:]
site.addsitedir(packages)
spec = os.path.join(outdir, "spec.json")
with open(spec, "w") as f:
    json.dump({"outdir": outdir, "servers": [{"agent": "usher", "url": url}],
               "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}, f)
out = os.dup(1)
os.dup2(2, 1)  # its progress is no verdict

from autobahntestsuite import wstest

sys.argv = ["wstest", "-m", "fuzzingclient", "-s", spec]
wstest.run()
with open(os.path.join(outdir, "index.json")) as f:
    results = json.load(f)["usher"]
verdicts = []
for case, v in results.items():
    verdicts.append({"case": case, "behavior": v["behavior"], "close": v["behaviorClose"], "status": v["remoteCloseCode"]})
os.write(out, json.dumps(verdicts))
