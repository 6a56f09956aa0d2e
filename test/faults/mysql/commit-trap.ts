import type { TcpProxy } from '../../helpers/proxy.ts';

export type CommitTrap = {
  /** Whether the COMMIT, and then the server's answer, is held back: until it resolves. */
  readonly commit?: Promise<void>;
  readonly answer?: Promise<void>;
  /** Hears what the client says on its other connections from then on; a promise holds that back. */
  readonly others?: (statement: string) => unknown;
};

export const never = new Promise<void>(() => {});

/** A promise to be resolved by hand. */
export function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/**
 * Waits for the next transaction that writes a job, and does this to its COMMIT.
 *
 * @returns `sent` resolves when the client has sent it, `answered` when the server has answered it
 */
export function trapCommit(
  proxy: TcpProxy,
  { commit, answer, others }: CommitTrap,
): { readonly sent: Promise<void>; readonly answered: Promise<void> } {
  const sent = gate();
  const answered = gate();
  let writer = 0;
  let trapped = false;
  proxy.listen((from, data, connection) => {
    if (from === 'server') {
      if (!trapped || connection !== writer) return null;
      answered.open();
      return answer;
    }
    const statement = data.toString('latin1');
    if (trapped) return connection === writer ? null : others?.(statement);
    if (isWriteOfJob(statement)) writer = connection;
    if (connection !== writer || !isCommit(data)) return null;
    trapped = true;
    sent.open();
    return commit;
  });
  return { sent: sent.opened, answered: answered.opened };
}

export function isWriteOfJob(statement: string): boolean {
  return statement.includes('INSERT INTO `dalga` ');
}

/** A packet of MySQL's protocol: its length in three bytes, its number, the command (3 is a query), the text. */
export function isCommit(data: Buffer): boolean {
  return data.length === 11 && data[4] === 3 && data.toString('latin1', 5) === 'COMMIT';
}
