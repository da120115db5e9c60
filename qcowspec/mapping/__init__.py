"""Guest range to extents, for every version."""
