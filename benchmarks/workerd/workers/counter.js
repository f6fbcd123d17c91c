import { DurableObject } from "cloudflare:workers";

// /ask/<name> and /count/<name> make one call to the object of that name. The answer tells the versions of the
// handler and of the object; bare workerd has neither.
const idOf = (env) => env.VERSION?.id ?? "";

export class Counter extends DurableObject {
  ask() {
    return idOf(this.env);
  }

  async count() {
    await this.ctx.storage.put("count", ((await this.ctx.storage.get("count")) ?? 0) + 1);
    return idOf(this.env);
  }
}

export default {
  async fetch(request, env) {
    const [, method, name] = new URL(request.url).pathname.split("/");
    const stub = env.COUNTER.getByName(name);
    const there = method === "count" ? await stub.count() : await stub.ask();
    return new Response(`${idOf(env)} ${there}`);
  },
};
