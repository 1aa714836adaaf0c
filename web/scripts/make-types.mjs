// The wire's types, made from the server's own descriptions.
//   node scripts/make-types.mjs <openapi.json> <asyncapi.json>          prints them
// scripts/web-types writes src/protocol/types.gen.ts with it; a test of the server's holds that file current.
import { readFileSync } from 'node:fs';

const [openapi, asyncapi] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, 'utf8')));

/** A JSON Schema as a TypeScript type. */
function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split('/').at(-1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const nullable = Array.isArray(schema.type) && schema.type.includes('null') ? ' | null' : '';
  if (schema.enum) return schema.enum.filter((each) => each !== null).map((each) => JSON.stringify(each)).join(' | ') + nullable;
  if (schema.anyOf ?? schema.oneOf) return (schema.anyOf ?? schema.oneOf).map(typeOf).join(' | ');
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type })).join(' | ');
  switch (schema.type) {
    case 'array': return `(${typeOf(schema.items)})[]`;
    case 'object': return schema.properties ? objectOf(schema) : `Record<string, ${valueOf(schema.additionalProperties)}>`;
    case 'integer':
    case 'number': return 'number';
    case 'string':
    case 'boolean':
    case 'null': return schema.type;
    default: return 'unknown';
  }
}

function valueOf(additional) {
  return additional && typeof additional === 'object' ? typeOf(additional) : 'unknown';
}

function objectOf({ properties, required = [] }) {
  const lines = Object.entries(properties).map(([name, schema]) => {
    const comment = schema.description ? `  /** ${schema.description} */\n` : '';
    return `${comment}  ${name}${required.includes(name) ? '' : '?'}: ${typeOf(schema)};`;
  });
  return `{\n${lines.join('\n')}\n}`;
}

const schemas = { ...openapi.components.schemas, ...asyncapi.components.schemas };
const interfaces = Object.entries(schemas)
  .sort(([one], [other]) => (one < other ? -1 : 1))
  .map(([name, schema]) => `export type ${name} = ${typeOf(schema)};`);

const { messages } = asyncapi.components;
const operations = Object.entries(asyncapi.operations);
const payload = (name) => typeOf(messages[name].payload);
/** What a good acknowledgement's `data` is. */
const result = (name) => typeOf(messages[`${name}_ack`].payload.oneOf[0].properties.data);

const incoming = operations
  .filter(([, { action }]) => action === 'receive')
  .map(([name, { summary }]) => `  /** ${summary} */\n  ${name}: { payload: ${payload(name)}; data: ${result(name)} };`);
const outgoing = operations
  .filter(([, { action }]) => action === 'send')
  .map(([key, { title, summary }]) => `  /** ${summary} */\n  ${title}: ${payload(key)};`);

console.log(`// Made by scripts/web-types from /api/openapi.json and /api/asyncapi.json. Do not edit.

${interfaces.join('\n\n')}

/** What a client may send: an event's payload, and the data of its good acknowledgement. */
export interface ClientEvents {
${incoming.join('\n')}
}

/** What the server sends. */
export interface ServerEvents {
${outgoing.join('\n')}
}`);
