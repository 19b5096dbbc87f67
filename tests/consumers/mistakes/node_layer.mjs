// Mistakes in what is around the inbox in Node.js.

import { Listener, pathOf, WEBHOOK_PATH } from "../listener.mjs";

function isDelivery(request) {
  return request.method === "POST" && pathOf(request) === WEBHOOK_PATH;
}

export class header_by_case extends Listener {
  signature({ rawHeaders }) {
    const index = rawHeaders.indexOf("X-Playgent-Signature");
    return index === -1 ? undefined : rawHeaders[index + 1];
  }
}

export class content_type_exact extends Listener {
  async route(request) {
    if (isDelivery(request) && request.headers["content-type"] !== "application/json") {
      return [415, { error: "unsupported media type" }];
    }
    return super.route(request);
  }
}

export class content_length_only extends Listener {
  async rawBody(request) {
    const body = await super.rawBody(request);
    return body?.subarray(0, Number(request.headers["content-length"] ?? 0));
  }
}

export class decodes_each_piece extends Listener {
  async rawBody(request) {
    let body = "";
    for await (const chunk of request) body += chunk;
    return Buffer.from(body);
  }
}

export class one_at_a_time extends Listener {
  #turn = Promise.resolve();

  rawBody(request) {
    const body = this.#turn.then(() => super.rawBody(request));
    this.#turn = body.catch(() => {});
    return body;
  }
}

export class redirects extends Listener {
  async serve(request, response) {
    if (isDelivery(request)) return response.writeHead(308, { Location: `${WEBHOOK_PATH}/` }).end();
    return super.serve(request, response);
  }

  async route(request) {
    const hasSlash = request.method === "POST" && pathOf(request) === `${WEBHOOK_PATH}/`;
    return hasSlash ? this.receive(request) : super.route(request);
  }
}

export class csrf extends Listener {
  async serve(request, response) {
    const token = /(?:^|; )csrftoken=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    const isGood = token !== undefined && token === request.headers["x-csrftoken"];
    if (isGood || !isDelivery(request)) return super.serve(request, response);
    response.writeHead(403, { "Content-Type": "text/html" });
    response.end("<h1>Forbidden</h1><p>CSRF verification failed.</p>");
  }
}

export class login_redirect extends Listener {
  async serve(request, response) {
    const hasSession = /(?:^|; )session=/.test(request.headers.cookie ?? "");
    if (hasSession || !isDelivery(request)) return super.serve(request, response);
    response.writeHead(302, { Location: "/login" }).end();
  }
}

export class get_accepted extends Listener {
  async route(request) {
    const isEvent = ["GET", "PUT"].includes(request.method) && pathOf(request) === WEBHOOK_PATH;
    return isEvent ? this.receive(request) : super.route(request);
  }
}
