// An MCP server for tests, by the TypeScript SDK: what the official conformance suite
// asks of a server, and a few tools with values to be masked. Started as
// "node server.mjs"; prints its URL.
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import * as t from "@modelcontextprotocol/sdk/types.js";

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const wav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";
const text = (s) => ({ type: "text", text: s });
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const people = [
  { id: 1, name: "Alice", email: "alice@customer.example", ssn: "219-09-8731", card: "4111111111111111" },
  { id: 2, name: "Bob", email: "bob@customer.example", ssn: "078-05-1120", card: "5500000000000004" },
];

const object = (properties = {}, required = []) => ({ type: "object", properties, required });
const string = { type: "string" };
const tool = (name, run, inputSchema = object()) => ({ name, description: `for tests: ${name}`, inputSchema, run });
const elicit = (extra, message, requestedSchema) =>
  extra.sendRequest({ method: "elicitation/create", params: { message, requestedSchema } }, t.ElicitResultSchema);
const elicited = (r) => ({ content: [text(`Elicitation completed: action=${r.action}, content=${JSON.stringify(r.content ?? {})}`)] });

const tools = [
  tool("test_simple_text", () => ({ content: [text("This is a simple text response for testing.")] })),
  tool("test_image_content", () => ({ content: [{ type: "image", data: png, mimeType: "image/png" }] })),
  tool("test_audio_content", () => ({ content: [{ type: "audio", data: wav, mimeType: "audio/wav" }] })),
  tool("test_embedded_resource", () => ({
    content: [{ type: "resource", resource: { uri: "test://embedded-resource", mimeType: "text/plain", text: "This is an embedded resource content." } }],
  })),
  tool("test_multiple_content_types", () => ({
    content: [text("Multiple content types test:"), { type: "image", data: png, mimeType: "image/png" },
      { type: "resource", resource: { uri: "test://mixed-content-resource", mimeType: "application/json", text: '{"test":"data","value":123}' } }],
  })),
  tool("test_tool_with_logging", async (_, extra) => {
    for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await extra.sendNotification({ method: "notifications/message", params: { level: "info", data } });
      await sleep(50);
    }
    return { content: [text("Tool with logging executed successfully")] };
  }),
  tool("test_error_handling", () => ({ isError: true, content: [text("This tool intentionally returns an error for testing")] })),
  tool("test_tool_with_progress", async (_, extra) => {
    const progressToken = extra._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        await extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
      }
      await sleep(50);
    }
    return { content: [text(String(progressToken))] };
  }),
  tool("test_sampling", async ({ prompt }, extra) => {
    const r = await extra.sendRequest({ method: "sampling/createMessage", params: { messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 } }, t.CreateMessageResultSchema);
    return { content: [text(`LLM response: ${r.content.text ?? JSON.stringify(r.content)}`)] };
  }, object({ prompt: string }, ["prompt"])),
  tool("test_elicitation", async ({ message }, extra) => {
    const r = await elicit(extra, message, object({ username: { ...string, description: "User's response" }, email: { ...string, description: "User's email address" } }, ["username", "email"]));
    return { content: [text(`User response: action: ${r.action}, content: ${JSON.stringify(r.content ?? {})}`)] };
  }, object({ message: string }, ["message"])),
  tool("test_elicitation_sep1034_defaults", async (_, extra) => elicited(await elicit(extra, "Please review", object({
    name: { ...string, default: "John Doe" }, age: { type: "integer", default: 30 }, score: { type: "number", default: 95.5 },
    status: { ...string, enum: ["active", "inactive", "pending"], default: "active" }, verified: { type: "boolean", default: true },
  })))),
  tool("test_elicitation_sep1330_enums", async (_, extra) => {
    const options = ["option1", "option2", "option3"];
    const titled = ["First", "Second", "Third"].map((s, i) => ({ const: `value${i + 1}`, title: `${s} Option` }));
    return elicited(await elicit(extra, "Please choose", object({
      untitledSingle: { ...string, enum: options }, titledSingle: { ...string, oneOf: titled },
      legacyEnum: { ...string, enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
      untitledMulti: { type: "array", items: { ...string, enum: options } }, titledMulti: { type: "array", items: { anyOf: titled } },
    })));
  }),
  tool("test_reconnection", async (_, extra) => {
    await sleep(100);
    extra.closeSSEStream?.();
    await sleep(100);
    return { content: [text("Reconnection test completed successfully. If you received this, the client properly reconnected after stream closure.")] };
  }),
  tool("json_schema_2020_12_tool", (args) => ({ content: [text(JSON.stringify(args))] }), {
    $schema: "https://json-schema.org/draft/2020-12/schema", type: "object",
    $defs: { address: { type: "object", properties: { street: string, city: string } } },
    properties: { name: string, address: { $ref: "#/$defs/address" } }, additionalProperties: false,
  }),
  // What there is to mask, hold and refuse.
  tool("get_people", () => ({ content: [text(JSON.stringify({ people }))], structuredContent: { people } })),
  tool("describe_person", ({ id }) => {
    const p = people.find((p) => p.id === id);
    return p ? { content: [text(`${p.name} <${p.email}>, card ${p.card}`)] } : { isError: true, content: [text("there is no such person")] };
  }, object({ id: { type: "integer" } }, ["id"])),
  tool("delete_person", ({ id }) => ({ content: [text(`deleted ${id}`)] }), object({ id: { type: "integer" } }, ["id"])),
];

