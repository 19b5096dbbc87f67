"""Five correct webhook consumers, one for each framework, and the harness that starts them.

They are programs of their own, written as an application's author would write them from the vendor's documentation:
none of them imports ``mockserver``. All behave the same, as ``tests/checks/test_matrix.py`` shows.

Those in Flask, FastAPI and Node.js can be told to make one mistake, which ``mistakes`` holds: see
:data:`tests.consumers.mistakes.MISTAKES`.
"""
