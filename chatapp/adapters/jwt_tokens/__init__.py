"""Users' tokens: JSON Web Tokens (RFC 7519), which the company's backend signs and this server verifies.

PyJWT knows the signatures and ``protocol/claims.py`` what may be said. Here: which keys count, and when a token does.
"""

from chatapp.adapters.jwt_tokens.jwks import JwksFile, JwksUrl
from chatapp.adapters.jwt_tokens.keys import FixedKeys, Key, KeysUnusable, secret_key
from chatapp.adapters.jwt_tokens.minter import TokenMinter
from chatapp.adapters.jwt_tokens.verifier import JwtVerifier

__all__ = ["FixedKeys", "JwksFile", "JwksUrl", "JwtVerifier", "Key", "KeysUnusable", "TokenMinter", "secret_key"]
