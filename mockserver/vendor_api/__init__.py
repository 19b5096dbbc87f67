"""The vendor's API as an application sees it: ``/v1/webhooks``, its errors, its rate-limit headers, its description."""
