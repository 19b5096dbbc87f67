// What SDKs made by @hey-api/openapi-ts do: a script for tests/control_api/test_clients.py.
import { client as controlClient } from "./control/client.gen"
import { failNext, installFlows, register, send, startReplay } from "./control/sdk.gen"
import { client as vendorClient } from "./vendor/client.gen"
import { createRun, createWebhook, getRun } from "./vendor/sdk.gen"

const [mock, hook] = process.argv.slice(2) as [string, string]
controlClient.setConfig({ baseUrl: mock })
vendorClient.setConfig({ baseUrl: mock, auth: "key" })
const done: Record<string, unknown> = {}

async function main(): Promise<void> {
  const registered = await register({ body: { url: hook, secret: "whsec_client", events: ["run.failed"] } })
  done.registered = registered.data?.url
  const sent = await send({ body: { event: "run.failed", override: { run_id: "run_abc999" } } })
  done.delivered = sent.data?.delivered
  done.answered = sent.data?.deliveries[0]?.attempts[0]?.response?.status
  const refused = await send({ body: { event: "run.faild" } })
  done.refused = refused.error?.error.message.includes("run.faild")
  const replayed = await startReplay({
    query: { wait: true },
    body: { version: 1, steps: [{ event: "run.failed", fault: { duplicate: { times: 2 } } }] },
  })
  done.replayed = replayed.data?.report.ok
  const flows = await installFlows({ body: { on: "POST /v1/runs", outcome: "failed" } })
  done.flow = flows.data?.flows[0]?.flow["outcome"]

  await failNext({ body: { status: 429 } })
  const body = { url: "https://app.example/hooks", events: ["run.failed" as const], secret: "whsec_client" }
  const limited = await createWebhook({ body })
  done.limited = Boolean(limited.error?.error.message)
  done.webhook_id = (await createWebhook({ body })).data?.webhook_id.slice(0, 3)
  const run = await createRun({ body: { test_case_id: "tc_refund" } })
  done.run = (await getRun({ path: { run_id: run.data?.run_id ?? "" } })).data?.run_id === run.data?.run_id
  console.log(JSON.stringify(done))
}

void main()
