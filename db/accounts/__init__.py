"""Users and their tokens, sessions of browsers, failed sign-ins, and what users searched for."""
