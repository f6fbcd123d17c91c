"""A local edge that runs several versions of your Workers and routes to them as Cloudflare would."""

__version__ = "0.1.0"