const resources = [
  { uri: "test://static-text", name: "text", description: "a text", mimeType: "text/plain", text: "This is the content of the static text resource." },
  { uri: "test://static-binary", name: "binary", description: "an image", mimeType: "image/png", blob: png },
  { uri: "test://watched-resource", name: "watched", description: "a text that may change", mimeType: "text/plain", text: "watched" },
];
const user = (content) => ({ role: "user", content });
const prompts = [
  { name: "test_simple_prompt", run: () => [user(text("This is a simple prompt for testing."))] },
  { name: "test_prompt_with_arguments", arguments: ["arg1", "arg2"], run: (a) => [user(text(`Prompt with arguments: arg1='${a.arg1}', arg2='${a.arg2}'`))] },
  { name: "test_prompt_with_embedded_resource", arguments: ["resourceUri"], run: (a) => [
    user({ type: "resource", resource: { uri: a.resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." } }),
    user(text("Please process the embedded resource above."))] },
  { name: "test_prompt_with_image", run: () => [user({ type: "image", data: png, mimeType: "image/png" }), user(text("Please analyze the image above."))] },
];

// pages gives a list in pages of two, so that clients have to ask again.
const page = (name, all, cursor, size = 8) => {
  const from = cursor ? Number(cursor) : 0;
  return { [name]: all.slice(from, from + size), ...(from + size < all.length ? { nextCursor: String(from + size) } : {}) };
};

function makeServer() {
  const s = new Server({ name: "dragoman-test", version: "1.0.0" }, {
    capabilities: { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true }, prompts: { listChanged: true }, logging: {}, completions: {} },
  });
  const on = (schema, f) => s.setRequestHandler(schema, f);
  const paged = process.argv.includes("--pages");
  on(t.ListToolsRequestSchema, ({ params }) => page("tools", tools.map(({ run, ...shown }) => shown), params?.cursor, paged ? 5 : 100));
  on(t.CallToolRequestSchema, async ({ params }, extra) => {
    const found = tools.find((x) => x.name === params.name);
    if (!found) throw new t.McpError(t.ErrorCode.InvalidParams, `there is no tool ${params.name}`);
    return found.run(params.arguments ?? {}, extra);
  });
  on(t.ListResourcesRequestSchema, () => ({ resources: resources.map(({ text, blob, ...shown }) => shown) }));
  on(t.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [{ uriTemplate: "test://template/{id}/data", name: "template", description: "by id", mimeType: "application/json" }] }));
  on(t.ReadResourceRequestSchema, ({ params: { uri } }) => {
    const id = /^test:\/\/template\/(.+)\/data$/.exec(uri)?.[1];
    if (id) return { contents: [{ uri, mimeType: "application/json", text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }] };
    const r = resources.find((r) => r.uri === uri);
    if (!r) throw new t.McpError(-32002, `there is no resource ${uri}`);
    const { uri: at, mimeType, text, blob } = r;
    return { contents: [{ uri: at, mimeType, ...(text ? { text } : { blob }) }] };
  });
  on(t.SubscribeRequestSchema, () => ({}));
  on(t.UnsubscribeRequestSchema, () => ({}));
  on(t.ListPromptsRequestSchema, () => ({ prompts: prompts.map((p) => ({ name: p.name, description: "for tests", arguments: (p.arguments ?? []).map((name) => ({ name, description: name, required: true })) })) }));
  on(t.GetPromptRequestSchema, ({ params }) => ({ messages: prompts.find((p) => p.name === params.name).run(params.arguments ?? {}) }));
  on(t.CompleteRequestSchema, () => ({ completion: { values: ["paris", "park", "party"], total: 3, hasMore: false } }));
  on(t.SetLevelRequestSchema, () => ({}));
  return s;
}

// Events by stream, for clients that come back with Last-Event-ID.
class Events {
  all = [];
  async storeEvent(stream, message) {
    this.all.push({ id: `${stream}_${this.all.length}`, stream, message });
    return this.all.at(-1).id;
  }
  async getStreamIdForEventId(id) { return this.all.find((e) => e.id === id)?.stream; }
  async replayEventsAfter(id, { send }) {
    const at = this.all.findIndex((e) => e.id === id);
    if (at < 0) return "";
    const { stream } = this.all[at];
    for (const e of this.all.slice(at + 1)) {
      if (e.stream === stream && Object.keys(e.message).length > 0) await send(e.id, e.message);
    }
    return stream;
  }
}

const sessions = new Map();
// Behind a gateway the Host header is the gateway's, so it is up to the gateway; Origin stays.
const local = (value) => !value || /^(https?:\/\/)?(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(value);

createServer(async (req, res) => {
  if (!local(req.headers.host) || !local(req.headers.origin)) return res.writeHead(403).end();
  if (new URL(req.url, "http://x").pathname !== "/mcp") return res.writeHead(404).end();
  let transport = sessions.get(req.headers["mcp-session-id"]);
  if (!transport) {
    if (req.headers["mcp-session-id"]) return res.writeHead(404).end();
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID, eventStore: new Events(), retryInterval: 500, enableJsonResponse: process.argv.includes("--json"),
      onsessioninitialized: (id) => sessions.set(id, transport),
      onsessionclosed: (id) => sessions.delete(id),
    });
    await makeServer().connect(transport);
  }
  await transport.handleRequest(req, res);
}).listen(0, "127.0.0.1", function () {
  console.log(`http://127.0.0.1:${this.address().port}/mcp`);
});
