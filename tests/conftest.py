"""What all tests share: how hypothesis looks for examples, and what signals do.

Nothing timed in tests: a machine that is busy makes an example slow, and a test no worse. In CI the
same examples are tried each time, so that red means the change; elsewhere new ones are sought.
"""

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "bulkmail",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("bulkmail")

# Under nohup, or behind a script's `&`, they are ignored here and in all that is started from here.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
