import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

export type Stub = {
  readonly url: string;
  /** What came, with their bodies. */
  readonly requests: { readonly method: string; readonly path: string; readonly body: string }[];
  /** Ends it, and all connections. */
  close(): void;
};

export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A server that answers as the test says: what Dalga would, or what it never would. */
export async function stubServer(t: Test, handler: Handler): Promise<Stub> {
  const requests: Stub['requests'] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    requests.push({ method: request.method!, path: request.url!, body });
    handler(request, response, body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  t.teardown(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close };
}

/** Answers with JSON. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Handler {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

/** Refuses as Dalga does. */
export function problem(status: number, code: string, headers: Record<string, string> = {}): Handler {
  const body = { type: `urn:dalga:error:${code}`, title: 'x', status, detail: `it is ${code}`, code };
  return json(status, body, { 'content-type': 'application/problem+json', ...headers });
}
