/** Real servers for integration tests: each starts on free ports with a temporary folder, and `stop` takes all away. */
export { hasServer } from './available.ts';
export { startSystemPostgres } from './postgres.ts';
export { startRedis } from './redis.ts';
export { startTemporalServer } from './temporal-server.ts';
export { startDevServer, startTimeSkipping } from './temporal-test-server.ts';
export { startVersitygw } from './versitygw.ts';
export { startWeaviate } from './weaviate.ts';
