"""Prints what to try, before ``make run`` starts the sample edge."""

GUIDE = """\
Starting the sample edge: two Workers, two versions each. Once it serves, try in another terminal:

  # 90% v1, 10% v2: each request is drawn anew
  for i in $(seq 100); do curl -s shop.localhost:8787/version; done | sort | uniq -c

  # one affinity key, one version, always
  curl -si -H 'Cloudflare-Workers-Version-Key: user-123' shop.localhost:8787/version

  # why that version?
  .venv/bin/gateway explain http://shop.localhost:8787/ -H 'Cloudflare-Workers-Version-Key: user-123'

  # the skew: reload until the script is missing, then grow v2 and look again
  open http://shop.localhost:8787/ in a browser
  .venv/bin/gateway versions deploy v1@50% v2@50% --worker shop -y

  # a Durable Object: one version for each, whoever calls it
  curl -s -X POST counter.localhost:8787/counter/foo/increment
  .venv/bin/gateway objects list --worker counter

Ctrl-C ends it.
"""

if __name__ == "__main__":
    print(GUIDE)
