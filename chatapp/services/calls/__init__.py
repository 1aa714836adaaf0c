"""Calls: who rings, who is in, what they signal to each other, and how it ends. Media never comes here."""
