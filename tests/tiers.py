"""Which tier runs, for what is checked in more ways in the full one."""

from __future__ import annotations

#: Whether it is the full tier; set when pytest is configured.
full = False
