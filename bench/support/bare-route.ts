// The limit for accepts: a bare Fastify route with the same batched insert, and nothing else.
import { createHash, randomUUIDv7 } from 'node:crypto';
import { createAcceptQueue } from '@switchyard/broker/accept-queue.ts';
import { type Acceptance, acceptJobs, type JobToAccept } from '@switchyard/broker/db/accept-jobs.ts';
import { openDatabase } from '@switchyard/broker/db/database.ts';
import { canonicalJson } from '@switchyard/core/spec/canonical-json.ts';
import { jobSpecSchema } from '@switchyard/core/spec/job-spec.ts';
import fastify from 'fastify';

const db = await openDatabase({ url: process.env['DATABASE_URL']!, applicationName: 'bench-bare' });
const queue = createAcceptQueue<JobToAccept, Acceptance>({ flush: (jobs) => acceptJobs(db, jobs) });
const specJson = canonicalJson(jobSpecSchema.parse({ script: '#!/bin/sh\n:\n', held: true }));
const specHash = createHash('sha256').update(specJson).digest('hex');
const row = {
  principal: 'bench',
  groupPath: 'default',
  owner: 'bench',
  name: 'job',
  specJson,
  specHash,
  priority: 500,
  taskCount: 1,
  tasks: '0',
  isArray: false,
  maxRunning: null,
  held: true,
  labels: {},
  notBeforeMs: null,
  idempotencyKey: null,
  bodyHash: null,
} as const;

const app = fastify();
app.post('/v1/jobs', async (_request, reply) => {
  const [accepted] = await queue.accept([{ id: randomUUIDv7(), ...row }]);
  return reply.code(201).send(accepted);
});
const url = await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT']) });
process.stdout.write(`listening on ${url}\n`);
