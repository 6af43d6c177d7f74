"""The business domains: each folder with a `domain.yaml` is one code location, owned by one team."""
