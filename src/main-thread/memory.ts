import { totalmem } from 'node:os';

/** What jobs may take when nothing is set: this part of the memory that the process can have. */
const SHARE = 0.7;

/**
 * Bytes that jobs may take: the configured number, or a share of the cgroup's limit, or of the machine's memory
 * where there is none. (process.constrainedMemory: 0 or a huge number where no limit is set.)
 */
export function memoryLimit(configured: number): number {
  if (configured > 0) return configured;
  const constrained = process.constrainedMemory();
  const total = totalmem();
  return Math.floor(SHARE * (constrained > 0 && constrained < total ? constrained : total));
}
