import type { ImportTotals } from './types/jobs.ts';

/** The codes of refusals: they are stable, and the OpenAPI document says what each means. */
export type ProblemCode =
  | 'invalid_parameter'
  | 'unknown_parameter'
  | 'duplicate_parameter'
  | 'malformed_request'
  | 'not_found'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'request_timeout'
  | 'precondition_failed'
  | 'body_too_large'
  | 'uri_too_long'
  | 'unsupported_media_type'
  | 'too_many_backfills'
  | 'headers_too_large'
  | 'internal'
  | 'not_ready'
  | 'not_owner'
  | 'database_unavailable'
  | 'outcome_unknown'
  | 'stopping'
  | 'too_many_listeners'
  | 'insufficient_memory';

/** A refusal as the API tells it (RFC 9457). */
export type Problem = {
  /** `urn:dalga:error:` and the code. */
  readonly type: string;
  readonly title: string;
  /** Of HTTP. */
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly parameter?: string;
};

/** Dalga has refused. Nothing was changed, unless the code is `outcome_unknown`. The message is the problem's detail. */
export class DalgaProblem extends Error {
  override readonly name = 'DalgaProblem';
  /** Of HTTP. */
  readonly status: number;
  readonly code: ProblemCode;
  /** What the code means. */
  readonly title: string;
  /** The parameter at fault, where there is one. */
  readonly parameter: string | undefined;
  /** Seconds to wait, where Dalga says so. */
  readonly retryAfter: number | undefined;
  /** Whether there is no such job or backfill: not that there is no such path, which has the same code. */
  readonly missing: boolean;

  constructor({ title, status, detail, code, parameter }: Problem, retryAfter: number | undefined) {
    super(detail);
    this.status = status;
    this.code = code;
    this.title = title;
    this.parameter = parameter;
    this.retryAfter = retryAfter;
    this.missing = code === 'not_found' && !detail.startsWith('there is nothing at this path');
  }
}

/** An argument that cannot be sent: nothing was. */
export class InvalidArgument extends TypeError {
  override readonly name = 'InvalidArgument';
}

/** There is no answer now: the server is away, did not answer in time, or broke off. What it did is not known. */
export class DalgaUnreachable extends Error {
  override readonly name = 'DalgaUnreachable';
  /** Where Dalga was looked for. */
  readonly url: string;
  /** Whether an answer had begun: then it is Dalga that was there. */
  readonly begun: boolean;

  constructor(url: string, what: string, { begun, cause }: { begun: boolean; cause?: unknown }) {
    const reason = reasonOf(cause);
    super(
      `${url} ${what}${reason === undefined ? '' : ` (${reason})`}`,
      cause === undefined ? undefined : { cause },
    );
    this.url = url;
    this.begun = begun;
  }
}

/** Something answers at this URL that is not Dalga: a proxy in front of it, or another server. */
export class NotDalga extends Error {
  override readonly name = 'NotDalga';
  readonly url: string;
  /** Of HTTP. */
  readonly status: number;

  constructor(url: string, status: number, what: string) {
    super(`what answers at ${url} is not Dalga: ${what}`);
    this.url = url;
    this.status = status;
  }
}

/** Dalga has ended an import early; what the totals count is stored. */
export class ImportEnded extends Error {
  override readonly name = 'ImportEnded';
  readonly totals: ImportTotals;

  constructor(totals: ImportTotals) {
    super(`the import ended early: ${totals.detail ?? totals.code}`);
    this.totals = totals;
  }
}

/** What Node.js says of a connection that failed: fetch hides it in the causes. */
function reasonOf(error: unknown): string | undefined {
  let reason: string | undefined;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string') return code;
    reason = cause.message;
  }
  return reason;
}
