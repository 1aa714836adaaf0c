"""What an operator does by hand: ``chatapp apikey`` and ``chatapp audit``, over the server's own store."""
