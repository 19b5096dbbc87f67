"""Reports of what checks found out about a consumer: JSON, JUnit XML, Markdown, SARIF.

Each module turns a :class:`mockserver.core.checks.model.CheckReport` into text; writing it somewhere is the business of
whoever asked for it. No secret is in any of them: see :mod:`mockserver.edges.redaction`.
"""
