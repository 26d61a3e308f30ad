// What of the mini-program's own `wx` the client uses, in the words of its documentation.

export interface WxAnswer {
  statusCode: number;
  data: unknown;
  header: Record<string, string>;
}

export interface WxRequest {
  url: string;
  method: "GET" | "POST" | "PUT" | "DELETE";
  data?: string;
  header: Record<string, string>;
  timeout: number;
  success(answer: WxAnswer): void;
  fail(error: { errMsg: string }): void;
}

export interface Wx {
  request(options: WxRequest): void;
  login(options: { success(result: { code: string }): void; fail(error: { errMsg: string }): void }): void;
}
