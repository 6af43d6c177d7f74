"""The code location of the marketing domain; everything in it comes from its products' folders."""

from shared_resources import build_domain

defs = build_domain(__file__)
