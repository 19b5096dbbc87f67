"""Checking a consumer: the deliveries that the checks make, and how each is judged.

``bench`` is what a check works with, ``effects`` reads what its deliveries do to the consumer, ``refusals`` and
``acceptances`` hold the two kinds of judgement that most checks share. The checks themselves stand in modules by what
they are about, ``registry`` holds them all, ``run`` makes them one after another. ``doctor`` looks for the reason when
a correct delivery is refused.
"""
