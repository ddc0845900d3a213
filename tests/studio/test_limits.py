"""How much the studio lets anybody ask for, as docs/STUDIO.md says it, and how hard its token is to guess."""

import base64
from pathlib import Path

from jaxquard.studio import Studio, security
from jaxquard.studio.server import guarded


def test_the_limits_are_those_that_are_documented():
    assert Studio(Path()).streams == 16
    assert security.MAX_BODY == 1_000_000
    assert security.MAX_PICTURE == 64_000_000
    assert security.MAX_DEPTH == 8


def test_a_token_has_256_bits_and_is_another_each_time():
    tokens = {guarded(Studio(Path()), {"192.0.2.1"}, 8765, own=False).token for _ in range(8)}
    assert len(tokens) == 8
    assert all(len(base64.urlsafe_b64decode(f"{token}=")) * 8 >= 256 for token in tokens)
