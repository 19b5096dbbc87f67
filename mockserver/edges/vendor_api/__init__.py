"""The vendor's API as an application sees it: ``/v1/webhooks``, its errors, its rate-limit headers, its description."""

from mockserver.edges.vendor_api.routes import VendorApi

__all__ = ["VendorApi"]
