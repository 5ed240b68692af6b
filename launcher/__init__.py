"""Everything embedded on one machine: processes that are started, watched, restarted and stopped together."""
