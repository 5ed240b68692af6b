"""Who may come in: users and tokens, sessions of browsers, failed sign-ins, and what users searched for."""
