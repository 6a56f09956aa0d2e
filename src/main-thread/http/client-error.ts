import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { DalgaError } from '../../errors.ts';
import type { AllowedMethods } from './allowed-methods.ts';
import { closeGently } from './linger.ts';
import { formatRawProblem } from './problem.ts';
import { splitTarget } from './request-target.ts';

/** What Node says of a request that it could not parse. */
type ParserError = Error & { readonly code?: string; readonly rawPacket?: unknown };

/** Answers, on its socket, a request that Node's parser refused. */
export function answerClientError(
  error: ParserError,
  socket: Duplex,
  { maxHeaderSize, allowed }: { maxHeaderSize: number; allowed: AllowedMethods },
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    // Its writing half has ended where a refusal was written before: closeGently sees to the rest.
    if (!socket.writableEnded) socket.destroy();
    return;
  }
  // Node's own mark of the response that this socket waits for. Where the request of it has come whole, bytes
  // written now would be taken for its answer: it is answered, and nothing after it.
  const pending = (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage;
  if (pending?.headersSent && !pending.req.complete) {
    // A bulk load is answered while its body comes, and that has broken off.
    socket.destroy();
    return;
  }
  if (pending?.req.complete) {
    pending.shouldKeepAlive = false;
    return;
  }
  const unknown = error.code === 'HPE_INVALID_METHOD' ? parseRequestLine(error.rawPacket) : null;
  const methods = unknown === null ? undefined : allowed.of(splitTarget(unknown.target).path);
  if (unknown !== null && methods !== undefined) {
    endWith(socket, methodNotAllowed(unknown.method, methods), methods);
    return;
  }
  endWith(socket, toRefusal(error, maxHeaderSize));
}

/** Writes a refusal to a socket and closes it. */
export function endWith(socket: Duplex, refusal: DalgaError, allow?: string): void {
  socket.write(formatRawProblem(refusal, allow));
  closeGently(socket);
}

export function methodNotAllowed(method: string, allow: string): DalgaError {
  return new DalgaError('method_not_allowed', `${method} is not allowed here: this path takes ${allow}`);
}

function toRefusal(error: ParserError, maxHeaderSize: number): DalgaError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new DalgaError(
        'headers_too_large',
        `the request line and the headers together are larger than ${maxHeaderSize} bytes`,
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new DalgaError('request_timeout', 'the request did not arrive in time');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new DalgaError('body_too_large', "the extensions of the body's chunks are too large");
    default:
      return new DalgaError('malformed_request', `the request is not HTTP/1.1: ${error.message}`);
  }
}

/** The request line of an HTTP request whose method Node does not know; null when it is something else. */
function parseRequestLine(packet: unknown): { method: string; target: string } | null {
  const line = Buffer.isBuffer(packet) ? packet.toString('latin1') : '';
  const match = /^([!#$%&'*+.^_`|~\w-]{1,40}) (\S+) HTTP\/1\.[01]\r?\n/.exec(line);
  return match === null ? null : { method: match[1]!, target: match[2]! };
}
