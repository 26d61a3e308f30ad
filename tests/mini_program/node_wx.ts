// `wx` as Node can play it: requests over fetch. `loseNext` lets an answer get lost on its way, as phones do.

import type { Wx, WxRequest } from "./wx.js";

export class NodeWx implements Wx {
  loseNext = 0;
  sent: string[] = [];
  answered: number[] = [];

  constructor(private readonly codes: () => Promise<string>) {}

  request(options: WxRequest): void {
    void this.fetched(options);
  }

  login({ success, fail }: Parameters<Wx["login"]>[0]): void {
    this.codes().then(
      (code) => success({ code }),
      (error: unknown) => fail({ errMsg: String(error) }),
    );
  }

  private async fetched({ url, method, data, header, timeout, success, fail }: WxRequest): Promise<void> {
    this.sent.push(`${method} ${new URL(url).pathname}`);
    try {
      const answer = await fetch(url, {
        method,
        headers: header,
        signal: AbortSignal.timeout(timeout),
        ...(data === undefined ? {} : { body: data }),
      });
      const text = await answer.text();
      this.answered.push(answer.status);
      if (this.loseNext > 0) {
        this.loseNext -= 1;
        throw new Error("request:fail lost");
      }
      success({
        statusCode: answer.status,
        data: text ? (JSON.parse(text) as unknown) : undefined,
        header: Object.fromEntries(answer.headers.entries()),
      });
    } catch (error) {
      fail({ errMsg: String(error) });
    }
  }
}
