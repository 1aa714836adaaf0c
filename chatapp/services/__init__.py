"""The rules of the chat. No framework, no driver: everything outside comes through ``chatapp.ports``."""
