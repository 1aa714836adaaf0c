"""The wire, declared once: schemas, the incoming and the outgoing table, and the documents made from them."""
