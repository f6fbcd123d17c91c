// Beside the user's modules, only under the flag enable_version_api: workerd leaves ctx.version empty (R109).

const HEADER = "x-gateway-version";

function told(request, ctx) {
  const header = request.headers.get(HEADER);
  if (header === null) return request;
  const version = JSON.parse(header);
  Object.defineProperty(ctx, "version", { value: Object.freeze(version), configurable: true, enumerable: true });
  const headers = new Headers(request.headers);
  headers.delete(HEADER);
  return new Request(request, { headers });
}

/** Wrap a default export so that its fetch handler finds ctx.version. */
export function withVersion(User) {
  if (typeof User === "function") {
    return class extends User {
      fetch(request) {
        return super.fetch(told(request, this.ctx));
      }
    };
  }
  if (typeof User?.fetch !== "function") return User;
  return { ...User, fetch: (request, env, ctx) => User.fetch(told(request, ctx), env, ctx) };
}
