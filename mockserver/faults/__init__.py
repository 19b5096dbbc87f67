"""Faults: deliberate defects of a delivery, each with a name, a sentence, its parameters and the layer it touches.

``registry`` holds them all and reads them where they are written, ``delivery`` has those of whole deliveries; the other
modules hold what each fault does to a :class:`~mockserver.faults.request_builder.Draft`.
"""
