"""The keys ``fault`` and ``retry``: kinds for what they hold."""

from __future__ import annotations

from mockserver.faults.fault import ChosenFault
from mockserver.faults.reading import faults_schema, read_faults
from mockserver.model.fields import Reading, Schema
from mockserver.model.nodes import Node
from mockserver.model.retry_policies import POLICY_NAMES, RetryPolicy, read_retry, retry_schema


class Faults:
    """One fault or several, each with its parameters."""

    def read(self, node: Node, reading: Reading) -> tuple[ChosenFault, ...] | None:
        """Return the faults."""
        try:
            return read_faults(node.plain())
        except ValueError as error:
            reading.problem(node, str(error))
            return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return faults_schema()


class Retry:
    """A retry policy: the name of one, a schedule, or an object."""

    def read(self, node: Node, reading: Reading) -> RetryPolicy | None:
        """Return the policy."""
        try:
            return read_retry(node.plain(), reading.policies)
        except ValueError as error:
            reading.problem(node, str(error))
            return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return retry_schema(POLICY_NAMES)
