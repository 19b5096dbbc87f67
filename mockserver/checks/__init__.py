"""Checking a consumer: what it must get right, the deliveries that show it, and how each is judged.

``context`` is what a check works with, ``effects`` reads what its deliveries do to the consumer, ``refusals`` and
``acceptances`` hold the two kinds of judgement that most checks share. The checks themselves are in modules by subject,
``registry`` holds them all, ``run`` makes them one after another. ``diagnosis`` looks for the reason when a correct
delivery is refused.
"""
