"""What all tests share: the machine's ways, how hypothesis looks for examples, what signals do.

Nothing timed in tests: a machine that is busy makes an example slow, and a test no worse. In CI the
same examples are tried each time, so that red means the change; elsewhere new ones are sought.
"""

import os
import signal
import time

from hypothesis import HealthCheck, settings

settings.register_profile(
    "bulkmail",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("bulkmail")

# Whose screen this is, and where: each changes what is printed, here and in all that is started.
for name in ("COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
    os.environ.pop(name, None)
for name in ("TTY_INTERACTIVE", "TERMINAL_WIDTH", "PY_COLORS", "GITHUB_ACTIONS"):
    os.environ.pop(name, None)
# Without any, Python takes UTF-8; one that is named may not be there.
for name in [name for name in os.environ if name.startswith(("LC_", "LANG"))]:
    del os.environ[name]
os.environ["TZ"] = "UTC"
time.tzset()

# Under nohup, or behind a script's `&`, they are ignored here and in all that is started from here.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
