// Beside the user's modules, run before them: what only the gateway needs of env is not the user's to meet.

import { env } from "cloudflare:workers";

for (const name of Object.keys(env)) if (name.startsWith("__GATEWAY_")) delete env[name];
