"""What a chat is made of: models, commands, events and errors. Standard library only."""
