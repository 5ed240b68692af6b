"""Takes queued images to results: claim, decode, predict, finish; and the sweeper that leaves none behind."""
