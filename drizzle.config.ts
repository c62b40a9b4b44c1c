import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './broker/src/db/schema.ts',
  out: './migrations',
});
