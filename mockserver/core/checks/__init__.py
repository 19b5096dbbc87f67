"""Checks: what a webhook consumer must get right, and what was found out about one.

``model`` holds what a check and its result are, ``answers`` compares answers, ``orders`` tries permutations and shrinks
them. The deliveries that the checks make are in :mod:`mockserver.engine.checking`.
"""
