"""``chatapp torture``: many clients, faults, and a judge of what the server did, known by its wire alone."""
