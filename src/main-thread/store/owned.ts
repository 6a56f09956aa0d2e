import type { Span } from '../../job/span.ts';
import type { OwnerSession } from './owner-session.ts';

/** Who this process is, as the state row tells it. */
export type Instance = {
  /** Random for each start of the process, at most 36 ASCII characters. */
  readonly id: string;
  /** The machine's host name. */
  readonly host: string;
  /** The address that this process has bound for HTTP, as `127.0.0.1:34006`. */
  readonly address: string;
};

/** What standbys and operators are told of an owner. */
export type OwnerInfo = { readonly host: string; readonly address: string };

/** How a person is told of an owner. */
export function describeOwner({ host, address }: OwnerInfo): string {
  return `${host} at ${address}`;
}

/** What the new owner starts from. */
export type Owned = {
  readonly epoch: number;
  readonly tag: string;
  /** Unix ms. */
  readonly watermark: number;
  readonly exceptions: Uint8Array;
  /** The highest stamp that was ever given, Unix ms. */
  readonly stamp: number;
  readonly nextId: number;
  readonly batch: number;
  /** The runs by hand and backfills that are open. */
  readonly spans: readonly Span[];
  /** Renews the lease by itself until it is released or closed. */
  readonly session: OwnerSession;
};
