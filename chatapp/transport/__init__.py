"""REST and sockets: thin translations of the wire into service calls and back."""
