import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { z } from 'zod';

const TITLE = 'Switchyard';

const description = `One endpoint in front of many independent clusters.

Every error is a problem document (RFC 9457, \`application/problem+json\`) with a \`code\` of a closed set, a sentence in \`detail\`, what to do next in
\`hint\`, and \`retryable\`. Lists are paged by \`cursor\`. Submits may carry an \`Idempotency-Key\`.`;

/** OpenAPI 3.1 at /openapi.json, made from the schemas that the routes validate with, and a page to read it at /docs. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: TITLE, version, description },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
      tags: [{ name: 'jobs' }, { name: 'clusters' }, { name: 'health' }],
    },
    transform: ({ schema, url }) => ({ schema: documented(schema ?? {}, url), url }),
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    baseDir: pageAssets(),
    logo: { type: 'image/svg+xml', content: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>') },
    theme: { title: `${TITLE} API` },
    uiConfig: { docExpansion: 'list', persistAuthorization: true },
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}

/** zod to JSON Schema for what comes in; what goes out is JSON Schema already. */
function documented(schema: FastifySchema, url: string): FastifySchema {
  const parts = ['body', 'querystring', 'params', 'headers'] as const;
  const converted = parts.flatMap((part) =>
    schema[part] instanceof z.ZodType ? [[part, jsonSchema(schema[part])] as const] : [],
  );
  const open = url.startsWith('/v1/') ? {} : { security: [] };
  return { ...schema, ...open, ...Object.fromEntries(converted) };
}

function jsonSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

/** Beside the bundle in a release, in the package otherwise. */
function pageAssets(): string {
  const bundled = join(import.meta.dirname, 'swagger-ui');
  if (existsSync(bundled)) return bundled;
  return join(dirname(createRequire(import.meta.url).resolve('@fastify/swagger-ui/package.json')), 'static');
}
