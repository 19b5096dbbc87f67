"""The schema of JUnit reports, by which the full tier checks every one that a test writes."""

from __future__ import annotations

from pathlib import Path

from tests import tiers


def validate(text: str) -> None:
    """Check a report by the schema, in the full tier.

    Raises:
        XMLSchemaValidationError: It is not valid.
    """
    if tiers.full:
        import xmlschema  # noqa: PLC0415 - heavy, and the default tier does without

        xmlschema.XMLSchema(Path(__file__).parent / "junit.xsd").validate(text)
