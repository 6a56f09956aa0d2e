/** The means that the rows share: see each file. */
export { answerParent, Child } from './child.ts';
export { type BenchDatabase, freshDatabase } from './database.ts';
export { durablePast } from './durable.ts';
export { Histogram, type HistogramData } from './histogram.ts';
export { type ConsumerReport, type LeanConsumer, startLeanConsumer } from './lean-consumer.ts';
export { cpuSeconds, memoryOf, type ThreadCpu, threadCpu } from './process-stats.ts';
export { type BenchQueue, freshQueue } from './queue.ts';
export { inTurns, median, medianOf, percentile, rounded } from './rounds.ts';
export { type RunningDalga, type RunOptions, runDalga } from './run-dalga.ts';
export { scaled, scaledTime } from './scale.ts';
export { firstRunOf, jobName, owesNothingBefore, type SeedOptions, seedTable } from './seed-table.ts';
