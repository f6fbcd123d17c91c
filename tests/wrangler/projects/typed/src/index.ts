import fact from "./fact.txt";
import { type Kind, kindOf, type Shape } from "./shapes";

interface Env {
  readonly SHAPES: readonly Shape[];
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    if (new URL(request.url).pathname === "/fact") return new Response(fact);
    if (new URL(request.url).pathname === "/fail") return fail("asked for");
    const kinds: Record<string, Kind> = {};
    for (const shape of env.SHAPES) kinds[shape.name] = kindOf(shape);
    return Response.json(kinds);
  },
};

function fail(reason: string): never {
  throw new Error(`no shape was ${reason}`);
}
