// What openapi-fetch does with types made by openapi-typescript: a script for tests/control_api/test_clients.py.
import createClient from "openapi-fetch"
import type { paths as Control } from "./control"
import type { paths as Vendor } from "./vendor"

const [mock, hook] = process.argv.slice(2) as [string, string]
const control = createClient<Control>({ baseUrl: mock })
const done: Record<string, unknown> = {}

async function main(): Promise<void> {
  const registered = await control.POST("/_mock/webhooks", {
    body: { url: hook, secret: "whsec_client", events: ["run.failed"] },
  })
  done.registered = registered.data?.url
  const sent = await control.POST("/_mock/events", {
    body: { event: "run.failed", override: { run_id: "run_abc999" } },
  })
  done.delivered = sent.data?.delivered
  done.answered = sent.data?.deliveries[0]?.attempts[0]?.response?.status
  const refused = await control.POST("/_mock/events", { body: { event: "run.faild" } })
  done.refused = refused.error?.error.message.includes("run.faild")
  const replayed = await control.POST("/_mock/replays", {
    params: { query: { wait: true } },
    body: { version: 1, steps: [{ event: "run.failed", fault: { duplicate: { times: 2 } } }] },
  })
  done.replayed = replayed.data?.report.ok
  const flows = await control.POST("/_mock/flows", { body: { on: "POST /v1/runs", outcome: "failed" } })
  done.flow = flows.data?.flows[0]?.flow["outcome"]

  await control.POST("/_mock/faults", { body: { status: 429 } })
  const vendor = createClient<Vendor>({ baseUrl: mock, headers: { Authorization: "Bearer key" } })
  const registration = { body: { url: "https://app.example/hooks", events: ["run.failed" as const], secret: "whsec_client" } }
  const limited = await vendor.POST("/v1/webhooks", registration)
  done.limited = Boolean(limited.error?.error.message)
  const webhook = await vendor.POST("/v1/webhooks", registration)
  done.webhook_id = webhook.data?.webhook_id.slice(0, 3)
  const run = await vendor.POST("/v1/runs", { body: { test_case_id: "tc_refund" } })
  const read = await vendor.GET("/v1/runs/{run_id}", { params: { path: { run_id: run.data?.run_id ?? "" } } })
  done.run = read.data?.run_id === run.data?.run_id
  console.log(JSON.stringify(done))
}

void main()
