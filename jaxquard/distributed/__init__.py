"""Several processes that train one run: how they find each other, who watches them, who starts them.

Numbers travel by `jax.distributed` alone. Besides, each process has a connection to a hub, for lines of JSON: what it
does, at which step, how many steps come next, whether to stop. The hub runs in the launcher, or in rank 0 without one.
"""

from typing import Any

joined: Any = None  # this process, once it has joined others: a `jaxquard.distributed.member.Member`
