// One call of the SDK's client: JSON on standard input says what, JSON on standard output is the result.
import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const { url, headers, do: what, name, arguments: args } = JSON.parse(readFileSync(0, "utf8"));
const client = new Client({ name: "dragoman-test-client", version: "1.0.0" }, { capabilities: {} });
const notifications = [];
client.setNotificationHandler(LoggingMessageNotificationSchema, (n) => notifications.push(n.params));
const calls = {
  tools: async () => {
    const tools = [];
    for (let cursor; ; ) {
      const page = await client.listTools({ cursor });
      tools.push(...page.tools);
      if (!(cursor = page.nextCursor)) return { tools };
    }
  },
  call: () => client.callTool({ name, arguments: args ?? {} }),
  read: () => client.readResource({ uri: name }),
  prompt: () => client.getPrompt({ name, arguments: args ?? {} }),
};
let out;
try {
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  out = { result: await calls[what](), notifications };
} catch (e) {
  out = { error: { code: e.code, message: e.message, data: e.data } };
}
console.log(JSON.stringify(out));
await client.close().catch(() => {});
process.exit(0);
