/** Real servers for integration tests: each starts on free ports with a temporary folder, and `stop` takes all away. */
export { hasServer, type ServerName } from './available.ts';
export { type PostgresServer, startSystemPostgres } from './postgres.ts';
export { type RedisServer, startRedis } from './redis.ts';
export { startTemporalServer, type TemporalServer } from './temporal-server.ts';
export { type S3Server, startVersitygw } from './versitygw.ts';
export { startWeaviate, type WeaviateServer } from './weaviate.ts';
