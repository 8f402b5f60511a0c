"""Private names of Trio and its neighbours, each with why it is needed and what would replace it.

Nothing else in this package touches a name with an underscore of Trio, greenlet, outcome or sniffio.
"""

from __future__ import annotations

import sniffio
from trio._core._run_context import GLOBAL_RUN_CONTEXT

__all__ = ["run_context", "sniffio_local"]

#: The thread's "which run, which task" (a ``threading.local``).  While pytest's own code runs in the
#: middle of a task step it has to be empty, or a ``trio.run`` in a sync test is refused.  Trio has no
#: public way to put it aside (``trio.lowlevel.in_trio_run`` only asks); if it goes, guest mode with a
#: host that pauses between ticks is the way out.
run_context = GLOBAL_RUN_CONTEXT

#: Where Trio says "trio" to ``sniffio.current_async_library``.  Public in sniffio and meant for
#: libraries, but not documented as lasting; without it libraries called from a sync test believe that
#: they are under Trio.
sniffio_local = sniffio.thread_local
