"""Reports of replays, in the forms that builds and people read: JUnit XML, HAR, Markdown, workflow annotations.

Each module turns reports into text; writing it somewhere is the business of whoever asked for it. No secret is in any
of them: see :mod:`mockserver.edges.redaction`.
"""
