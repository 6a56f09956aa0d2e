/** A refusal as the API tells it (RFC 9457). */
export type ProblemDocument = {
  readonly title: string;
  readonly detail: string;
  readonly code: string;
  readonly parameter?: string;
};

/** Dalga has refused. Nothing was changed, unless the code is `outcome_unknown`. */
export class DalgaProblem extends Error {
  override readonly name = 'DalgaProblem';
  /** Of HTTP. */
  readonly status: number;
  /** Stable: see the OpenAPI document. */
  readonly code: string;
  /** The parameter at fault, where there is one. */
  readonly parameter: string | undefined;
  /** Seconds to wait, where Dalga says so. */
  readonly retryAfter: number | undefined;

  constructor(status: number, { detail, code, parameter }: ProblemDocument, retryAfter: string | null) {
    super(detail);
    this.status = status;
    this.code = code;
    this.parameter = parameter;
    this.retryAfter = retryAfter === null ? undefined : Number(retryAfter);
  }
}

/** There is no answer, or none that is Dalga's. */
export class DalgaUnreachable extends Error {
  override readonly name = 'DalgaUnreachable';

  constructor(url: string, what: string, cause?: unknown) {
    const code = (cause as { cause?: { code?: unknown } } | undefined)?.cause?.code;
    super(`${url} ${what}${typeof code === 'string' ? ` (${code})` : ''}`, { cause });
  }
}
