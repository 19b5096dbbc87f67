"""What clients made by openapi-generator do: a script for tests/control_api/test_clients.py."""

# mypy: ignore-errors
import json
import sys

import control_client as control
import vendor_client as vendor
from control_client.api.events_api import EventsApi
from control_client.api.faults_api import FaultsApi
from control_client.api.flows_api import FlowsApi
from control_client.api.replays_api import ReplaysApi
from control_client.api.webhooks_api import WebhooksApi as ControlWebhooksApi
from vendor_client.api.runs_api import RunsApi
from vendor_client.api.webhooks_api import WebhooksApi

mock, hook = sys.argv[1:]
done = {}
client = control.ApiClient(control.Configuration(host=mock))
registration = control.Registration(url=hook, secret="whsec_client", events=["run.failed"])
done["registered"] = ControlWebhooksApi(client).register(registration).url
step = control.EventStep(event="run.failed", override={"run_id": "run_abc999"})
sent = EventsApi(client).send(step)
done["delivered"] = sent.delivered
done["answered"] = sent.deliveries[0].attempts[0].response.status
try:
    EventsApi(client).send(control.EventStep(event="run.faild"))
except control.ApiException as refused:
    done["refused"] = "run.faild" in refused.data.error.message
script = control.Script.from_dict(
    {"version": 1, "steps": [{"event": "run.failed", "fault": {"duplicate": {"times": 2}}}]}
)
done["replayed"] = ReplaysApi(client).start_replay(wait=True, script2=script).report.ok
flow = control.Flow(on="POST /v1/runs", outcome="failed")
done["flow"] = FlowsApi(client).install_flows(control.NewFlows(flow)).flows[0].flow["outcome"]

FaultsApi(client).fail_next(planned_answer=control.PlannedAnswer(status=429))
client = vendor.ApiClient(vendor.Configuration(host=mock, access_token="key"))
registration = vendor.Registration(url="https://app.example/hooks", events=["run.failed"], secret="whsec_client")
try:
    WebhooksApi(client).create_webhook(registration)
except vendor.ApiException as limited:
    done["limited"] = bool(limited.data.error.message)
done["webhook_id"] = WebhooksApi(client).create_webhook(registration).webhook_id[:3]
run = RunsApi(client).create_run(vendor.RunRequest(test_case_id="tc_refund"))
done["run"] = RunsApi(client).get_run(run.run_id).run_id == run.run_id
print(json.dumps(done))
