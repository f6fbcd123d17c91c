"""The shop: pages, scripts and a checkout whose two versions do not understand each other."""
