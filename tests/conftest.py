"""What all tests share."""

import signal

pytest_plugins = ["pytester", "tests.consumers.fixtures"]

# A runner in the background hands Ctrl-C down as ignored, and so would the commands under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
