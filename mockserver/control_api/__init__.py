"""The control API (``/_mock``): what tests in any language drive the mock with. It is ours, not the vendor's.

- :mod:`~mockserver.control_api.operations`: the table of what there is, for routing and for the OpenAPI document;
- :mod:`~mockserver.control_api.mount`: where it is mounted;
- :mod:`~mockserver.control_api.routes`: what each operation does;
- :mod:`~mockserver.control_api.call`: queries, bodies and answers;
- :mod:`~mockserver.control_api.stream`: server-sent events;
- :mod:`~mockserver.control_api.openapi`: its description;
- :mod:`~mockserver.control_api.check_runs`: checks in the background.
"""

from mockserver.control_api.mount import ControlApi

__all__ = ["ControlApi"]
