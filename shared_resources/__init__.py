"""The platform of the mesh: contracts, audit, publishing, governance, for every domain alike."""
