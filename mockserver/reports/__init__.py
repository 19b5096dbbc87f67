"""Reports of replays and checks: JSON, JUnit XML, HAR, SARIF, Markdown and workflow annotations.

Each module turns a report into text. No secret is in any of them: see :mod:`mockserver.model.redaction`.
"""
