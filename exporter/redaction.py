"""Removes secrets from text that comes from outside: exceptions, messages of the AWS SDK, URLs with a password."""

from __future__ import annotations

import re

REDACTED = "<redacted>"

# Most texts contain none of these words. Searching for them is much faster than applying the patterns.
_WORDS = ("://", "auth", "bearer", "basic", "key", "pass", "secret", "token", "credential", "signature", "header")

_SENSITIVE_NAMES = "password|passwd|(?:secret|access|session|security)[_-]?(?:access[_-]?)?(?:key|token)"
_AMBIGUOUS_NAMES = "secret|token|credentials?|signature|api_?key"
_OPENING_QUOTE = r"""(?:b?\\?(["']))?"""
_VALUE = r"""(?(2)[^"']+|[^\s"'&,;<>]+)"""  # up to the closing quote if _OPENING_QUOTE has found one

# Each pattern finds one form of a secret. Its first group is kept: it names the secret, so that the text remains
# useful. A pattern may remove too much, for example the path of a URL that contains `@`, but not too little.
# Repetitions are bounded or start at a fixed word, so that the time is linear in the length of the text.
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # https://user:password@host. A password may contain characters that a URL should encode, such as `/` and `@`.
        r"(://)(?:[^\s/?#]{0,512}|[^\s/?#:]{0,512}:\S{0,512})@",
        # Authorization: Basic dXNlcjpw, even as an entry of a dict. The value ends with the quote or the line.
        r"""(\bauthorization\W{0,4}[:=]\s*(?:b?\\?["'])?)[^"'\r\n]+""",
        r"(\b(?:basic|bearer)\s+)(?=[\w.~+/-]*[\d=])[\w.~+/=-]{8,}",
        # The HTTP client quotes a header that it rejects, and only credentials come from outside.
        r"""(invalid header value )(?:b?'[^']*'|b?"[^"]*")""",
        r"""(\bx-amz-(?:security-token|signature|credential)\s*[:=]\s*)[^\s"'&,]+""",
        # password=…, SecretAccessKey: …
        rf"""((?:{_SENSITIVE_NAMES})(?:\\?["'])?\s*[:=]\s*{_OPENING_QUOTE}){_VALUE}""",
        # token=…, "clientSecret": "…". Without quotes after the colon, it is prose, such as "token: expired".
        rf"""((?:{_AMBIGUOUS_NAMES})(?:\\?["'])?\s*(?:=|:(?=\s*b?\\?["']))\s*{_OPENING_QUOTE}){_VALUE}""",
        # <SessionToken>…</SessionToken>
        r"(<\w{0,40}(?:password|secret\w{0,20}|token|key|keyid)>)[^<]+",
        r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----).*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    )
)
# These are recognized by their own form.
_TOKENS = re.compile(
    r"""
    \b(?:AKIA|ASIA)[A-Z0-9]{16}\b               # access key ids
    | \b(?:IQoJ|FwoG|FQoG)[A-Za-z0-9+/=]{32,}   # session tokens
    | (?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]*       # JSON Web Tokens
    | \$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}        # bcrypt hashes
    """,
    re.VERBOSE,
)


def redact(text: str) -> str:
    """Return a text without credentials, tokens, keys, and passwords in URLs."""
    lowered = text.lower()
    if any(word in lowered for word in _WORDS):
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\1{REDACTED}", text)
    return _TOKENS.sub(REDACTED, text)
