"""What clients made by openapi-python-client do: a script for tests/control_api/test_clients.py."""

# mypy: ignore-errors
import json
import sys

from control_client import Client
from control_client.api.events import send
from control_client.api.faults import fail_next
from control_client.api.flows import install_flows
from control_client.api.replays import start_replay
from control_client.api.webhooks import register
from control_client.models import (
    EventStep,
    Flow,
    FlowOutcome,
    PlannedAnswer,
    Registration,
    RegistrationEventsItem,
    Script,
)
from vendor_client import AuthenticatedClient
from vendor_client.api.runs import create_run, get_run
from vendor_client.api.webhooks import create_webhook
from vendor_client.models import Registration as VendorRegistration
from vendor_client.models import RegistrationEventsItem as VendorEvent
from vendor_client.models import RunRequest

mock, hook = sys.argv[1:]
done = {}
control = Client(mock)
events = [RegistrationEventsItem.RUN_FAILED]
done["registered"] = register.sync(client=control, body=Registration(hook, "whsec_client", events)).url
sent = send.sync(
    client=control, body=EventStep.from_dict({"event": "run.failed", "override": {"run_id": "run_abc999"}})
)
done["delivered"] = sent.delivered
done["answered"] = sent.deliveries[0].attempts[0].response.status
refused = send.sync(client=control, body=EventStep("run.faild"))
done["refused"] = "run.faild" in refused.error.message
script = Script.from_dict({"version": 1, "steps": [{"event": "run.failed", "fault": {"duplicate": {"times": 2}}}]})
done["replayed"] = start_replay.sync(client=control, body=script, wait=True).report.ok
flow = Flow.from_dict({"on": "POST /v1/runs", "outcome": "failed"})
done["flow"] = install_flows.sync(client=control, body=flow).flows[0].flow["outcome"]
assert flow.outcome is FlowOutcome.FAILED

fail_next.sync(client=control, body=PlannedAnswer(status=429))
vendor = AuthenticatedClient(mock, "key")
registration = VendorRegistration("https://app.example/hooks", [VendorEvent.RUN_FAILED], "whsec_client")
done["limited"] = bool(create_webhook.sync(client=vendor, body=registration).error.message)
done["webhook_id"] = create_webhook.sync(client=vendor, body=registration).webhook_id[:3]
run = create_run.sync(client=vendor, body=RunRequest(test_case_id="tc_refund"))
done["run"] = get_run.sync(run.run_id, client=vendor).run_id == run.run_id
print(json.dumps(done))
