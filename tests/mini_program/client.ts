// A small client of the API for mini-programs: typed by the published description, over `wx.request`.
//
// It renews a token that has ended, once for all calls under way, and repeats them; it repeats a value-moving call with
// the same key when the answer was lost; it keeps what carries an ETag until somebody else signs in.

import type { paths } from "./api.js";
import type { Wx, WxAnswer } from "./wx.js";

export type Method = "get" | "post" | "put" | "patch" | "delete";
type Json = "application/json";
type MethodOf<P extends keyof paths> = {
  [M in Method]: [NonNullable<paths[P][M]>] extends [never] ? never : M;
}[Method];
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;
type Success = 200 | 201 | 202 | 204;
type BodyOf<R> = R extends { content: { [json in Json]: infer B } } ? B : undefined;
export type Answer<P extends keyof paths, M extends Method> = Operation<P, M> extends { responses: infer R }
  ? { [S in keyof R & Success]: BodyOf<R[S]> }[keyof R & Success]
  : never;
export type Body<P extends keyof paths, M extends Method> = Operation<P, M> extends { requestBody?: infer B }
  ? BodyOf<NonNullable<B>>
  : undefined;
type Part<O, Where extends string> = O extends { parameters: { [w in Where]?: infer V } } ? NonNullable<V> : never;

export interface Call<P extends keyof paths, M extends Method> {
  path?: Part<Operation<P, M>, "path">;
  query?: Part<Operation<P, M>, "query">;
  body?: Body<P, M>;
  key?: string;
  ifMatch?: string;
}

export interface Problem {
  code: string;
  status: number;
  title: string;
  detail: string;
  request_id: string;
}

export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.status} ${problem.code}: ${problem.detail}`);
  }
}

export interface Tokens {
  access: string;
  refresh: string;
}

const TIMEOUT = 10_000;
const METHODS = { get: "GET", post: "POST", put: "PUT", delete: "DELETE" } as const;
const TRIES = 3;

export class Client {
  etag = "";
  private signedIn: Tokens | null = null;
  private renewal: Promise<Tokens> | null = null;
  private readonly kept = new Map<string, { etag: string; body: unknown }>();

  constructor(
    private readonly wx: Wx,
    private readonly base: string,
    private readonly renew: (client: Client, refresh: string) => Promise<Tokens>,
    private readonly language = "zh_CN",
  ) {}

  /** Calls an operation; throws `Refused` with the problem that the server answers. */
  async call<P extends keyof paths, M extends MethodOf<P> & Method>(
    method: M,
    path: P,
    { path: places = undefined, query = undefined, body = undefined, key, ifMatch }: Call<P, M> = {},
  ): Promise<Answer<P, M>> {
    const address = this.address(path, places, query);
    // Who signs in or renews their tokens calls without one.
    const before = path.startsWith("/auth/") && path !== "/auth/logout" ? null : this.signedIn;
    let answer = await this.send(method, address, body, before, key, ifMatch);
    if (before && answer.statusCode === 401 && (answer.data as Problem).code === "token_expired") {
      if (this.signedIn === before) await this.renewed(before);
      answer = await this.send(method, address, body, this.signedIn, key, ifMatch);
    }
    const etag = answer.header["etag"] ?? "";
    if (answer.statusCode === 304) return this.kept.get(address)!.body as Answer<P, M>;
    if (answer.statusCode >= 400) throw new Refused(answer.data as Problem);
    this.etag = etag;
    if (method === "get" && etag) this.kept.set(address, { etag, body: answer.data });
    return answer.data as Answer<P, M>;
  }

  get tokens(): Tokens | null {
    return this.signedIn;
  }

  /** Signs somebody in; null: nobody is. What was kept for the one before is forgotten. */
  signIn(tokens: Tokens | null): void {
    this.signedIn = tokens;
    this.kept.clear();
  }

  private async renewed(old: Tokens): Promise<void> {
    this.renewal ??= this.renew(this, old.refresh).finally(() => (this.renewal = null));
    try {
      this.signedIn = await this.renewal;
    } catch (over) {
      if (over instanceof Refused) this.signIn(null);
      throw over;
    }
  }

  private address(path: string, places: object | undefined, query: object | undefined): string {
    let filled = path;
    for (const [name, value] of Object.entries(places ?? {})) {
      filled = filled.replace(`{${name}}`, encodeURIComponent(String(value)));
    }
    const asked = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
    const text = asked.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&");
    return this.base + filled + (text ? `?${text}` : "");
  }

  private async send(
    method: Method,
    address: string,
    body: unknown,
    tokens: Tokens | null,
    key?: string,
    ifMatch?: string,
  ): Promise<WxAnswer> {
    const header: Record<string, string> = { "accept-language": this.language };
    if (tokens) header["authorization"] = `Bearer ${tokens.access}`;
    if (body !== undefined) header["content-type"] = "application/json";
    if (key) header["idempotency-key"] = key;
    if (ifMatch) header["if-match"] = ifMatch;
    const known = method === "get" ? this.kept.get(address) : undefined;
    if (known) header["if-none-match"] = known.etag;
    const repeatable = method === "get" || key !== undefined;
    for (let tried = 1; ; tried += 1) {
      try {
        return await this.once(method, address, body, header);
      } catch (lost) {
        if (!repeatable || tried === TRIES) throw lost;
      }
    }
  }

  private once(method: Method, url: string, body: unknown, header: Record<string, string>): Promise<WxAnswer> {
    return new Promise((done, failed) => {
      this.wx.request({
        url,
        method: method === "patch" ? "POST" : METHODS[method], // wx.request knows no PATCH
        ...(body === undefined ? {} : { data: JSON.stringify(body) }),
        header: method === "patch" ? { ...header, "x-http-method-override": "PATCH" } : header,
        timeout: TIMEOUT,
        success: done,
        fail: (error) => failed(new Error(error.errMsg)),
      });
    });
  }
}
