"""Workers analytics as Cloudflare's GraphQL API tells them (R115)."""
