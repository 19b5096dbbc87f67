"""HTML: one file that holds all that a reader of a replay or a check needs, also without its script.

- :mod:`~mockserver.reports.html.page`: the frame, which every page has: styles, script, policy, templates;
- :mod:`~mockserver.reports.html.exchange`: a delivery, request and answer;
- :mod:`~mockserver.reports.html.timeline`: deliveries and attempts over time, as SVG;
- :mod:`~mockserver.reports.html.replay` and :mod:`~mockserver.reports.html.check`: the two kinds of page.
"""
